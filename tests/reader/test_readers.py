"""During a commit, apps see the catalog before or after it and are never refused; the views."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.feed import Cursor
from sync.store.engine import open_engine, reading
from tests.builders import EPOCH, record, records
from tests.faults import AFTER, BEFORE, PROCESSES, Catalog, at, real_clock, sync, versioned, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Database

    Read = Callable[[list[str]], int]
    Report = Callable[[str], None]

SYNCS = 200
SOME_AND_ALL = pytest.mark.parametrize(
    "syncs", [pytest.param(40, id="some", marks=pytest.mark.ci_slice), pytest.param(SYNCS, id="all", marks=pytest.mark.long)]
)

WHOLE = """
    SELECT t.template_id, t.title_en, p.credit, g.name
    FROM current_templates t
    LEFT JOIN current_prices p ON p.template_id = t.template_id
    LEFT JOIN template_tags m ON m.template_id = t.template_id
    LEFT JOIN tags g ON g.tag_id = m.tag_id
"""
PARTS = (
    "SELECT template_id, title_en FROM current_templates",
    "SELECT template_id, credit FROM current_prices",
    """
    SELECT m.template_id, g.name FROM template_tags m
    JOIN tags g ON g.tag_id = m.tag_id JOIN current_templates t ON t.template_id = m.template_id
    """,
)


def _version(rows: list[tuple[Any, ...]], complaints: list[str]) -> int:
    r"""Return the version of the catalog of these rows \(ID, then values with the version\); fail if there are several."""
    found = {int(str(value).removeprefix("v").partition(".")[0]) for row in rows for value in row[1:]}
    version = max(found, default=0)
    if len(found) > 1 or (found and {row[0] for row in rows} != {each["TemplateId"] for each in versioned(version)}):
        complaints.append(f"mixed: {sorted(found)} with {sorted({row[0] for row in rows})}")
    return version


def read_repeatedly(kind: str, url: str, retry_policy: float, seen: Any, stop: Any, answer: Any) -> None:
    """Read in a loop, by one statement and by several. The target of a process."""
    complaints: list[str] = []
    versions: list[int] = []
    reads = 0
    one, many = _read_sqlite(url, retry_policy) if kind == "sqlite" else _read_server(url)
    while not (reads and stop.is_set()) and not complaints:
        try:
            versions += [one(complaints), many(complaints)]
        except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
            complaints.append(str(error))
        reads += 2
        seen.value = len(set(versions))
    if versions != sorted(versions):
        complaints.append("the catalog went back")
    answer.put((reads, len(set(versions)), complaints))


def _read_sqlite(url: str, retry_policy: float) -> tuple[Read, Read]:
    """Read like the `sqlite3` shell: a new connection each time, by default without a busy timeout."""
    file = url.removeprefix("sqlite:///")

    def one(complaints: list[str]) -> int:
        with closing(sqlite3.connect(file, timeout=retry_policy, isolation_level=None)) as raw:
            return _version(raw.execute(WHOLE).fetchall(), complaints)

    def many(complaints: list[str]) -> int:
        with closing(sqlite3.connect(file, timeout=retry_policy, isolation_level=None)) as raw:
            raw.execute("BEGIN")
            versions = {_version(raw.execute(part).fetchall(), complaints) for part in PARTS}
            raw.execute("COMMIT")
        return _only(versions, complaints)

    return one, many


def _read_server(url: str) -> tuple[Read, Read]:
    committed = sa.create_engine(url, isolation_level="READ COMMITTED")
    repeatable = sa.create_engine(url, isolation_level="REPEATABLE READ")

    def one(complaints: list[str]) -> int:
        with committed.connect() as connection:
            return _version([tuple(row) for row in connection.exec_driver_sql(WHOLE)], complaints)

    def many(complaints: list[str]) -> int:
        with repeatable.connect() as connection:
            parts = [[tuple(row) for row in connection.exec_driver_sql(part)] for part in PARTS]
        return _only({_version(part, complaints) for part in parts}, complaints)

    return one, many


def _only(versions: set[int], complaints: list[str]) -> int:
    if len(versions) != 1:
        complaints.append(f"mixed: {sorted(versions)}")
    return max(versions)


def _read_during(database: Database, syncs: int, *, retry_policy: float, leaving: bool) -> tuple[int, int]:
    """Read in another process during runs; return the number of reads and of catalogs. No read may fail or be inconsistent."""
    seen, stop, answer = PROCESSES.Value("i", 0), PROCESSES.Event(), PROCESSES.Queue()
    url = database.engine.url.render_as_string(hide_password=False)
    reader = PROCESSES.Process(target=read_repeatedly, args=(database.kind, url, retry_policy, seen, stop, answer), daemon=True)
    reader.start()
    wait_for(lambda: seen.value > 0, within=30)
    required = min(10, syncs // 4)
    for version in range(1, 50 * syncs):
        assert sync(versioned(version), database.engine).error is None
        if leaving:
            database.engine.dispose()
        if version >= syncs and (seen.value > required or not reader.is_alive()):  # the number of catalogs depends on the machine
            break
    stop.set()
    reads, catalogs, complaints = answer.get(timeout=30)
    reader.join()
    reader.close()
    answer.close()
    answer.join_thread()
    assert complaints == []
    assert catalogs > required
    return reads, catalogs


@pytest.mark.long_on_servers
@SOME_AND_ALL
def test_a_reader_during_runs_is_never_refused_and_sees_one_catalog(database: Database, syncs: int, report: Report) -> None:
    reads, catalogs = _read_during(database, syncs, retry_policy=0.0, leaving=False)
    report(f"{database.kind}: {syncs} syncs of a daemon, {reads} reads of {catalogs} catalogs, none mixed or refused")


@SOME_AND_ALL
def test_a_reader_with_a_busy_timeout_is_never_refused_by_cron_jobs(sqlite: Database, syncs: int, report: Report) -> None:
    """The last connection to a SQLite file that closes checkpoints the write-ahead log under a lock; see docs/database.md."""
    syncs //= 3
    reads, catalogs = _read_during(sqlite, syncs, retry_policy=5.0, leaving=True)
    report(f"sqlite: {syncs} syncs of cron jobs, {reads} reads of {catalogs} catalogs, none mixed or refused")


def test_a_reader_in_a_long_transaction_blocks_no_writer_and_sees_one_catalog(database: Database) -> None:
    sync(versioned(1), database.engine)
    with reading(database.engine) as connection:
        first = connection.execute(sa.text(PARTS[0])).all()
        for version in (2, 3):
            assert sync(versioned(version), database.engine).error is None
        assert connection.execute(sa.text(PARTS[0])).all() == first
    assert {row["title_en"] for row in database.rows("current_templates")} == {"v3"}


# The views --------------------------------------------------------------------------------------------------------------


def test_current_templates_shows_present_templates(database: Database) -> None:
    sync(BEFORE, database.engine)
    sync(AFTER, database.engine)
    rows = database.rows("current_templates")
    assert sorted(row["template_id"] for row in rows) == ["1", "2", "3", "4", "6"]


def test_current_prices_shows_prices_of_present_templates(database: Database) -> None:
    sync([record("1"), record("2")], database.engine)
    sync([record("1")], database.engine)
    rows = sorted(database.rows("current_prices"), key=lambda row: int(row["position"]))
    assert [(row["template_id"], row["title_en"], row["resolution"], float(row["credit"])) for row in rows] == [
        ("1", "Battle Game", "480p", 166.5), ("1", "Battle Game", "720p", 355.2),
    ]  # fmt: skip


def test_change_feed_shows_every_change_with_the_document_after_it(database: Database) -> None:
    sync(BEFORE, database.engine)
    sync(AFTER, database.engine)
    rows = sorted(database.rows("change_feed"), key=lambda row: int(row["seq"]))
    assert [(row["seq"], row["kind"], row["template_id"]) for row in rows[5:]] == [
        (6, "added", "6"), (7, "changed", "3"), (8, "removed", "5"),
    ]  # fmt: skip
    assert [row["document"] is None for row in rows] == [False] * 7 + [True]
    assert rows[-1]["evidence"] == "lookup"
    assert len(rows) == len(database.rows("template_changes"))


def test_change_feed_has_one_row_for_each_removal_and_return(database: Database) -> None:
    for count in (2, 1, 2):
        sync(records(count), database.engine)
    feed = [(row["seq"], row["kind"]) for row in database.rows("change_feed") if row["template_id"] == "2"]
    assert sorted(feed) == [(2, "added"), (3, "removed"), (4, "added")]


def test_sync_status_has_one_row_before_the_first_run(database: Database) -> None:
    (row,) = database.rows("sync_status")
    ends = {"feed_epoch": EPOCH, "oldest_seq": 1, "last_seq": 0, "cursor": str(Cursor.start(EPOCH))}
    assert row == ends | {
        "last_attempt_at": None, "last_success_at": None, "last_change_at": None, "last_attempt_age_seconds": None,
        "last_success_age_seconds": None, "last_change_age_seconds": None, "present_count": 0,
        "last_attempt_at_iso": None, "last_success_at_iso": None, "last_change_at_iso": None,
    }  # fmt: skip


def test_sync_status_has_ages_by_the_databases_clock_in_any_time_zone(database: Database) -> None:
    def ago(**how: float) -> Callable[[], datetime]:
        return lambda: real_clock() - timedelta(**how)

    sync(BEFORE, database.engine, clock=ago(hours=3))
    sync(BEFORE, database.engine, clock=ago(hours=2))
    failing = Catalog(BEFORE)
    failing.on_request = failing.interrupt
    sync(failing, database.engine, clock=ago(hours=1))
    zones = {"postgresql": "SET timezone = 'Asia/Shanghai'", "mariadb": "SET time_zone = '+08:00'"}
    engine = sa.create_engine(database.engine.url)
    with engine.connect() as foreign:
        if zone := zones.get(database.kind):
            foreign.exec_driver_sql(zone)
        row = foreign.exec_driver_sql("SELECT * FROM sync_status").mappings().one()
        ages = [float(row[f"last_{what}_age_seconds"]) for what in ("attempt", "success", "change")]
    engine.dispose()
    assert ages == pytest.approx([3600, 7200, 10800], abs=30)
    assert row["present_count"] == 5


def test_sync_status_has_no_negative_ages(database: Database) -> None:
    sync(BEFORE, database.engine, clock=lambda: datetime.now(UTC))
    (row,) = database.rows("sync_status")
    ages = [float(value) for name, value in row.items() if name.endswith("_seconds")]
    assert all(-0.002 <= age < 30 for age in ages), ages


def test_times_in_the_views_are_utc(database: Database) -> None:
    sync([record("1")], database.engine, clock=at(0))
    engine = open_engine(database.url)
    with engine.connect() as connection:
        shown = str(connection.execute(sa.text("SELECT changed_at FROM current_templates")).scalar())
    engine.dispose()
    assert shown.startswith("2026-01-01 12:00:01.123456")
