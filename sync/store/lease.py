"""One run at a time per database, over processes and hosts: a lease, and the fence that makes it safe.

A lease alone only makes it likely that one run is at work: its holder may be paused for an hour and wake up sure of itself.
So every acquisition raises a number, the fence, and the transaction that applies a run begins by proving that its own is still
the newest. After a fail-over that lost commits, or a restore, the same number is counted again: so a random token, which never
comes twice, stands beside it, and both are compared everywhere. The lease is one row and the database's clock: no session locks,
which a connection pooler would break, and of which another node knows nothing.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.run_record import BY_CODE, Status
from sync.errors import DatabaseConflict, DatabaseError, Interrupted, LeaseBusy, LeaseLost
from sync.store import process
from sync.store.engine import writing
from sync.store.tables import sync_lease, sync_runs
from sync.store.transaction_retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
    "mysql": "cast(unix_timestamp(now(6)) as double)",
}


_SLACK = 1.0
"""Seconds: the database's clock gives fractions of different lengths."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write, held by one run. `ttl` in seconds."""

    run_id: int
    fence: int
    holder: str
    ttl: float
    token: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease, since when, and for how many seconds more if it falls silent now: at most the lease's whole term."""

    name: str
    fence: int
    seconds_left: float
    dead: bool
    since: datetime | None = None
    clock_was_set_back: bool = False

    @property
    def active(self) -> bool:
        """Whether it keeps others out."""
        return self.seconds_left > 0 and not self.dead


def database_clock(connection: sa.Connection) -> sa.ColumnElement[float]:
    """Write the database's clock as an expression, in Unix seconds: hosts' clocks differ, the database has one."""
    return sa.literal_column(_CLOCKS[connection.dialect.name], sa.Double())


def acquire(
    engine: sa.Engine,
    *,
    trigger: str,
    ttl: float,
    now: datetime,
    retry: Retry = Retry(),  # noqa: B008 - it is frozen
    new_token: Callable[[], str] = lambda: secrets.token_hex(16),
) -> Lease:
    """Take the lease and record the run as begun, in one transaction.

    Rows that a dead holder left `running` become `interrupted`. If another run is at work, or other nodes' transactions win every
    time, a `skipped` row is recorded.

    Raises:
        LeaseBusy: naming the holder.
        DatabaseError: not even that could be recorded.
    """
    row = {"trigger": trigger, "started_at": now, "holder": process.name()}
    try:
        taken = retry(lambda: _acquire(engine, row, ttl, new_token()))
    except DatabaseConflict as conflict:
        message = f"Other hosts acquired the lease first on every retry. {conflict}"
        with writing(engine) as connection:
            taken = _busy(connection, row, message)
    if isinstance(taken, Lease):
        return taken
    raise taken


def _acquire(engine: sa.Engine, row: dict[str, Any], ttl: float, token: str) -> Lease | LeaseBusy:
    me, now = row["holder"], row["started_at"]
    with writing(engine) as connection:
        holder = current_holder(connection, lock=True)
        if holder.active and holder.clock_was_set_back:
            connection.execute(sa.update(sync_lease).values(expires=database_clock(connection) + sync_lease.c.ttl))
        if holder.active:
            age = f", for {max(0.0, (now - holder.since).total_seconds()):.0f} s" if holder.since else ""
            ends = f"its lease expires in {holder.seconds_left:.0f} s unless renewed"
            return _busy(connection, row, f"Another run holds the lease: {holder.name}{age}; {ends}.")
        # Rows that were copied without the lease's own have fences, too.
        fence = max(holder.fence, connection.scalar(sa.select(sa.func.max(sync_runs.c.fence))) or 0) + 1
        taken = {"holder": me, "process": process.mark(), "fence": fence, "token": token, "ttl": ttl}
        connection.execute(sa.update(sync_lease).values(**taken, expires=database_clock(connection) + ttl))
        close_abandoned(connection, now)
        run_id = insert_run(connection, {**row, "status": str(Status.RUNNING), "fence": fence, "token": token})
        return Lease(run_id, fence, me, ttl, token)


def _busy(connection: sa.Connection, row: dict[str, Any], message: str) -> LeaseBusy:
    code = LeaseBusy.default_code
    skipped = {"status": str(Status.SKIPPED), "finished_at": row["started_at"], "error_code": code, "error": message}
    run_id = insert_run(connection, {**row, **skipped})
    return LeaseBusy(message, hint="Wait until it ends; `template-sync status` shows the lease holder.", run_id=run_id)


def insert_run(connection: sa.Connection, row: dict[str, Any]) -> int:
    """Insert an attempt's row and return its number.

    Rows that were copied with their numbers (a data-only load, logical replication) leave PostgreSQL's sequence behind them; then
    it is moved past them, by `nextval` as that needs no right to set it.
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
    assert key is not None  # noqa: S101 - an INSERT of one row has one
    return int(key[0])


def close_abandoned(connection: sa.Connection, now: datetime) -> None:
    """Mark every `running` row as `interrupted`; the caller holds the lease, so none of them is alive."""
    connection.execute(
        sa.update(sync_runs)
        .where(sync_runs.c.status == str(Status.RUNNING))
        .values(
            status=str(Status.INTERRUPTED),
            finished_at=now,
            error_code="interrupted",
            error="The process ended without reporting a result; nothing of this run was applied.",
        )
    )


def check_fence(connection: sa.Connection, lease: Lease) -> None:
    """Prove that a lease is still the newest. The first statement of the transaction that applies the run.

    It also takes the row's lock: appliers queue up here, which makes the order of `seq` the order of commits, and on
    MariaDB the transaction's snapshot is taken after the lock.

    Raises:
        LeaseLost: another run took over, or the database no longer knows that there was this one.
    """
    if not _renew(connection, lease):
        raise _lease_lost() if _run_exists(connection, lease) else _run_row_lost()


def _run_exists(connection: sa.Connection, lease: Lease) -> bool:
    """Tell whether a run's row is still there. Its number alone would not do: MariaDB gives one that was lost to the next run."""
    this_run = sa.and_(sync_runs.c.run_id == lease.run_id, sync_runs.c.token == lease.token)
    return connection.execute(sa.select(sync_runs.c.run_id).where(this_run)).one_or_none() is not None


def _run_row_lost() -> LeaseLost:
    return LeaseLost(
        "The database lost the row of this run: its history went back, as after a failover to a lagging standby or after a "
        "restore. Nothing of this run was applied.",
        hint=BY_CODE["went-back"].action,
        code="went-back",
    )


def _lease_lost() -> LeaseLost:
    return LeaseLost(
        "The lease of this run expired and another run acquired it; nothing of this run was applied.",
        hint=BY_CODE["lease-lost"].action,
    )


def release(connection: sa.Connection, lease: Lease) -> None:
    """Release the lease, if this process still holds it."""
    connection.execute(sa.update(sync_lease).where(_same_lease(lease)).values(expires=0, holder=None, process=None))


def _same_lease(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(sync_lease.c.fence == lease.fence, sync_lease.c.token == lease.token)


def block_commits(connection: sa.Connection) -> None:
    """Keep every run's transaction from committing beside this one. The first statement of a transaction that writes more.

    The row changes, which SELECT FOR UPDATE does not do: another node of a cluster hears of nothing else.
    """
    connection.execute(sa.update(sync_lease).values(turn=sa.func.coalesce(sync_lease.c.turn, 0) + 1))


def break_lease(engine: sa.Engine, *, retry: Retry = Retry()) -> Holder:  # noqa: B008 - it is frozen
    """Take the lease away from whoever has it; its fence keeps that one from committing. Returns the former holder."""

    def take() -> Holder:
        with writing(engine) as connection:
            former = current_holder(connection, lock=True)
            released = {"expires": 0, "holder": None, "process": None, "token": None}
            connection.execute(sa.update(sync_lease).values(**released, fence=former.fence + 1))
            close_abandoned(connection, datetime.now(UTC))
        return former

    return retry(take)


@contextmanager
def renew_in_background(engine: sa.Engine, lease: Lease, on_loss: Callable[[], None]) -> Iterator[None]:
    """Renew the lease three times per term from a thread, with no transaction open in between.

    Args:
        engine: the database.
        lease: what to renew.
        on_loss: called once if another run took over; it is expected to make the block raise Interrupted.

    Raises:
        LeaseLost: in place of that Interrupted.
    """
    done, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not done.wait(lease.ttl / 3):
            try:
                with writing(engine) as connection:
                    renewed = _renew(connection, lease)
            except DatabaseError:
                continue  # it may come back in time; if not, `check_fence` decides
            if not renewed:
                lost.set()
                on_loss()
                return

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    except Interrupted:
        if lost.is_set():
            raise _lease_lost() from None
        raise
    finally:
        done.set()
        thread.join(lease.ttl)  # it may be waiting for a database that is gone; it is a daemon thread, and can do no harm


def _renew(connection: sa.Connection, lease: Lease) -> bool:
    # `holder` is null once it is released: a heartbeat that waited behind the apply must not bring the lease back to life.
    held = sa.and_(_same_lease(lease), sync_lease.c.holder.is_not(None))
    renewed = sa.update(sync_lease).where(held).values(expires=database_clock(connection) + lease.ttl)
    return connection.execute(renewed).rowcount == 1


def current_holder(connection: sa.Connection, *, lock: bool = False) -> Holder:
    """Look who holds the lease."""
    left = (sync_lease.c.expires - database_clock(connection)).label("left")
    query = sa.select(sync_lease.c.holder, sync_lease.c.process, sync_lease.c.fence, sync_lease.c.ttl, left)
    found = connection.execute(query.with_for_update() if lock else query).one()
    since = None
    if found.holder is not None:
        since = connection.scalar(sa.select(sync_runs.c.started_at).where(sync_runs.c.fence == found.fence))
    longest = found.left if found.ttl is None else found.ttl
    return Holder(
        found.holder or "no holder",
        found.fence,
        min(found.left, longest),
        process.is_dead(found.process),
        since,
        clock_was_set_back=found.left > longest + _SLACK,
    )
