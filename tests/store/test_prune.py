"""Pruning keeps a complete feed from its marked start, the catalog, and what `status` shows."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.client.api_client import ApiClient
from sync.errors import LeaseBusy, Pruned, UsageError
from sync.reader import catalog as catalog_reader
from sync.reader import feed, status
from sync.reader.past import run_of
from sync.refresh import refresh
from sync.sandbox.server import SANDBOX_KEY
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.prune import prune
from sync.store.tables import price_periods, sync_runs, template_versions
from tests.builders import EPOCH, HASTY, Database, make_settings, record, records, run_against, run_with, ticking
from tests.command_line import Result, template_sync
from tests.daemons import Upstream, until
from tests.faults import exported_documents, take_lease

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sync.catalog.document import Document

pytestmark = pytest.mark.long_on_servers

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return BEGAN + timedelta(days=number)


def priced(template_id: str, credit: float) -> dict[str, Any]:
    return record(template_id, Title_en=f"Number {template_id}", ConsumeItems=[{"Resolution": "720p", "Credit": credit}])


_REST = [priced(str(number), 10) for number in range(3, 6)]
WEEK: list[Sequence[dict[str, Any]]] = [
    [priced("1", 10), priced("2", 10), *_REST, priced("6", 10)],
    [priced("1", 20), priced("2", 10), *_REST, priced("6", 10)],
    [priced("1", 20), priced("2", 10), *_REST],  # 6 is removed for good
    [priced("1", 20), *_REST, priced("7", 5)],  # 2 is removed, 7 is added
    [priced("1", 20), *_REST, priced("7", 5)],  # no change
    [priced("1", 30), priced("2", 10), *_REST, priced("7", 5)],  # 2 returns
    [priced("1", 30), *[priced(str(number), 11) for number in range(2, 6)], priced("7", 5)],
]
"""Run n is made on day n - 1."""


@pytest.fixture
def week(database: Database) -> Database:
    """A database after the runs of WEEK."""
    for number, catalog in enumerate(WEEK):
        assert run_with(catalog, database.engine, clock=ticking(day(number))).error is None
    return database


on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def oldest_seq(database: Database) -> int:
    return status.overview(database.engine).oldest_seq


def kept_feed(database: Database) -> list[dict[str, Any]]:
    """Return the feed from its marked start."""
    return feed.changes(database.engine, since=oldest_seq(database) - 1)


def state_before(database: Database, run_id: int) -> dict[str, Document]:
    """Return the present catalog before a run, from the versions alone, as an app that begins there does."""
    versions = template_versions.c
    live = sa.and_(versions.from_run_id < run_id, sa.or_(versions.until_run_id.is_(None), versions.until_run_id >= run_id))
    with database.engine.connect() as connection:
        found = connection.execute(sa.select(versions.template_id, versions.document).where(live))
        return dict(map(tuple, found))


def replayed(start: dict[str, Document], changes: Sequence[dict[str, Any]]) -> dict[str, Document]:
    for change in changes:
        if change["kind"] == "removed":
            del start[change["template_id"]]
        else:
            start[change["template_id"]] = {name: value for name, value in change["document"].items() if name != "form_hash"}
    return start


def catalog(database: Database) -> dict[str, Document]:
    return {str(document["template_id"]): document for document in exported_documents(database.engine)}


def untouchable(database: Database) -> dict[str, Any]:
    """Return everything that pruning must not change."""
    dump: dict[str, Any] = {name: rows for name, rows in database.dump().items() if name not in PRUNED}
    # Without its `turn`: on a cluster only a changed row blocks a concurrent commit.
    dump["sync_lease"] = [{**row, "turn": None} for row in database.rows("sync_lease")]
    for name, table, ends in (("versions", template_versions, "until_run_id"), ("prices", price_periods, "valid_until")):
        with database.engine.connect() as connection:
            dump[f"open {name}"] = sorted(map(str, connection.execute(sa.select(table).where(table.c[ends].is_(None)))))
    found = status.overview(database.engine)
    dump["status"] = [found.last_attempt, found.last_success, found.last_change_at, found.present, found.held, found.last_seq]
    moments = database.rows("sync_status")[0]
    dump["sync_status"] = [value for name, value in moments.items() if not name.endswith("age_seconds") and name != "oldest_seq"]
    return dump


PRUNED = {
    "sync_runs", "sync_state", "template_changes", "template_versions", "price_periods", "price_changes", "rejected_templates",
}  # fmt: skip


@pytest.mark.parametrize(("how", "first_kept"), [
    ({"before": None, "keep_runs": 3}, 5),
    ({"before": day(3.5), "keep_runs": None}, 5),
    ({"before": None, "keep_runs": 1}, 7),
    ({"before": day(99), "keep_runs": None}, 8),
], ids=["by count", "by age", "but one", "all"])  # fmt: skip
def test_the_kept_part_of_the_feed_replays_to_the_present(how: dict[str, Any], first_kept: int, week: Database) -> None:
    before, kept = untouchable(week), state_before(week, first_kept)
    counts = prune(week.engine, **how)
    assert untouchable(week) == before
    oldest = oldest_seq(week)
    assert counts["oldest_seq"] == oldest
    rest = kept_feed(week)
    assert [change["seq"] for change in rest] == list(range(oldest, status.overview(week.engine).last_seq + 1))
    assert all(change["run_id"] >= first_kept for change in rest)
    start = state_before(week, first_kept)
    assert start == kept
    assert replayed(start, rest) == catalog(week)
    assert {row["run_id"] for row in week.rows("sync_runs")} == {*range(first_kept, 8), 7}
    ended = {row["until_run_id"] for row in week.rows("template_versions")} - {None, 3}  # 3 removed template 6
    assert all(run_id >= first_kept for run_id in ended)


@on_sqlite
def test_the_feed_replays_after_each_possible_cut(week: Database) -> None:
    present = catalog(week)
    for keep in range(7, 0, -1):
        first_kept = 8 - keep
        prune(week.engine, before=None, keep_runs=keep)
        assert replayed(state_before(week, first_kept), kept_feed(week)) == present


def test_a_position_before_the_start_of_the_feed_is_refused_with_a_hint(week: Database) -> None:
    oldest = prune(week.engine, before=None, keep_runs=2)["oldest_seq"]
    with pytest.raises(UsageError, match=rf"Changes 1 to {oldest - 1}, which follow the cursor, were pruned") as refusal:
        feed.changes(week.engine, since=0)
    cursor = status.overview(week.engine).cursor
    first_step = "Read the current catalog again (`template-sync export --with-cursor`)"
    assert refusal.value.hint == f"{first_step}, then continue from cursor {cursor}."
    with pytest.raises(UsageError):
        feed.changes(week.engine, since=oldest - 2)
    assert feed.changes(week.engine, since=oldest - 1)
    with pytest.raises(Pruned, match="The history before the end of run 6 was pruned"):
        run_of(week.engine, 2, day(99))


def test_the_last_document_of_a_removed_template_is_never_pruned(week: Database) -> None:
    prune(week.engine, before=day(99), keep_runs=None)
    gone = catalog_reader.find_template(week.engine, "6")
    assert (gone.document["title_en"], gone.removed_at is None) == ("Number 6", False)
    assert feed.changes(week.engine, template_id="6") == []


def test_prices_that_ended_before_the_cut_are_deleted(week: Database) -> None:
    prune(week.engine, before=None, keep_runs=3)  # runs 5, 6, 7
    left = {(row["template_id"], row["credit"], row["valid_until"] is None) for row in week.rows("price_periods")}
    assert ("1", 10, False) not in left  # ended in run 2
    assert ("6", 10, False) not in left  # ended in run 3
    assert {("1", 20, False), ("1", 30, True), ("3", 10, False), ("3", 11, True), ("7", 5, True)} <= left


def test_a_dry_run_returns_the_same_counts_and_changes_nothing(week: Database) -> None:
    before = week.dump()
    counted = prune(week.engine, before=None, keep_runs=3, dry_run=True)
    assert week.dump() == before
    assert prune(week.engine, before=None, keep_runs=3) == counted
    assert prune(week.engine, before=None, keep_runs=3) == {**dict.fromkeys(counted, 0), "oldest_seq": counted["oldest_seq"]}


def test_the_last_success_is_kept_after_failures_and_refreshes(database: Database) -> None:
    run_with(records(3), database.engine, clock=ticking(day(0)))
    with Upstream(records(3)) as upstream:
        settings = make_settings(upstream.url)
        with ApiClient(settings, SANDBOX_KEY, retry_policy=HASTY) as endpoint:
            refresh(Store(database.engine), endpoint, "1", ttl=60, clock=ticking(day(1)))
        upstream.refuse(401)
        for number in range(2, 5):
            run_against(upstream.url, database.engine, clock=ticking(day(number)))
    lease = take_lease(database.engine, now=day(5))
    with pytest.raises(LeaseBusy):
        take_lease(database.engine, now=day(6))
    with database.engine.begin() as connection:
        leases.release(connection, lease)
        ended = {"status": str(Status.FAILED), "finished_at": day(5)}
        connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == lease.run_id).values(ended))
    before = untouchable(database)
    prune(database.engine, before=None, keep_runs=1)
    assert untouchable(database) == before
    assert [row["run_id"] for row in database.rows("sync_runs", "run_id")] == [1, lease.run_id, lease.run_id + 1]


def test_an_active_run_is_neither_deleted_nor_blocked(week: Database) -> None:
    outcomes = []
    with Upstream(WEEK[0]) as upstream:
        upstream.gate.clear()
        run = partial(run_against, upstream.url, week.engine, clock=ticking(day(7)))
        at_work = threading.Thread(target=lambda: outcomes.append(run()))
        at_work.start()
        until(lambda: upstream.requests, "a request")
        for number in (8, 9):
            with pytest.raises(LeaseBusy):
                take_lease(week.engine, now=day(number))
        prune(week.engine, before=None, keep_runs=1)
        assert week.statuses == ["succeeded", "running", "skipped", "skipped"]
        upstream.gate.set()
        at_work.join(30)
    assert outcomes[0].run.status is Status.SUCCEEDED
    assert outcomes[0].run.changes > 0
    assert replayed(state_before(week, 8), kept_feed(week)) == catalog(week)


@on_sqlite
def test_a_follower_continues_after_a_prune(week: Database) -> None:
    following = feed.follow(week.engine, 0, pause=iter([None, None]))
    assert next(following)["seq"] == 1
    prune(week.engine, before=day(99), keep_runs=None)
    seen = [change["seq"] for change in following]
    assert seen == list(range(2, status.overview(week.engine).last_seq + 1))  # read before the prune


@on_sqlite
def test_the_command_reports_the_counts_and_refuses_invalid_calls(week: Database, tmp_path: Path) -> None:
    oldest = week.scalar("SELECT min(seq) FROM template_changes WHERE run_id = 7")

    def template_sync_on(*arguments: str, url: str = week.url) -> Result:
        return template_sync(*arguments, folder=tmp_path, variables={"DATABASE_URL": url})

    assert template_sync_on("prune", "--keep-runs", "1", url=f"sqlite:///{tmp_path}/none.db").code == 69
    assert not (tmp_path / "none.db").exists()
    assert [template_sync_on(*words).code for words in (["prune"], ["prune", "--older-than", "soon"])] == [2, 2]
    done = template_sync_on("prune", "--keep-runs", "1")
    assert (done.code, done.out) == (0, "")
    assert f"deleted {oldest - 1} changes" in done.err
    assert f"the feed begins at seq {oldest}" in done.err
    refused = template_sync_on("changes", "--since", "0")
    assert refused.code == 65
    assert f"Changes 1 to {oldest - 1}, which follow the cursor, were pruned; the feed begins at seq {oldest}" in refused.err
    assert f"then continue from cursor {EPOCH}-" in refused.err
    again = json.loads(template_sync_on("prune", "--keep-runs", "1", "--dry-run", "--json").out)
    assert again == {"changes": 0, "versions": 0, "prices": 0, "rejected records": 0, "runs": 0, "oldest_seq": oldest}
