"""A lease allows one run at a time per database, across processes and hosts; a fencing token makes it safe.

A process that was paused may still take its expired lease for valid. Each acquisition therefore raises a number, the fencing
token, and the transaction that applies a run first checks that its number is the newest. After a failover that lost commits the
same number can be assigned again, so a random token is compared too. The lease is one row, timed by the clock of the database:
session locks do not work through a pooler, and other nodes of a cluster do not see them.

The row also has a mark of the holder's process, so that a process on the same host can detect that the holder is dead; otherwise
the lease of a killed run blocks the next one until it expires. A pid alone is not enough: pids are reused, and each container has
a process 1. The mark also has the boot id, the pid namespace and the start time of the process.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.run_record import BY_CODE, Status
from sync.errors import DatabaseError, Interrupted, LeaseLost
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.tables import sync_lease, sync_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
    "mysql": "cast(unix_timestamp(now(6)) as double)",
}

FREE = {"expires": 0, "holder": None, "process": None}
"""The columns of a lease that no process holds."""

SLACK = 1.0
"""Seconds; the clocks of the databases have different resolutions."""

REFRESH = "refresh"
"""The trigger of a refresh."""

UPGRADE = "db upgrade on "
"""How the name of an upgrade begins, which has no run."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of one run; `ttl` in seconds."""

    run_id: int
    fence: int
    ttl: float
    token: str


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of the lease, the start of its run, and the seconds until the lease expires unless renewed, at most its TTL."""

    name: str
    fence: int
    seconds_left: float
    dead: bool
    since: datetime | None = None
    clock_was_set_back: bool = False
    is_refresh: bool = False

    @property
    def active(self) -> bool:
        """Whether the lease blocks other runs."""
        return self.seconds_left > 0 and not self.dead


def database_clock(connection: sa.Connection) -> sa.ColumnElement[float]:
    """Return an SQL expression for the time of the database, in Unix seconds: the clocks of hosts differ."""
    return sa.literal_column(_CLOCKS[connection.dialect.name], sa.Double())


def insert_run(connection: sa.Connection, row: dict[str, Any]) -> int:
    """Insert the row of an attempt, and return its number.

    If rows were copied with their numbers (data-only load, logical replication), PostgreSQL's sequence is behind them; then
    `nextval` moves it past them, which needs no right to set the sequence.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        inserted = insert(sync_runs).values(row).on_conflict_do_nothing(index_elements=["run_id"]).returning(sync_runs.c.run_id)
        while (number := connection.scalar(inserted)) is None:
            behind = "SELECT max(run_id) - currval('sync_runs_run_id_seq') FROM sync_runs"
            skip = f"SELECT max(nextval('sync_runs_run_id_seq')) FROM generate_series(1, ({behind}))"  # noqa: S608 - constants
            connection.exec_driver_sql(skip)
        return int(number)
    key = connection.execute(sa.insert(sync_runs).values(row)).inserted_primary_key
    assert key is not None  # noqa: S101 - an INSERT of one row returns its key
    return int(key[0])


def close_abandoned(connection: sa.Connection, now: datetime) -> None:
    """Mark every `running` row as `interrupted`; the caller holds the lease, so none of these runs is active."""
    error = "The process ended without reporting a result; nothing of this run was applied."
    interrupted = {"status": str(Status.INTERRUPTED), "finished_at": now, "error_code": "interrupted", "error": error}
    connection.execute(sa.update(sync_runs).where(sync_runs.c.status == str(Status.RUNNING)).values(interrupted))


def row_of(lease: Lease) -> sa.ColumnElement[bool]:
    """Return the condition for the row of a run; after the database lost commits, another run can have the same number."""
    return sa.and_(sync_runs.c.run_id == lease.run_id, sync_runs.c.token == lease.token)


def check_fence(connection: sa.Connection, lease: Lease) -> None:
    """Check that the fencing token of a lease is the newest; the first statement of the transaction that applies a run.

    It locks the row of the lease, so that `seq` follows the order of commits, and MariaDB takes its snapshot after the lock.

    Raises:
        LeaseLost: another run acquired the lease, or the database lost the row of this run.
    """
    if renew(connection, lease):
        return
    if connection.scalar(sa.select(sync_runs.c.run_id).where(row_of(lease))) is None:
        raise LeaseLost(
            "The database lost the row of this run: its history went back, as after a failover to a lagging standby or after a "
            "restore. Nothing of this run was applied.",
            hint=BY_CODE["went-back"].action,
            code="went-back",
        )
    raise _lease_lost()


def _lease_lost() -> LeaseLost:
    return LeaseLost(
        "The lease of this run expired and another run acquired it; nothing of this run was applied.",
        hint=BY_CODE["lease-lost"].action,
    )


def release(connection: sa.Connection, lease: Lease) -> None:
    """Release the lease if this run still holds it."""
    connection.execute(sa.update(sync_lease).where(_same_lease(lease)).values(FREE))


def _same_lease(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(sync_lease.c.fence == lease.fence, sync_lease.c.token == lease.token)


def block_commits(connection: sa.Connection) -> None:
    """Block commits of runs until this transaction ends; the first statement of a transaction that writes other data.

    FOR UPDATE is not replicated between nodes of a cluster; an UPDATE is.
    """
    connection.execute(sa.update(sync_lease).values(turn=sa.func.coalesce(sync_lease.c.turn, 0) + 1))


def break_lease(engine: sa.Engine) -> Holder:
    """Release the lease of another process; the raised fencing token prevents its commit. Return the former holder.

    The holder may be an upgrade that was killed, so only columns that every revision has are used.
    """
    lease = sync_lease.c

    def take() -> Holder:
        with writing(engine) as connection:
            left = (lease.expires - database_clock(connection)).label("left")
            query = sa.select(lease.holder, lease.process, lease.fence, left).with_for_update()
            former = connection.execute(query).one()
            connection.execute(sa.update(sync_lease).values(**FREE, fence=former.fence + 1))
            close_abandoned(connection, datetime.now(UTC))
        return Holder(former.holder or "no holder", former.fence, former.left, is_dead(former.process))

    return Retry()(take)


def renew(connection: sa.Connection, lease: Lease) -> bool:
    """Renew the lease if this run still holds it; return whether it does."""
    # `holder` is null after the release, so that a renewal that waited for the apply does not acquire the lease again.
    held = sa.and_(_same_lease(lease), sync_lease.c.holder.is_not(None))
    renewed = sa.update(sync_lease).where(held).values(expires=database_clock(connection) + lease.ttl)
    return connection.execute(renewed).rowcount == 1


def current_holder(connection: sa.Connection, *, lock: bool = False) -> Holder:
    """Return the holder of the lease; with `lock`, lock its row."""
    left = (sync_lease.c.expires - database_clock(connection)).label("left")
    query = sa.select(sync_lease.c.holder, sync_lease.c.process, sync_lease.c.fence, sync_lease.c.ttl, left)
    found = connection.execute(query.with_for_update() if lock else query).one()
    longest = found.left if found.ttl is None else found.ttl
    holder = Holder(
        found.holder or "no holder",
        found.fence,
        min(found.left, longest),
        is_dead(found.process),
        clock_was_set_back=found.left > longest + SLACK,
    )
    if found.holder is None:
        return holder
    query = sa.select(sync_runs.c.started_at, sync_runs.c.trigger).where(sync_runs.c.fence == found.fence)
    run = connection.execute(query).one_or_none()
    return holder if run is None else replace(holder, since=run.started_at, is_refresh=run.trigger == REFRESH)


@contextmanager
def renew_in_background(engine: sa.Engine, lease: Lease, on_loss: Callable[[], None]) -> Iterator[None]:
    """Renew the lease from a thread, three times per TTL, without an open transaction in between.

    If another run acquired the lease, `on_loss` is called once; it must make the block raise Interrupted.

    Raises:
        LeaseLost: instead of that Interrupted.
    """
    done, lost = threading.Event(), threading.Event()

    def renew_repeatedly() -> None:
        while not done.wait(lease.ttl / 3):
            try:
                with writing(engine) as connection:
                    renewed = renew(connection, lease)
            except DatabaseError:
                continue  # retried; `check_fence` detects a lease that expired
            if not renewed:
                lost.set()
                on_loss()
                return

    thread = threading.Thread(target=renew_repeatedly, name="lease", daemon=True)
    thread.start()
    try:
        yield
    except Interrupted:
        if lost.is_set():
            raise _lease_lost() from None
        raise
    finally:
        done.set()
        thread.join(lease.ttl)  # a daemon thread, which may wait for an unreachable database


def host_name() -> str:
    """Return the host name, cut to the length of the columns."""
    return socket.gethostname()[:200]


def process_name() -> str:
    """Return the host name and pid, for messages."""
    return f"{host_name()} (pid {os.getpid()})"


def process_mark() -> str | None:
    """Return the mark of this process; None on systems without /proc."""
    try:
        return f"{_here()}:{os.getpid()}:{_state_and_start(os.getpid())[1]}"
    except OSError:
        return None


def is_dead(other: str | None) -> bool:
    """Return whether the process of a mark has certainly ended; False if that is unknown."""
    if other is None or process_mark() is None:
        return False
    here, pid, started = other.rsplit(":", 2)
    if here != _here():
        return False
    try:
        state, began = _state_and_start(int(pid))
    except OSError:  # no such process, or processes of other users are hidden (hidepid, ProtectProc=invisible)
        return not _exists(int(pid))
    return state == "Z" or began != started


def _here() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{boot}:{namespace}"


def _state_and_start(pid: int) -> tuple[str, str]:
    # The command name, in parentheses, may contain spaces; the start time is field 22, the 20th after it.
    state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state, rest[18]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
