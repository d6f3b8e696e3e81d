"""Helpers for tests of faults: a catalog without a network, invariants of a database, processes that can be killed."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from sync.catalog.document import canonical, json_number
from sync.catalog.removals import RunOptions
from sync.catalog.run_record import Run, Status
from sync.reader import feed
from sync.reader.catalog import open_catalog
from sync.reader.feed_check import feed_problems
from sync.sandbox.responses import list_templates
from sync.store import schema
from sync.store.acquire import LeaseWait, acquire
from sync.store.apply import Store
from sync.store.database_errors import Retry
from sync.store.engine import open_engine, reading
from sync.store.tables import (
    consume_items,
    metadata,
    sync_lease,
    sync_runs,
    sync_state,
    tags,
    template_aspect_ratios,
    template_changes,
    template_tags,
    template_versions,
    templates,
)
from sync.synchronise import Outcome, synchronise
from sync.text import iso
from tests.builders import RANDOM_COLUMNS, record
from tests.fake_client import FakeClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sync.catalog.document import Document
    from sync.client.api_client import Params
    from sync.store.lease import Lease
    from tests.builders import Database

PROCESSES = multiprocessing.get_context("forkserver")
"""Starts a process in milliseconds by forking one that has imported everything and has no threads."""
PROCESSES.set_forkserver_preload(
    ["pytest", "alembic.command", "psycopg", "pymysql", "sqlalchemy.dialects.mysql.pymysql", __name__]
)


# A catalog without a network --------------------------------------------------------------------------------------------


class Catalog(FakeClient):
    """A client that returns the responses of the sandbox without a network.

    Args:
        served: the records.
        on_request: called before each response, to wait or to act during a run.
    """

    def __init__(self, served: Sequence[dict[str, Any]], on_request: Callable[[], object] | None = None) -> None:
        super().__init__(self._listed)
        self.served = served
        self.on_request = on_request

    def _listed(self, params: Params) -> tuple[int, bytes]:
        if self.on_request:
            self.on_request()
        answer = list_templates(self.served, {name: str(value) for name, value in params.items()})
        return answer["code"], json.dumps(answer).encode()


def real_clock() -> datetime:
    return datetime.now(UTC)


def at(minute: int) -> Callable[[], datetime]:
    """Make a clock with microseconds that advances by a second in each call."""
    start = datetime(2026, 1, 1, 12, minute % 60, 0, 123456, tzinfo=UTC) + timedelta(hours=minute // 60)
    count = itertools.count()
    return lambda: start + timedelta(seconds=next(count))


def sync(
    source: Sequence[dict[str, Any]] | FakeClient,
    engine: sa.Engine,
    *,
    ttl: float = 60.0,
    clock: Callable[[], datetime] = real_clock,
    sleep: Callable[[float], None] = lambda _: None,
    **options: Any,
) -> Outcome:
    """Run once."""
    endpoint = source if isinstance(source, FakeClient) else Catalog(source)
    store = Store(engine, sleep=sleep)
    rng = random.Random(1).random  # noqa: S311 - the same controls each time
    return synchronise(store, endpoint, RunOptions(**options), trigger="run", ttl=ttl, clock=clock, random=rng)


BEFORE = [record(str(number), Title_en=f"Number {number}") for number in range(1, 6)]
AFTER = [
    *BEFORE[:2],
    record("3", Title_en="Renamed", ConsumeItems=[{"Resolution": "720p", "Credit": 400}], Tags=["新"], Tags_en=["New"]),
    record("4", Title_en="Number 4", Cover="https://media.example/cover.jpeg?x-expires=2"),
    record("6", Title_en="Number 6", Tags=["热门 "], Tags_en=["Trending "]),
]
"""From BEFORE to AFTER: one template is added, one removed, one changed in every field, one gets only a new signature."""


def versioned(version: int, count: int = 4) -> list[dict[str, Any]]:
    """Make a catalog whose values contain its version; its templates depend on the version, too."""
    return [
        record(
            str(number),
            Title_en=f"v{version}",
            Tags=[f"v{version}"],
            Tags_en=[f"v{version}"],
            ConsumeItems=[{"Resolution": "720p", "Credit": version}],
        )
        for number in range(count + 2)
        if number < count or version >> (number - count) & 1
    ]


# Invariants -------------------------------------------------------------------------------------------------------------


def exported_documents(engine: sa.Engine, after_run: int | None = None) -> list[Document]:
    """Return the documents that `export` writes."""
    with open_catalog(engine, after_run=after_run) as (_cursor, found):
        return list(found)


def documents(connection: sa.Connection) -> dict[str, Document]:
    """Return the present catalog, built from the tables as an app does."""
    lists: dict[str, dict[str, list[Any]]] = {"consume_items": {}, "tags": {}, "aspect_ratios": {}}
    for row in connection.execute(sa.select(consume_items).order_by(consume_items.c.position)):
        item = {"resolution": row.resolution, "credit": json_number(row.credit)}
        lists["consume_items"].setdefault(row.template_id, []).append(item)
    positions = sa.select(template_tags.c.template_id, tags.c.name, tags.c.name_en).join(
        tags, tags.c.tag_id == template_tags.c.tag_id
    )
    for row in connection.execute(positions.order_by(template_tags.c.position)):
        lists["tags"].setdefault(row.template_id, []).append({"name": row.name, "name_en": row.name_en})
    for row in connection.execute(sa.select(template_aspect_ratios).order_by(template_aspect_ratios.c.position)):
        lists["aspect_ratios"].setdefault(row.template_id, []).append(row.aspect_ratio)
    found: dict[str, Document] = {}
    bookkeeping = {
        "content_hash", "wire_hash", "first_seen_at", "changed_at", "removed_at",
        "first_seen_run_id", "changed_run_id", "removed_run_id",
    }  # fmt: skip
    for mapping in connection.execute(sa.select(templates).where(templates.c.removed_at.is_(None))).mappings():
        key = mapping["template_id"]
        scalars = {name: value for name, value in mapping.items() if name not in bookkeeping}
        scalars["released_at"] = None if scalars["released_at"] is None else iso(scalars["released_at"])
        found[key] = {**scalars, **{name: lists[name].get(key, []) for name in lists}}
    return found


def replayed(connection: sa.Connection, anomalies: list[str]) -> dict[str, Document]:
    """Replay the feed from its start; append its contradictions to `anomalies`."""
    version = sa.and_(
        template_versions.c.template_id == template_changes.c.template_id,
        template_versions.c.from_run_id == template_changes.c.run_id,
    )
    feed = sa.select(template_changes, template_versions.c.document, template_versions.c.until_run_id)
    catalog: dict[str, Document] = {}
    newest_run = 0
    rows = connection.execute(feed.outerjoin(template_versions, version).order_by(template_changes.c.seq)).all()
    for expected, row in enumerate(rows, 1):
        if row.seq != expected:
            anomalies.append(f"seq {row.seq} follows instead of {expected}")
        if row.run_id < newest_run:
            anomalies.append(f"seq {row.seq}: run {row.run_id} after run {newest_run}")
        newest_run = max(newest_run, row.run_id)
        if (row.kind == "added") == (row.template_id in catalog):
            anomalies.append(f"seq {row.seq}: {row.kind} contradicts the changes before it")
        if row.kind == "removed":
            catalog.pop(row.template_id, None)
        else:
            for field in row.fields or ():
                before = catalog.get(row.template_id, {}).get(field["field"], field["old"])
                if before != field["old"]:
                    anomalies.append(f"seq {row.seq}: {field['field']} was {before!r}, not {field['old']!r}")
            catalog[row.template_id] = row.document
    return catalog


def anomalies(database: Database | sa.Engine) -> list[str]:
    """Return every violated invariant of a database."""
    found: list[str] = []
    engine = database if isinstance(database, sa.Engine) else database.engine
    with reading(engine) as connection:
        catalog = documents(connection)
        if replayed(connection, found) != catalog:
            found.append("the feed does not replay to the tables")
        versions = sa.select(template_versions.c.template_id, template_versions.c.document)
        open_versions = connection.execute(versions.where(template_versions.c.until_run_id.is_(None))).all()
        if {row.template_id: row.document for row in open_versions} != catalog or len(open_versions) != len(catalog):
            found.append("the open versions are not the present templates")
        last = connection.scalar(sa.select(sa.func.max(template_changes.c.seq))) or 0
        if connection.scalar(sa.select(sync_state.c.last_seq)) != last:
            found.append("last_seq is not the feed's last")
        applied = (str(Status.SUCCEEDED), str(Status.HELD), str(Status.INCOMPLETE))
        published = sa.select(template_changes.c.seq).join(sync_runs, sync_runs.c.run_id == template_changes.c.run_id)
        if connection.execute(published.where(sync_runs.c.status.not_in(applied))).all():
            found.append("a run that applied nothing has changes")
        fences = connection.scalars(
            sa.select(sync_runs.c.fence).where(sync_runs.c.fence.is_not(None)).order_by(sync_runs.c.run_id)
        )
        if (numbers := fences.all()) != sorted(set(numbers)):
            found.append("a fence was repeated or decreased")
    return [*found, *feed_problems(engine)]


def applied_once(database: Database) -> None:
    """Check that one run applied BEFORE, and the next one AFTER, and nothing else was published."""
    assert database.present == {each["TemplateId"] for each in AFTER}
    assert [row["run_id"] for row in database.rows("template_changes", "seq")] == [1] * 5 + [2] * 3
    assert anomalies(database) == []


def dumped(engine: sa.Engine) -> dict[str, list[str]]:
    """Return every table as sorted lines of JSON: equal values have equal bytes on every engine."""
    with reading(engine) as connection:
        return {
            name: sorted(
                canonical({column: _json_value(value) for column, value in row.items() if column not in RANDOM_COLUMNS})
                for row in rows.mappings()
            )
            for name, table in metadata.tables.items()
            for rows in [connection.execute(sa.select(table))]
        }


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return value if isinstance(value, str | int | list | dict | None) else format(value)


def contents(engine: sa.Engine) -> dict[str, Any]:
    """Return the contents of a database without run ids and times, which depend on the number of attempts."""
    changes = [{name: row[name] for name in ("seq", "kind", "template_id", "fields", "evidence")} for row in feed.changes(engine)]
    with reading(engine) as connection:
        periods = metadata.tables["price_periods"]
        prices = connection.execute(
            sa.select(periods.c.template_id, periods.c.resolution, periods.c.credit, periods.c.valid_until)
        )
        return {
            "catalog": documents(connection),
            "feed": changes,
            "prices": sorted((row.template_id, row.resolution, str(row.credit), row.valid_until is None) for row in prices),
            "tags": sorted(canonical([row.tag_id, row.name, row.name_en]) for row in connection.execute(sa.select(tags))),
            "versions": connection.scalar(sa.select(sa.func.count()).select_from(template_versions)),
        }


# Snapshots --------------------------------------------------------------------------------------------------------------


class Snapshot:
    """The rows of a database, which can be restored repeatedly."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with reading(engine) as connection:
            self._rows = {
                table: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in metadata.sorted_tables
            }

    def restore(self) -> None:
        """Restore the rows."""
        with self._engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
            for table, rows in self._rows.items():
                if rows:
                    connection.execute(sa.insert(table), rows)


# Processes that can be killed -------------------------------------------------------------------------------------------


@contextmanager
def process(work: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """Run a function of a module in another process, which is killed at the end of the block."""
    child = PROCESSES.Process(target=work, args=arguments, daemon=True)
    child.start()
    try:
        yield child
    finally:
        child.kill()
        child.join()
        child.close()


def exit_code_of(work: Callable[..., None], *arguments: Any, within: float = 60.0) -> int:
    """Run a function in another process to its end; return its exit code, negative for a signal."""
    with process(work, *arguments) as child:
        child.join(within)
        assert child.exitcode is not None, "the process did not end"
        return int(child.exitcode)


def on_each_statement(engine: sa.Engine, callback: Callable[[str], None]) -> None:
    """Call a function with each statement before its execution, including COPY, which does not go through SQLAlchemy."""
    event.listen(engine, "before_cursor_execute", lambda _connection, _cursor, statement, *_: callback(statement))
    if engine.dialect.name != "postgresql":
        return
    import psycopg

    class Cursor(psycopg.Cursor[Any]):
        def copy(self, statement: Any, *arguments: Any, **options: Any) -> Any:
            callback(str(statement))
            return super().copy(statement, *arguments, **options)

    event.listen(engine, "checkout", lambda raw, _record, _proxy: setattr(raw, "cursor_factory", Cursor))


def at_boundary(engine: sa.Engine, number: int, act: Callable[[], None]) -> list[str]:
    """Act once, at the n-th boundary: before each statement, before COMMIT, and when a connection is returned.

    Returns the list of boundaries so far, which grows.
    """
    passed: list[str] = []

    def boundary(name: str) -> None:
        passed.append(name)
        if len(passed) == number:
            act()

    on_each_statement(engine, boundary)
    event.listen(engine, "commit", lambda _connection: boundary("COMMIT"))
    event.listen(engine, "checkin", lambda _connection, _record: boundary("done"))
    return passed


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sync_and_be_killed(url: str, number: int, catalog: list[dict[str, Any]]) -> None:
    """Run once, until this process is killed at the n-th boundary; exit with 0 if the run ends before."""
    engine = open_engine(url)
    at_boundary(engine, number, kill_this_process)
    outcome = sync(catalog, engine, clock=stopped_clock())
    engine.dispose()
    raise SystemExit(outcome.error.exit_code if outcome.error else 0)


def stopped_clock() -> Callable[[], datetime]:
    """Make a clock that stands still: after a transaction of more than a second, a run has one more, to correct its end."""
    now = real_clock()
    return lambda: now


def upgrade_and_be_killed(url: str, number: int) -> None:
    """Upgrade, until this process is killed before the n-th statement that changes something, or COMMIT."""
    engine = open_engine(url)
    boundaries = itertools.count(1)

    def boundary(statement: str) -> None:
        if statement.lstrip().startswith(_CHANGES) and next(boundaries) == number:
            kill_this_process()

    on_each_statement(engine, boundary)
    event.listen(engine, "commit", lambda _: boundary("COMMIT"))
    schema.upgrade(engine)


_CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "COPY", "UPDATE", "DELETE", "COMMIT")


def killed_upgrades(database: Database, step: int = 1) -> Iterator[int]:
    """Kill an upgrade at one of its statements after another, until one reaches its end; yield the number of the statement."""
    number = 0
    while (code := exit_code_of(upgrade_and_be_killed, database.url, number + 1)) != 0:
        assert code == -signal.SIGKILL
        number += step
        yield number
        database.engine.dispose()


def wait_for(condition: Callable[[], bool], within: float = 20.0, state: Callable[[], object] = lambda: "") -> None:
    """Wait until a condition holds; otherwise fail and show the state."""
    import time

    ends = time.monotonic() + within
    while not condition():
        assert time.monotonic() < ends, f"the condition did not hold within {within:g} s: {state()}"
        time.sleep(0.005)


def take_lease(
    engine: sa.Engine,
    trigger: str = "run",
    template_id: str | None = None,
    *,
    ttl: float = 60.0,
    now: datetime | None = None,
    retry: Retry | None = None,
    wait: LeaseWait = LeaseWait(0),  # noqa: B008 - LeaseWait is frozen
) -> Lease:
    """Acquire the lease, by default without waiting, and insert the row of the run."""
    run = Run(None, trigger, Status.RUNNING, now or real_clock(), template_id=template_id)
    return acquire(engine, run, ttl=ttl, clock=real_clock, retry=retry or Retry(), wait=wait)[0]


def age_lease(engine: sa.Engine, *, forget_process: bool = True) -> None:
    """Expire the lease, as if its holder had stopped renewing it."""
    with engine.begin() as connection:
        connection.execute(sa.update(sync_lease).values(expires=1, **({"process": None} if forget_process else {})))
