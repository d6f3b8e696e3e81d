"""A failover to a lagging standby, or a restore, loses commits and then assigns the same numbers again.

Here the rows of an earlier time are restored; tests/clusters uses servers that fail over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import pytest
import sqlalchemy as sa

from sync.catalog.removals import RunOptions
from sync.catalog.run_record import Run, Status
from sync.errors import DatabaseError, LeaseLost
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.tables import sync_lease, sync_runs
from sync.synchronise import plan
from tests.faults import AFTER, BEFORE, Catalog, Snapshot, anomalies, real_clock, sync, take_lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Database

T = TypeVar("T")


def _twice(database: Database) -> tuple[leases.Lease, leases.Lease]:
    """Let A acquire the lease, lose that commit, and let B acquire it with the same fence and run id."""
    before = Snapshot(database.engine)
    a = take_lease(database.engine)
    before.restore()
    b = take_lease(database.engine)
    with database.engine.begin() as connection:  # MariaDB computes the next id from the rows
        connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == b.run_id).values(run_id=a.run_id))
    b = replace(b, run_id=a.run_id)
    assert (a.fence, a.run_id) == (b.fence, b.run_id)
    return a, b


def test_of_two_holders_with_one_fencing_token_only_the_newer_renews_and_releases(database: Database) -> None:
    a, b = _twice(database)
    with pytest.raises(LeaseLost), writing(database.engine) as connection:
        leases.check_fence(connection, a)
    with writing(database.engine) as connection:
        assert leases.renew(connection, a) is False
        leases.release(connection, a)
        leases.check_fence(connection, b)
        leases.release(connection, b)
    assert database.scalar("SELECT holder FROM sync_lease") is None


def test_a_run_whose_id_was_reused_neither_closes_nor_recognises_the_other_run(database: Database) -> None:
    a, b = _twice(database)
    ended = Run(a.run_id, "run", Status.FAILED, real_clock(), real_clock(), fence=a.fence)
    store = Store(database.engine, sleep=lambda _: None)
    store.close(a, ended)
    assert database.statuses == ["running"]
    succeeded = replace(ended, status=Status.SUCCEEDED)
    store.close(b, succeeded)
    assert store.was_committed(b, succeeded, iter([0.0])) is True
    assert store.was_committed(a, succeeded, iter([0.0])) is False


def test_a_run_whose_row_the_database_lost_applies_nothing(database: Database) -> None:
    sync(BEFORE, database.engine)
    before = Snapshot(database.engine)

    def fail_over() -> None:
        source.on_request = None
        before.restore()

    source = Catalog(AFTER, fail_over)
    error = sync(source, database.engine).error
    assert isinstance(error, LeaseLost)
    assert (error.code, error.exit_code) == ("went-back", 75)
    assert "history went back" in str(error)
    assert database.statuses == ["succeeded"]
    assert sync(AFTER, database.engine).error is None
    assert anomalies(database) == []


@dataclass(frozen=True)
class CommitsLate(Retry):
    """The first COMMIT gets no response, and takes effect only after the row of the run was read."""

    attempts: list[str] = field(default_factory=list)

    def __call__(self, work: Callable[[], T]) -> T:
        self.attempts.append("first" if not self.attempts else "second")
        if self.attempts == ["first"]:
            raise DatabaseError("The connection was lost during COMMIT.")
        work()
        return work()


def test_a_commit_that_takes_effect_after_the_run_was_checked_is_recognised(database: Database) -> None:
    sync(BEFORE, database.engine)
    store, api, lease, now = (
        Store(database.engine, sleep=lambda _: None),
        Catalog(AFTER),
        take_lease(database.engine),
        real_clock(),
    )
    planned = plan(store, api, RunOptions(), now)
    run = planned.finished(Run(lease.run_id, "run", Status.RUNNING, now, fence=lease.fence), api.statistics, now)
    store.retry = CommitsLate(lambda _: None)
    store.apply(lease, run, planned)
    assert store.retry.attempts == ["first", "second"]
    assert database.statuses == ["succeeded", "succeeded"]
    assert anomalies(database) == []


def test_a_lease_without_a_token_can_be_acquired(database: Database) -> None:
    take_lease(database.engine)
    leases.break_lease(database.engine)
    with database.engine.begin() as connection:
        connection.execute(sa.update(sync_lease).values(token=None))
    assert sync(BEFORE, database.engine).error is None
