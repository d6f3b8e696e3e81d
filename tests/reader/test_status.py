"""Whether the last success is stale, and which run is the last one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sync.catalog.run_record import Status
from sync.reader.status import is_stale, overview
from sync.refresh import refresh
from sync.store import lease
from sync.store.apply import Store
from sync.store.prune import prune
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
    assert [each and (each.run_id, each.rejected) for each in (found.last_attempt, found.last_result)] == [(last.run_id, 1)] * 2
    running = take_lease(database.engine)
    found = overview(database.engine)
    assert found.last_attempt is not None
    assert found.last_result is not None
    assert (found.last_attempt.run_id, found.last_result.run_id) == (running.run_id, last.run_id)
