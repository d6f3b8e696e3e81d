"""While the database is unreachable a run waits, checks whether it was applied, and retries."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.errors import DatabaseAway, DatabaseError, DeadlineExceeded, LeaseLost, SyncError
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.database_errors import RECONNECT, Retry
from sync.store.tables import sync_runs, template_versions
from tests.faults import AFTER, BEFORE, Catalog, applied_once, on_each_statement, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Database

LINE_OF_THE_FEED, LOOK = "INSERT INTO template_changes", "SELECT sync_runs.status"
FOR_EVER = 10**6

PAUSES = RECONNECT.all_waits(lambda: 0.5)


class Broken:
    """Breaks the first statements with a beginning; counts all of them."""

    def __init__(self, engine: sa.Engine, begins: str, times: int, error: type[SyncError] = DatabaseAway) -> None:
        self.begins, self.times, self.error, self.seen = begins, times, error, 0
        on_each_statement(engine, self._count)

    def _count(self, statement: str) -> None:
        if statement.startswith(self.begins):
            self.seen += 1
            if self.seen <= self.times:
                raise self.error("It is gone.")


def lose_the_response(database: Database) -> None:
    """Execute the COMMIT of the next apply, and raise an error instead of its response."""
    commit, applying = database.engine.dialect.do_commit, [False]

    def do_commit(connection: object) -> None:
        commit(connection)  # type: ignore[arg-type]
        if applying[0]:
            applying[0] = False
            raise DatabaseAway("The answer was lost.")

    def note(statement: str) -> None:
        applying[0] = applying[0] or statement.startswith(LINE_OF_THE_FEED)

    on_each_statement(database.engine, note)
    database.engine.dialect.do_commit = do_commit  # type: ignore[method-assign, assignment]


@pytest.fixture
def filled(sqlite: Database) -> Database:
    assert sync(BEFORE, sqlite.engine).error is None
    return sqlite


def test_a_broken_apply_is_checked_and_retried(filled: Database) -> None:
    line, slept = Broken(filled.engine, LINE_OF_THE_FEED, 2), list[float]()
    assert sync(AFTER, filled.engine, sleep=slept.append).error is None
    assert (line.seen, slept) == (2 + 3, [0.1, 3.0]), "each check and each retry has a pause"
    applied_once(filled)


def test_a_lost_response_to_commit_is_checked_when_the_database_is_back(filled: Database) -> None:
    lose_the_response(filled)
    looks, slept = Broken(filled.engine, LOOK, 2), list[float]()
    outcome = sync(AFTER, filled.engine, sleep=slept.append)
    assert (outcome.error, outcome.run.status, looks.seen, slept) == (None, Status.SUCCEEDED, 3, [0.1, 1.0, 3.0])
    applied_once(filled)


def test_a_check_that_came_too_early_is_repeated_when_the_lease_is_released(filled: Database) -> None:
    lose_the_response(filled)
    seen = itertools.cycle([Status.RUNNING, Status.SUCCEEDED])  # not visible at the first check

    def sleep(_pause: float) -> None:
        with filled.engine.begin() as connection:
            connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == 2).values(status=str(next(seen))))

    assert sync(AFTER, filled.engine, sleep=sleep).error is None
    applied_once(filled)


def test_a_run_ends_after_two_minutes_without_a_database(filled: Database) -> None:
    before = filled.catalog_dump()
    line, slept = Broken(filled.engine, LINE_OF_THE_FEED, FOR_EVER), list[float]()
    looks = Broken(filled.engine, LOOK, FOR_EVER)
    assert isinstance(sync(AFTER, filled.engine, sleep=slept.append).error, DatabaseAway)
    assert (line.seen, looks.seen, tuple(slept), round(sum(PAUSES), 1)) == (1, len(PAUSES), PAUSES, 119.1)
    assert filled.catalog_dump() == before


def test_other_errors_are_retried_twice_and_the_lease_is_released(filled: Database) -> None:
    before = filled.catalog_dump()
    line = Broken(filled.engine, LINE_OF_THE_FEED, FOR_EVER, DatabaseError)
    error = sync(AFTER, filled.engine, sleep=lambda _pause: None).error
    assert (type(error), line.seen, filled.rows("sync_lease")[0]["holder"]) == (DatabaseError, 3, None)
    assert filled.rows("sync_runs", "run_id")[-1]["status"] == "failed"
    assert filled.catalog_dump() == before


def test_a_lost_lease_is_not_retried(filled: Database) -> None:
    slept: list[float] = []
    source = Catalog(AFTER, lambda: leases.break_lease(filled.engine))
    assert isinstance(sync(source, filled.engine, sleep=slept.append).error, LeaseLost)
    assert slept == []


def test_a_run_past_its_deadline_is_not_retried(filled: Database) -> None:
    class Late(Catalog):
        def check_deadline(self) -> None:
            if line.seen:
                raise DeadlineExceeded("It took too long.")

    line = Broken(filled.engine, LINE_OF_THE_FEED, 1)
    assert isinstance(sync(Late(AFTER), filled.engine, sleep=lambda _pause: None).error, DeadlineExceeded)
    assert line.seen == 1


# Reading during a run ---------------------------------------------------------------------------------------------------

READ = "SELECT template_versions.template_id, template_versions.document"


def store_of(database: Database, slept: Callable[[float], None], monotonic: Callable[[], float] = lambda: 0.0) -> Store:
    store = Store(database.engine, sleep=slept)
    store.retry = Retry(slept, lambda: 0.0, monotonic)
    return store


def test_a_read_during_a_run_is_retried(filled: Database) -> None:
    Broken(filled.engine, READ, 2)
    slept: list[float] = []
    assert [*store_of(filled, slept.append).load_documents(["1", "2", "1"])] == ["1", "2"]
    assert slept == [0.1, 1.0]


@pytest.mark.parametrize(("takes", "looks"), [(0.0, len(PAUSES)), (60.0, 1), (sum(PAUSES), 1), (sum(PAUSES) + 1, 0)])
def test_retries_with_an_unresponsive_database_end_at_the_deadline(takes: float, looks: int, filled: Database) -> None:
    read, clock = Broken(filled.engine, READ, FOR_EVER), itertools.count(0.0, takes)
    with pytest.raises(DatabaseAway):
        store_of(filled, lambda _pause: None, lambda: next(clock)).load_documents(["1"])
    assert read.seen == looks + 1, "and once more at the end"


def test_the_time_before_the_first_failure_does_not_shorten_the_retries() -> None:
    now, attempts = [0.0], 0

    def read() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            now[0] += sum(PAUSES) + 1
        if attempts <= 3:
            raise DatabaseAway("The server is away.")
        return "found"

    assert Retry(lambda _pause: None, lambda: 0.5, lambda: now[0]).while_away(read) == "found"


def test_a_template_that_another_run_removed_ends_the_run(filled: Database) -> None:
    with filled.engine.begin() as connection:
        connection.execute(sa.delete(template_versions).where(template_versions.c.template_id == "2"))
    with pytest.raises(LeaseLost) as lost:
        store_of(filled, lambda _pause: None).load_documents(["1", "2"])
    assert str(lost.value) == "Another run changed the catalog during this run; nothing of this run was applied."
    assert lost.value.hint == "The next run continues from the new state."
