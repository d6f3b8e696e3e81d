"""A transaction that conflicts is retried as a whole, and skipped if it always conflicts.

A trigger raises the error of a conflict a number of times; it counts where no rollback reaches.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.errors import DatabaseAway, DatabaseConflict, DatabaseError, LeaseBusy
from sync.store import lease as leases
from sync.store.database_errors import CONFLICTS, Retry, classify, translate_errors
from sync.store.prune import prune
from sync.store.state import save_planned_run
from tests.faults import AFTER, BEFORE, anomalies, applied_once, real_clock, sync, take_lease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders import Database


_TRIGGERS = {
    "postgresql": (
        "CREATE SEQUENCE lost; CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: ISC004
        "IF nextval('lost') <= {times} THEN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER losing BEFORE {what} FOR EACH ROW EXECUTE FUNCTION lose()",
    ),
    "mariadb": (
        "CREATE TABLE lost (times int) ENGINE=Aria",
        "INSERT INTO lost VALUES (0)",
        "CREATE TRIGGER losing BEFORE {what} FOR EACH ROW BEGIN UPDATE lost SET times = times + 1; "  # noqa: ISC004
        "IF (SELECT times FROM lost) <= {times} THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF; END",
    ),
}
_AT_COMMIT = "CREATE CONSTRAINT TRIGGER losing AFTER {what} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose()"


@contextmanager
def losing(database: Database, what: str, times: int, *, at_commit: bool = False) -> Iterator[None]:
    """Make the first transactions with this statement conflict."""
    first, *rest = _TRIGGERS[database.kind]
    making = [first, _AT_COMMIT] if at_commit else [first, *rest]
    database.execute(*(statement.replace("{what}", what).replace("{times}", str(times)) for statement in making))
    try:
        yield
    finally:
        undo = {
            "postgresql": ["DROP FUNCTION lose CASCADE", "DROP SEQUENCE lost"],
            "mariadb": ["DROP TRIGGER losing", "DROP TABLE lost"],
        }
        database.execute(*undo[database.kind])


def test_a_run_gets_the_lease_after_four_conflicts(server: Database) -> None:
    with losing(server, "UPDATE ON sync_lease", int(CONFLICTS.attempts) - 1):
        assert sync(BEFORE, server.engine).error is None
    assert server.statuses == ["succeeded"]


def test_a_run_that_always_conflicts_at_the_lease_is_skipped_with_a_row(server: Database) -> None:
    with losing(server, "UPDATE ON sync_lease", 1000):
        outcome = sync(BEFORE, server.engine)
    assert isinstance(outcome.error, LeaseBusy)
    assert (outcome.error.exit_code, outcome.unrecorded) == (75, None)
    (row,) = server.rows("sync_runs")
    assert (row["run_id"], row["status"], row["error_code"]) == (outcome.run.run_id, "skipped", "lease-busy")
    assert "on every retry" in row["error"]
    assert sync(BEFORE, server.engine).error is None


def test_a_refresh_that_always_conflicts_is_busy_and_has_no_row(server: Database) -> None:
    with losing(server, "UPDATE ON sync_lease", 1000), pytest.raises(LeaseBusy, match="on every retry"):
        take_lease(server.engine, "refresh", "1")
    assert server.rows("sync_runs") == []


def test_an_apply_that_conflicts_is_applied_once(server: Database) -> None:
    sync(BEFORE, server.engine)
    with losing(server, "INSERT ON template_changes", int(CONFLICTS.attempts) - 1):
        assert sync(AFTER, server.engine).error is None
    applied_once(server)


def test_an_apply_that_always_conflicts_changes_nothing_and_is_skipped(server: Database) -> None:
    sync(BEFORE, server.engine)
    before = server.catalog_dump()
    with losing(server, "INSERT ON template_changes", 1000):
        outcome = sync(AFTER, server.engine)
    assert isinstance(outcome.error, DatabaseConflict)
    assert (outcome.error.exit_code, outcome.run.status, outcome.unrecorded) == (75, Status.SKIPPED, None)
    assert server.rows("sync_runs", "run_id")[1]["error_code"] == "conflict"
    assert server.catalog_dump() == before
    assert sync(AFTER, server.engine).error is None
    assert anomalies(server) == []


def test_an_apply_that_conflicts_at_its_commit_is_applied_once(postgresql: Database) -> None:
    sync(BEFORE, postgresql.engine)
    with losing(postgresql, "INSERT ON template_changes", 4, at_commit=True):
        assert sync(AFTER, postgresql.engine).error is None
    applied_once(postgresql)


def test_prune_planned_runs_and_a_broken_lease_are_retried(server: Database) -> None:
    sync(BEFORE, server.engine)
    with losing(server, "UPDATE ON sync_lease", 2):
        prune(server.engine, before=None, keep_runs=1)
    with losing(server, "UPDATE ON sync_lease", 2):
        leases.break_lease(server.engine)
    moment = real_clock()
    with losing(server, "INSERT ON planned_runs", 2):
        save_planned_run(server.engine, moment)
    assert [row["next_run_at"] for row in server.rows("planned_runs")] == [moment]


def test_a_serialization_failure_is_retried_with_new_reads(postgresql: Database) -> None:
    """Two transactions at SERIALIZABLE that read what the other one writes: the second COMMIT is refused."""
    engine = postgresql.engine.execution_options(isolation_level="SERIALIZABLE")
    sync(BEFORE, postgresql.engine)
    tries: list[int] = []

    def raise_both() -> None:
        with translate_errors(engine), engine.begin() as mine:
            seen = mine.scalar(sa.text("SELECT unreconciled_runs FROM sync_state")) or 0
            tries.append(seen)
            if len(tries) == 1:
                with engine.begin() as theirs:
                    theirs.execute(sa.text("SELECT fence FROM sync_lease"))
                    theirs.execute(sa.text("UPDATE sync_state SET unreconciled_runs = unreconciled_runs + 1"))
            mine.execute(sa.text("UPDATE sync_lease SET turn = :seen"), {"seen": seen})
            mine.execute(sa.text("UPDATE sync_state SET unreconciled_runs = unreconciled_runs"))

    Retry(sleep=lambda _: None)(raise_both)
    assert tries == [0, 1]


def test_the_waits_between_retries_are_random_grow_and_end() -> None:
    slept: list[float] = []

    def lose() -> None:
        raise DatabaseConflict("lost")

    with pytest.raises(DatabaseConflict):
        Retry(slept.append, lambda: 0.5)(lose)
    assert slept == pytest.approx([0.025, 0.05, 0.075, 0.1])
    clock = iter([0.0, 31.0, 62.0])
    with pytest.raises(DatabaseConflict):  # each attempt waited half a minute for a lock
        Retry(slept.append, lambda: 0.5, lambda: next(clock))(lose)
    assert len(slept) == 5


class _FromPsycopg(Exception):
    __module__ = "psycopg.errors"

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("text")
        self.sqlstate = sqlstate


class OperationalError(_FromPsycopg):
    """As in psycopg."""

    __module__ = "psycopg"


class _FromPymysql(Exception):
    __module__ = "pymysql.err"
    sqlstate = "HY000"


@pytest.mark.parametrize(("error", "kind"), [
    (_FromPsycopg("40001"), DatabaseConflict), (_FromPsycopg("40P01"), DatabaseConflict),
    (_FromPymysql(1213, "x"), DatabaseConflict), (_FromPymysql(1020, "x"), DatabaseConflict),
    (_FromPymysql(1205, "x"), DatabaseConflict), (_FromPsycopg("55P03"), DatabaseConflict),
    (_FromPsycopg("25006"), DatabaseAway), (_FromPsycopg("57P01"), DatabaseAway), (_FromPsycopg("08P01"), DatabaseAway),
    (OperationalError(None), DatabaseAway), (_FromPymysql(1047, "x"), DatabaseAway), (_FromPymysql(0, ""), DatabaseAway),
    (_FromPymysql(1290, "x"), DatabaseAway), (_FromPymysql(1062, "x"), DatabaseError), (_FromPsycopg("23505"), DatabaseError),
    (_FromPsycopg(None), DatabaseError), (ValueError(1213), DatabaseError),
])  # fmt: skip
def test_errors_are_classified(error: Any, kind: type[DatabaseError]) -> None:
    assert classify(error) is kind
