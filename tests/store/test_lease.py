"""The lease and its fencing token on all three databases."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Run, Status
from sync.errors import DatabaseError, LeaseBusy, LeaseLost
from sync.store import engine as engines
from sync.store import lease as leases
from sync.store import schema, server_hosts
from sync.store.apply import Store
from sync.store.database_errors import translate_errors
from sync.store.engine import open_engine, writing
from sync.store.tables import sync_lease, sync_runs
from tests.faults import (
    AFTER,
    BEFORE,
    Catalog,
    age_lease,
    anomalies,
    exit_code_of,
    kill_this_process,
    on_each_statement,
    process,
    real_clock,
    sync,
    take_lease,
    wait_for,
)
from tests.servers import pgbouncer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.builders import Database


def _lease_row(database: Database) -> dict[str, Any]:
    (row,) = database.rows("sync_lease")
    return row


def _failed(lease: leases.Lease) -> Run:
    return Run(lease.run_id, "run", Status.FAILED, real_clock(), real_clock(), fence=lease.fence)


# Acquisition ------------------------------------------------------------------------------------------------------------


def test_a_run_that_finds_the_lease_held_is_skipped_with_exit_75_and_names_the_holder(database: Database) -> None:
    take_lease(database.engine)
    outcome = sync(BEFORE, database.engine, clock=real_clock)
    assert isinstance(outcome.error, LeaseBusy)
    assert outcome.error.exit_code == 75
    holder = re.escape(f"{socket.gethostname()} (pid {os.getpid()})")
    assert re.fullmatch(
        rf"Another run holds the lease: {holder}, for \d+ s; its lease expires in \d+ s unless renewed\.", str(outcome.error)
    )
    assert database.statuses == ["running", "skipped"]
    skipped = database.rows("sync_runs", "run_id")[1]
    assert (skipped["error_code"], skipped["fence"], skipped["error"]) == ("lease-busy", None, str(outcome.error))
    assert skipped["finished_at"] is not None
    assert database.present == set()


def test_the_current_holder_has_a_name_a_start_and_an_expiry(database: Database) -> None:
    with engines.reading(database.engine) as connection:
        free = leases.current_holder(connection)
    assert (free.name, free.active, free.since) == ("no holder", False, None)
    before = real_clock()
    take_lease(database.engine)
    with engines.reading(database.engine) as connection:
        holder = leases.current_holder(connection)
    assert (holder.name, holder.active, holder.dead) == (leases.process_name(), True, False)
    assert 50 < holder.seconds_left <= 60.1
    assert holder.since is not None
    assert before <= holder.since <= real_clock()


def test_an_expired_lease_is_taken_over_and_the_old_run_is_closed_as_interrupted(database: Database) -> None:
    first = take_lease(database.engine)
    age_lease(database.engine)
    second = take_lease(database.engine)
    assert (first.fence, second.fence, second.run_id) == (1, 2, first.run_id + 1)
    assert _lease_row(database)["fence"] == 2
    old = database.rows("sync_runs", "run_id")[0]
    assert (old["status"], old["error_code"]) == ("interrupted", "interrupted")
    assert old["finished_at"] is not None


def test_a_fence_is_higher_than_that_of_every_run_also_if_the_runs_were_copied_without_the_lease(database: Database) -> None:
    assert sync(BEFORE, database.engine).error is None
    database.execute("UPDATE sync_runs SET fence = 9")
    assert take_lease(database.engine).fence == 10


def test_one_of_many_concurrent_threads_acquires_the_lease(database: Database) -> None:
    start = threading.Barrier(6)

    def acquire(_number: int) -> str:
        start.wait()
        try:
            take_lease(database.engine)
        except LeaseBusy:
            return "busy"
        return "lease"

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(acquire, range(6))) == [*["busy"] * 5, "lease"]
    assert sorted(database.statuses) == ["running", *["skipped"] * 5]


# A killed holder --------------------------------------------------------------------------------------------------------


def take_lease_and(end: Callable[[], object], url: str) -> None:
    """Acquire the lease for an hour, then call the last argument. The target of a process."""
    take_lease(open_engine(url), ttl=3600.0)
    end()


def test_the_lease_of_a_killed_holder_on_this_machine_is_taken_over(database: Database) -> None:
    assert exit_code_of(take_lease_and, kill_this_process, database.url) == -signal.SIGKILL
    assert _lease_row(database)["expires"] > 0
    assert sync(BEFORE, database.engine).error is None
    assert database.statuses == ["interrupted", "succeeded"]


def test_a_stopped_holder_keeps_the_lease(database: Database) -> None:
    with process(take_lease_and, signal.pause, database.url) as holder:
        wait_for(lambda: database.statuses == ["running"])
        os.kill(holder.pid, signal.SIGSTOP)
        assert isinstance(sync(BEFORE, database.engine).error, LeaseBusy)
    assert sync(BEFORE, database.engine).error is None


def test_a_process_of_another_machine_boot_or_container_does_not_count_as_ended() -> None:
    mine = leases.process_mark()
    assert mine is not None
    boot, namespace, pid, started = mine.split(":")
    for unknown in (mine, None, f"other-boot:{namespace}:{pid}:{started}", f"{boot}:1:{pid}:{started}"):
        assert not leases.is_dead(unknown)
    assert leases.is_dead(f"{boot}:{namespace}:{pid}:1"), "the PID belongs to another process"
    assert leases.is_dead(f"{boot}:{namespace}:{2**22 + 1}:1"), "no process has this PID"


def test_a_process_that_ended_and_was_not_waited_for_counts_as_ended() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert leases.is_dead(f"{leases._here()}:{child.pid}:{leases._state_and_start(child.pid)[1]}")


def test_a_process_that_is_hidden_from_this_user_does_not_count_as_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ProtectProc=invisible of systemd, or hidepid: the process exists, its files in /proc do not."""
    here, seen = leases._here(), leases._state_and_start

    def hidden(pid: int) -> tuple[str, str]:
        if pid == os.getppid():
            raise FileNotFoundError
        return seen(pid)

    monkeypatch.setattr(leases, "_state_and_start", hidden)
    assert not leases.is_dead(f"{here}:{os.getppid()}:1")


# Loss -------------------------------------------------------------------------------------------------------------------


def test_a_holder_that_was_paused_past_its_lease_commits_nothing(database: Database) -> None:
    sync(BEFORE, database.engine)

    def another_takes_over() -> None:
        slow.on_request = None
        age_lease(database.engine)
        assert sync([*BEFORE, AFTER[-1]], database.engine).run.added == 1

    slow = Catalog(AFTER, another_takes_over)
    before = database.catalog_dump()
    outcome = sync(slow, database.engine)
    assert isinstance(outcome.error, LeaseLost)
    assert outcome.error.exit_code == 75
    assert database.statuses == ["succeeded", "interrupted", "succeeded"]
    assert {row["run_id"] for row in database.rows("template_changes")} == {1, 3}
    assert database.catalog_dump() != before, "only the other run's addition"
    assert anomalies(database) == []


def test_a_holder_that_lost_its_lease_does_not_release_that_of_the_next_holder(database: Database) -> None:
    first = take_lease(database.engine)
    age_lease(database.engine)
    second = take_lease(database.engine)
    Store(database.engine).close(first, _failed(first))
    assert database.statuses == ["interrupted", "running"]
    assert (_lease_row(database)["fence"], _lease_row(database)["holder"]) == (second.fence, leases.process_name())


def test_the_transaction_that_applies_checks_the_fence_first(database: Database) -> None:
    transactions = list[list[str]]()
    sa.event.listen(database.engine, "begin", lambda _: transactions.append([]))

    def keep(statement: str) -> None:
        if not statement.startswith(("BEGIN", "SET LOCAL", "SELECT @@")):  # nor the checks for a replica
            transactions[-1].append(statement)

    on_each_statement(database.engine, keep)
    sync(BEFORE, database.engine)
    (applying,) = (each for each in transactions if any("template_changes (" in statement for statement in each))
    assert applying[0].startswith("UPDATE sync_lease")
    for each in transactions:
        writes = [statement for statement in each if not statement.startswith("SELECT") or "FOR UPDATE" in statement]
        assert not writes or "sync_lease" in (each if database.kind == "sqlite" else writes)[0]


def test_closing_a_run_while_another_takes_over_cannot_deadlock(database: Database) -> None:
    """Both lock the row of the lease and that of the run; locks in different orders could deadlock."""
    for _ in range(10):
        first = take_lease(database.engine)
        age_lease(database.engine)
        with ThreadPoolExecutor(2) as threads:
            closing_it = threads.submit(Store(database.engine).close, first, _failed(first))
            taking = threads.submit(take_lease, database.engine)
        assert (closing_it.exception(), taking.exception()) == (None, None)
        leases.break_lease(database.engine)


# Renewal ----------------------------------------------------------------------------------------------------------------


def _open_transactions(database: Database) -> int:
    """Return the number of other open transactions on a server; on SQLite, fail if a writer cannot begin at once."""
    if database.kind == "sqlite":
        with closing(sqlite3.connect(str(database.engine.url.database), timeout=0, isolation_level=None)) as other:
            other.executescript("BEGIN IMMEDIATE; ROLLBACK")
        return 0
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
        "mariadb": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p "
        "ON p.id = t.trx_mysql_thread_id WHERE p.db = database() AND p.id <> connection_id()",
    }[database.kind]
    return int(database.scalar(query))


def test_the_lease_is_renewed_while_fetching_with_no_transaction_open(database: Database) -> None:
    seen: list[float] = []

    def fetch() -> None:
        term = _lease_row(database)["expires"]
        wait_for(lambda: _lease_row(database)["expires"] > term)
        wait_for(lambda: _open_transactions(database) == 0)
        seen.append(term)

    assert sync(Catalog(BEFORE, fetch), database.engine, ttl=0.3).error is None
    assert seen, "the lease was renewed during the run"


def test_a_run_that_fetches_for_longer_than_its_lease_keeps_it(database: Database) -> None:
    others: list[Any] = []

    def fetch() -> None:
        first = _lease_row(database)["expires"]
        wait_for(lambda: _lease_row(database)["expires"] > first + 0.45)  # longer than the lease
        others.append(sync(AFTER, database.engine).error)

    assert sync(Catalog(BEFORE, fetch), database.engine, ttl=0.45).error is None
    assert [type(error) for error in others] == [LeaseBusy]


def test_a_run_whose_renewal_fails_stops_fetching(database: Database) -> None:
    def fetch() -> None:
        leases.break_lease(database.engine)
        wait_for(lambda: source.interrupted)

    source = Catalog(BEFORE, fetch)
    outcome = sync(source, database.engine, ttl=0.3)
    assert isinstance(outcome.error, LeaseLost)
    assert (database.statuses, database.present) == (["interrupted"], set())


def test_a_late_renewal_does_not_restore_a_released_lease(database: Database) -> None:
    lease = take_lease(database.engine)
    with writing(database.engine) as connection:
        leases.release(connection, lease)
    with writing(database.engine) as connection:
        assert leases.renew(connection, lease) is False
    assert (_lease_row(database)["expires"], _lease_row(database)["holder"]) == (0, None)
    assert sync(BEFORE, database.engine).error is None


def test_a_renewal_continues_after_a_short_outage_of_the_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = take_lease(database.engine, ttl=0.3)
    failures = threading.Event()

    @contextmanager
    def away_once(engine: sa.Engine) -> Iterator[sa.Connection]:
        if not failures.is_set():
            failures.set()
            with translate_errors(engine):
                raise sa.exc.OperationalError("", {}, Exception("gone"))
        with writing(engine) as connection:
            yield connection

    monkeypatch.setattr(leases, "writing", away_once)
    with leases.renew_in_background(database.engine, lease, on_loss=lambda: None):
        assert failures.wait(20)
        term = _lease_row(database)["expires"]
        wait_for(lambda: _lease_row(database)["expires"] > term)


# Release by force -------------------------------------------------------------------------------------------------------


def test_a_lease_can_be_broken_by_force_and_its_holder_commits_nothing(database: Database) -> None:
    def break_it() -> None:
        source.on_request = None
        former = leases.break_lease(database.engine)
        assert (former.name, former.active) == (leases.process_name(), True)

    source = Catalog(BEFORE, break_it)
    outcome = sync(source, database.engine)
    assert isinstance(outcome.error, LeaseLost)
    assert (database.statuses, database.present) == (["interrupted"], set())
    assert sync(BEFORE, database.engine).error is None


def test_breaking_a_free_lease_has_no_effect(database: Database) -> None:
    sync(BEFORE, database.engine)
    former = leases.break_lease(database.engine)
    assert (former.name, former.active) == ("no holder", False)
    assert sync(AFTER, database.engine).error is None
    assert anomalies(database) == []


# A holder in an open transaction ----------------------------------------------------------------------------------------


@pytest.mark.ci_slice
def test_a_server_ends_the_transaction_of_a_suspended_holder(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a virtual machine were paused between two statements: its locks must not block all others for ever."""
    with monkeypatch.context() as impatient:
        impatient.setattr(server_hosts, "IDLE_SECONDS", 1)
        sleeper = open_engine(server.url)
        connection = sleeper.connect()
        connection.execute(sa.update(sync_lease).values(holder="sleeper"))
    assert sync(BEFORE, server.engine).error is None, "the run waits until the server ends the idle transaction"
    with pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.select(sync_runs))
    connection.close()
    assert _lease_row(server)["holder"] is None


def test_a_sqlite_file_that_another_program_has_locked_is_reported_with_a_hint(sqlite: Database) -> None:
    impatient = open_engine(sqlite.url, lock_timeout=0.05)
    with closing(sqlite3.connect(str(sqlite.engine.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        locked = sync(BEFORE, impatient).error
    assert isinstance(locked, DatabaseError)
    assert "database is locked" in str(locked)
    assert (locked.exit_code, locked.hint) == (69, "Another program has locked the database; retry when it has finished.")
    assert sync(BEFORE, impatient).error is None


# Poolers ----------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_everything_works_behind_a_transaction_pooling_pgbouncer(postgresql: Database) -> None:
    with pgbouncer(postgresql.url) as url:
        engine, other = open_engine(url), open_engine(url)

        def meanwhile() -> None:
            term = _lease_row(postgresql)["expires"]
            assert isinstance(sync(AFTER, other).error, LeaseBusy)
            wait_for(lambda: _lease_row(postgresql)["expires"] > term)

        for source in (BEFORE, AFTER, BEFORE, AFTER):
            assert sync(Catalog(source, meanwhile), engine, ttl=1.0).error is None
        assert len(postgresql.rows("current_templates")) == 5
        assert sync(AFTER, other).run.unchanged == 5
        assert anomalies(engine) == []
        engine.dispose()
        other.dispose()
    assert anomalies(postgresql) == []
    assert postgresql.scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


@pytest.mark.parametrize("empty_database", ["postgresql"], indirect=True)
def test_the_schema_is_made_behind_a_transaction_pooling_pgbouncer(empty_database: Database) -> None:
    with pgbouncer(empty_database.url) as through:
        engine = open_engine(through)
        schema.upgrade(engine)
        schema.upgrade(engine)
        assert list(schema.differences(engine)) == []
        engine.dispose()
