"""Waiting for the lease: a refresh waits for any holder, a run for a refresh only; precedence, and the recorded rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.removals import RunOptions
from sync.catalog.run_record import Status
from sync.errors import DeadlineExceeded, Interrupted, LeaseBusy, SyncError
from sync.refresh import refresh
from sync.store import lease as leases
from sync.store.acquire import WAIT_SECONDS, LeaseWait
from sync.store.apply import Store
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.tables import sync_lease
from sync.store.upgrade_lease import hold_lease_for_upgrade
from sync.synchronise import synchronise
from tests.faults import AFTER, BEFORE, Catalog, anomalies, on_each_statement, real_clock, sync, take_lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Database


class Pauses:
    """Replaces the pauses of a waiting process by calls.

    Args:
        during: called instead of the first pause, the second, and so on.
    """

    def __init__(self, *during: Callable[[], object]) -> None:
        self.now = 0.0
        self.count = 0
        self._during = list(during)
        self.retry = Retry(self.sleep, lambda: 0.5, lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.count += 1
        if self._during:
            self._during.pop(0)()


def take(database: Database, trigger: str, pauses: Pauses | None = None, **limits: Any) -> leases.Lease:
    """Acquire the lease as a run or as a refresh of template 1; without pauses, try once."""
    pauses, limits = (pauses, limits) if pauses else (Pauses(), {"seconds": 0.0})
    template_id = "1" if trigger == "refresh" else None
    return take_lease(database.engine, trigger, template_id, retry=pauses.retry, wait=LeaseWait(**limits))


def row(database: Database) -> dict[str, Any]:
    """Return the row of the lease."""
    return database.rows("sync_lease")[0]


def release(database: Database, lease: leases.Lease) -> None:
    with writing(database.engine) as connection:
        leases.release(connection, lease)


def statuses(database: Database) -> list[tuple[str, str]]:
    return [(row["trigger"], row["status"]) for row in database.rows("sync_runs", "run_id")]


def set_precedence(database: Database, seconds: float) -> None:
    """Give a waiting run precedence over refreshes for some seconds from now."""
    with database.engine.begin() as connection:
        until = leases.database_clock(connection) + seconds
        connection.execute(sa.update(sync_lease).values(run_waits_until=until))


# A refresh waits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holder", ["run", "refresh"])
def test_a_refresh_waits_until_the_holder_ends_and_has_one_row(database: Database, holder: str) -> None:
    held = take(database, holder)
    pauses = Pauses(lambda: None, lambda: None, lambda: release(database, held))
    lease = take(database, "refresh", pauses)
    assert (lease.fence, pauses.count) == (held.fence + 1, 3)
    assert [trigger for trigger, _ in statuses(database)] == [holder, "refresh"]


@pytest.mark.parametrize("seconds", [30.0, 0.0])
def test_a_refresh_whose_wait_expires_is_busy_with_exit_75_and_leaves_no_row(database: Database, seconds: float) -> None:
    take(database, "run")
    pauses = Pauses()
    with pytest.raises(LeaseBusy, match=r"Another run holds the lease: .* unless renewed\.") as busy:
        take(database, "refresh", pauses, seconds=seconds)
    assert (busy.value.exit_code, busy.value.run_id) == (75, None)
    assert pauses.now == pytest.approx(seconds)
    assert (pauses.count > 0) == (seconds > 0)
    assert statuses(database) == [("run", "running")]


def test_a_refresh_waits_for_an_upgrade(database: Database) -> None:
    with hold_lease_for_upgrade(database.engine, needed=lambda: True), pytest.raises(LeaseBusy, match="db upgrade on "):
        take(database, "refresh", Pauses(), seconds=1.0)
    assert statuses(database) == []


@pytest.mark.parametrize("precedence", [False, True], ids=["for a run that is active", "for a run that waits"])
def test_a_waiting_refresh_polls_with_transactions_that_only_read(sqlite: Database, *, precedence: bool) -> None:
    held = take(sqlite, "run")
    if precedence:
        release(sqlite, held)
        set_precedence(sqlite, 9.0)
    statements: list[str] = []
    on_each_statement(sqlite.engine, statements.append)
    with pytest.raises(LeaseBusy):
        take(sqlite, "refresh", Pauses(), seconds=3.0)
    assert statements.count("BEGIN IMMEDIATE") == 2, "the first attempt and the last one"
    assert len(statements) > 20


def test_a_waiting_refresh_ends_when_another_process_did_its_work(database: Database) -> None:
    class DoneElsewhereError(Exception):
        pass

    held, done = take(database, "refresh"), False

    def check(_connection: sa.Connection) -> None:
        if done:
            raise DoneElsewhereError

    def finish() -> None:
        nonlocal done
        release(database, held)
        take(database, "refresh")  # the lease is not free between the two
        done = True

    pauses = Pauses(lambda: None, finish)
    with pytest.raises(DoneElsewhereError):
        take(database, "refresh", pauses, check=check)
    assert pauses.count == 2
    assert statuses(database) == [("refresh", "interrupted"), ("refresh", "running")]


def test_work_done_between_the_last_poll_and_the_acquisition_is_detected(database: Database) -> None:
    def check(connection: sa.Connection) -> None:
        raise ZeroDivisionError(connection.scalar(sa.select(sync_lease.c.fence)))

    with pytest.raises(ZeroDivisionError):
        take(database, "refresh", Pauses(), check=check)
    assert (statuses(database), row(database)["holder"]) == ([], None)


# A run waits for a refresh only -----------------------------------------------------------------------------------------


def test_a_run_does_not_wait_for_another_run(database: Database) -> None:
    take(database, "run")
    pauses = Pauses()
    with pytest.raises(LeaseBusy) as busy:
        take(database, "daemon", pauses)
    assert pauses.count == 0
    assert busy.value.run_id == 2
    assert statuses(database) == [("run", "running"), ("daemon", "skipped")]


def test_a_run_waits_for_a_refresh_and_precedes_a_later_one(database: Database) -> None:
    held = take(database, "refresh")
    later: list[str] = []

    def refresh_comes() -> None:
        release(database, held)
        with pytest.raises(LeaseBusy) as busy:
            take(database, "refresh")
        later.append(str(busy.value))

    run = take(database, "daemon", Pauses(refresh_comes))
    assert later == ["A run waits for the lease, and goes before refreshes."]
    release(database, run)
    take(database, "refresh")
    assert [trigger for trigger, _ in statuses(database)] == ["refresh", "daemon", "refresh"]
    assert "skipped" not in {status for _, status in statuses(database)}


def test_a_run_waits_for_a_refresh_for_at_most_30_seconds(database: Database) -> None:
    take(database, "refresh")
    pauses = Pauses()
    with pytest.raises(LeaseBusy) as busy:
        take(database, "daemon", pauses)
    assert pauses.now == pytest.approx(WAIT_SECONDS) == 30.0
    skipped = database.rows("sync_runs", "run_id")[1]
    assert (skipped["run_id"], skipped["status"], skipped["error"]) == (busy.value.run_id, "skipped", str(busy.value))
    assert str(busy.value).startswith("A refresh holds the lease: ")


def test_of_two_waiting_runs_one_acquires_the_lease_and_the_other_is_skipped(database: Database) -> None:
    held, taken = take(database, "refresh"), []

    def first_ends() -> None:
        release(database, held)
        taken.append(take(database, "run"))

    with pytest.raises(LeaseBusy, match="Another run holds the lease"):
        take(database, "daemon", Pauses(first_ends))
    assert statuses(database) == [("refresh", "interrupted"), ("run", "running"), ("daemon", "skipped")]


def test_a_waiting_run_renews_its_precedence_shortly_before_it_expires(database: Database) -> None:
    held = take(database, "refresh")
    seen: list[float] = []

    def look() -> None:
        seen.append(row(database)["run_waits_until"])

    take(database, "daemon", Pauses(look, look, lambda: set_precedence(database, 2.0), look, lambda: release(database, held)))
    assert seen[0] == seen[1]
    assert seen[2] > seen[0] - 5.0
    assert row(database)["run_waits_until"] is None, "a run with the lease does not wait"


@pytest.mark.parametrize("seconds", [-0.5, 3600.0], ids=["it ended", "the clock was set back"])
def test_a_run_that_was_killed_while_waiting_does_not_block_refreshes(database: Database, seconds: float) -> None:
    set_precedence(database, seconds)
    take(database, "refresh")


def test_a_clock_that_is_set_back_during_the_wait_does_not_extend_the_lease_of_the_holder(database: Database) -> None:
    take(database, "run")
    expected = row(database)["expires"]

    def set_back() -> None:
        with database.engine.begin() as connection:
            connection.execute(sa.update(sync_lease).values(expires=expected + 9000.0))

    seen: list[float] = []
    with pytest.raises(LeaseBusy):
        take(database, "refresh", Pauses(set_back, lambda: seen.append(row(database)["expires"])), seconds=1.0)
    assert seen[0] < expected + 60.0


# Interrupts -------------------------------------------------------------------------------------------------------------


class Stopped(Catalog):
    """A catalog whose run is stopped by an error at the next check of its deadline."""

    def __init__(self, error: SyncError) -> None:
        super().__init__(BEFORE)
        self._error = error

    def check_deadline(self) -> None:
        raise self._error


DEADLINE = DeadlineExceeded("The run exceeded SYNC_DEADLINE (30 s); nothing was applied.")
STOP = Interrupted("The run was stopped before anything was applied.")


def store_without_pauses(database: Database) -> Store:
    return Store(database.engine, sleep=lambda _: pytest.fail("it must not wait any more"))


@pytest.mark.parametrize(("error", "status"), [(DEADLINE, Status.FAILED), (STOP, Status.INTERRUPTED)])
def test_a_deadline_or_a_stop_ends_the_wait_of_a_run_and_is_recorded(
    database: Database, error: SyncError, status: Status
) -> None:
    take(database, "refresh")
    api: Any = Stopped(error)
    outcome = synchronise(store_without_pauses(database), api, RunOptions(), trigger="daemon", ttl=60.0, clock=real_clock)
    assert (outcome.run.run_id, outcome.run.status) == (2, status)
    assert statuses(database)[1] == ("daemon", str(status))


@pytest.mark.parametrize("error", [DEADLINE, STOP])
def test_a_deadline_or_a_stop_ends_the_wait_of_a_refresh_which_leaves_no_row(database: Database, error: SyncError) -> None:
    take(database, "run")
    api: Any = Stopped(error)
    outcome = refresh(store_without_pauses(database), api, "1", ttl=60.0, clock=real_clock)
    assert (outcome.error, outcome.run.run_id, statuses(database)) == (error, None, [("run", "running")])


# Complete runs ----------------------------------------------------------------------------------------------------------


def test_the_row_of_a_refresh_names_its_template_and_that_of_a_run_does_not(database: Database) -> None:
    assert sync(BEFORE, database.engine).error is None
    api: Any = Catalog(AFTER)
    outcome = refresh(Store(database.engine), api, "3", ttl=60.0, clock=real_clock)
    assert (outcome.error, outcome.run.template_id, outcome.run.changed) == (None, "3", 1)
    rows = database.rows("sync_runs", "run_id")
    assert [(row["trigger"], row["template_id"], row["seen"]) for row in rows] == [("run", None, 5), ("refresh", "3", 1)]
    assert anomalies(database) == []


def test_a_run_begins_when_it_has_the_lease_not_when_it_began_to_wait(database: Database) -> None:
    held = take(database, "refresh")
    times = iter([real_clock().replace(minute=minute) for minute in (1, 2, 3, 4, 5)])
    store = Store(database.engine, sleep=lambda _: release(database, held))
    api: Any = Catalog(BEFORE)
    outcome = synchronise(store, api, RunOptions(), trigger="daemon", ttl=60.0, clock=lambda: next(times))
    assert (outcome.error, outcome.run.started_at.minute) == (None, 2)
    assert database.rows("sync_runs", "run_id")[1]["started_at"].minute == 2
