"""Whether the last success is stale, which run is the last one, and when the next one is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.reader.status import is_stale, overview
from sync.refresh import refresh
from sync.store import lease
from sync.store.apply import Store
from sync.store.prune import prune
from sync.store.state import read_planned_run, save_planned_run
from sync.store.tables import planned_runs
from tests.builders import record, records
from tests.faults import Catalog, sync, take_lease

if TYPE_CHECKING:
    from tests.builders import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("seconds_ago", "stale"), [
    (0, False), (3600, False), (3601, True),
    (-2, False),     # the clocks of two hosts differ
    (-60, False),
    (-61, True),     # dated by a clock that was ahead, so its age is unknown
    (-86400, True), (None, True),
])  # fmt: skip
def test_a_success_is_fresh_within_the_budget_and_stale_in_the_future(seconds_ago: float | None, stale: bool) -> None:  # noqa: FBT001
    assert is_stale(None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago), NOW, 3600.0) is stale


def test_a_refresh_does_not_hide_the_result_of_the_last_run(database: Database) -> None:
    """Else an alert that lasts for an hour would end with each refresh, although every run rejects records."""
    served = [*records(20), record("21", ConsumeItems="many")]
    last = sync(served, database.engine).run
    assert refresh(Store(database.engine), Catalog(served), "3", ttl=60.0, clock=lambda: NOW).error is None
    with database.engine.begin() as connection:
        lease.release(connection, take_lease(database.engine, "refresh", "4"))
    prune(database.engine, before=None, keep_runs=1)
    found = overview(database.engine)
    assert (last.status, last.rejected) == (Status.SUCCEEDED, 1)
    shown = (found.last_attempt, found.last_result, found.last_success)
    assert [each and (each.run_id, each.rejected) for each in shown] == [(last.run_id, 1)] * 3
    running = take_lease(database.engine)
    found = overview(database.engine)
    assert found.last_attempt is not None
    assert found.last_result is not None
    assert (found.last_attempt.run_id, found.last_result.run_id) == (running.run_id, last.run_id)


def plan(database: Database, **hours: float) -> None:
    """Record when the next run of each host is due, in hours from NOW."""
    rows = [{"host": host, "next_run_at": NOW + timedelta(hours=after)} for host, after in hours.items()]
    with database.engine.begin() as connection:
        connection.execute(sa.insert(planned_runs), rows)


def planned(database: Database) -> dict[str, datetime]:
    with database.engine.connect() as connection:
        return {row.host: row.next_run_at for row in connection.execute(sa.select(planned_runs))}


def test_the_planned_run_of_a_host_replaces_its_last_one_until_the_daemon_ends(database: Database) -> None:
    plan(database, other=1)
    other = planned(database)
    for moment in (NOW, NOW - timedelta(hours=1)):
        save_planned_run(database.engine, moment)
        assert planned(database) == {**other, lease.host_name(): moment}
    save_planned_run(database.engine, None)
    assert planned(database) == other


def test_a_planned_run_that_did_not_happen_for_a_week_is_deleted(database: Database) -> None:
    week = 7 * 24.0
    plan(database, stopped=-week - 1, late=-week)
    save_planned_run(database.engine, NOW)
    assert planned(database).keys() == {"late", lease.host_name()}


@pytest.mark.parametrize(("attempt", "due"), [(None, -3), (-2, -2), (-1, 1), (2, 1)])
def test_the_next_run_is_the_first_planned_one_after_the_last_attempt_or_the_last_planned_one(
    attempt: float | None, due: float, database: Database
) -> None:
    plan(database, a=-2, b=1, c=-3)
    last = None if attempt is None else NOW + timedelta(hours=attempt)
    with database.engine.connect() as connection:
        assert read_planned_run(connection, last) == NOW + timedelta(hours=due)


def test_without_a_daemon_no_next_run_is_known(database: Database) -> None:
    with database.engine.connect() as connection:
        assert read_planned_run(connection, NOW) is None
