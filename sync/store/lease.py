"""A lease allows one run at a time per database, across processes and hosts; a fencing token makes it safe.

A process that was paused may still take its expired lease for valid. Each acquisition therefore raises a number, the fencing
token, and the transaction that applies a run first checks that its number is the newest. After a failover that lost commits the
same number can be assigned again, so a random token is compared too. The lease is one row, timed by the clock of the database:
session locks do not work through a pooler, and other nodes of a cluster do not see them.

A run that waits for a refresh writes a time into the row, until which other refreshes do not acquire the lease.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.run_record import BY_CODE, Status
from sync.errors import DatabaseAway, DatabaseConflict, LeaseBusy, LeaseLost
from sync.store import process
from sync.store.database_errors import RECONNECT, Retry
from sync.store.engine import writing
from sync.store.tables import sync_lease, sync_runs

if TYPE_CHECKING:
    from collections.abc import Callable


_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
    "mysql": "cast(unix_timestamp(now(6)) as double)",
}


_SLACK = 1.0
"""Seconds; the clocks of the databases have different resolutions."""

REFRESH = "refresh"
"""The trigger of a refresh."""

PRECEDENCE_SECONDS = 10.0
"""How long refreshes let a waiting run go first; the run renews it, and after its death they wait no longer than this."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of one run; `ttl` in seconds."""

    run_id: int
    fence: int
    holder: str
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


def acquire(
    engine: sa.Engine,
    *,
    trigger: str,
    ttl: float,
    now: datetime,
    retry: Retry = Retry(),  # noqa: B008 - Retry is frozen
    template_id: str | None = None,
    may_wait: bool = False,
    check: Callable[[sa.Connection], None] = lambda _connection: None,
) -> Lease:
    """Acquire the lease and insert the row of the run, in one transaction, without waiting.

    Rows that a dead holder left `running` become `interrupted`. If another run is active, or every attempt conflicts with other
    nodes, a `skipped` row is inserted; not for a refresh, and not for a run that may wait for the refresh that is active.

    Args:
        engine: the database.
        trigger: what started the run.
        ttl: seconds after which the lease expires unless it is renewed.
        now: the start of the run.
        retry: retries conflicts.
        template_id: the template of a refresh.
        may_wait: whether this run tries again after a refresh; it then precedes refreshes for a while.
        check: called when the row of the lease is locked; an error that it raises ends the attempt, and nothing is written.

    Raises:
        LeaseBusy: with the name of the holder, and the number of the `skipped` row if there is one.
        DatabaseError: the attempt could not be recorded.
    """
    row = {"trigger": trigger, "started_at": now, "holder": process.name(), "template_id": template_id}
    attempt = _Attempt(engine, row, ttl, secrets.token_hex(16), may_wait, check)
    waits = iter(RECONNECT.all_waits(retry.random))
    while True:
        try:
            taken = retry(attempt)
        except DatabaseConflict as conflict:
            message = f"Other hosts acquired the lease first on every retry. {conflict}"
            if attempt.is_refresh:
                taken = _unrecorded(message)
            else:
                with writing(engine) as connection:
                    taken = _skipped(connection, attempt.row, message)
        except DatabaseAway:
            # If the answer to COMMIT was lost, the lease may be ours; the next run would report it as another run's.
            wait = next(waits, None) if attempt.in_doubt else None
            if wait is None:
                raise
            retry.sleep(wait)
            continue
        if isinstance(taken, Lease):
            return taken
        raise taken


@dataclass(slots=True)
class _Attempt:
    """Acquires the lease in one transaction, which can be repeated with the same token.

    Attributes:
        row: the row of the run, without what the lease adds.
        may_wait: see `acquire`.
        check: see `acquire`.
        in_doubt: whether COMMIT was sent.
    """

    engine: sa.Engine
    row: dict[str, Any]
    ttl: float
    token: str
    may_wait: bool
    check: Callable[[sa.Connection], None]
    in_doubt: bool = False

    @property
    def is_refresh(self) -> bool:
        return bool(self.row["trigger"] == REFRESH)

    def __call__(self) -> Lease | LeaseBusy:
        row, ttl, now = self.row, self.ttl, self.row["started_at"]
        with writing(self.engine) as connection:
            holder = current_holder(connection, lock=True)
            if self.in_doubt and (ours := self._committed(connection)):
                return ours
            self.check(connection)
            if holder.active and holder.clock_was_set_back:
                connection.execute(sa.update(sync_lease).values(expires=database_clock(connection) + sync_lease.c.ttl))
            if holder.active:
                return self._refuse(connection, holder)
            if self.is_refresh and seconds_of_precedence(connection) > 0:
                return _unrecorded("A run waits for the lease, and goes before refreshes.")
            # Rows that were copied without the lease's own have fences, too.
            fence = max(holder.fence, connection.scalar(sa.select(sa.func.max(sync_runs.c.fence))) or 0) + 1
            taken = {"holder": row["holder"], "process": process.mark(), "fence": fence, "token": self.token, "ttl": ttl}
            if not self.is_refresh:
                taken["run_waits_until"] = None
            connection.execute(sa.update(sync_lease).values(**taken, expires=database_clock(connection) + ttl))
            close_abandoned(connection, now)
            run_id = insert_run(connection, {**row, "status": str(Status.RUNNING), "fence": fence, "token": self.token})
            self.in_doubt = True
            return Lease(run_id, fence, row["holder"], ttl, self.token)

    def _refuse(self, connection: sa.Connection, holder: Holder) -> LeaseBusy:
        """Return the error of an attempt that finds an active holder; record it, or let this run precede refreshes."""
        age = f", for {max(0.0, (self.row['started_at'] - holder.since).total_seconds()):.0f} s" if holder.since else ""
        who = "A refresh" if holder.is_refresh else "Another run"
        ends = f"its lease expires in {holder.seconds_left:.0f} s unless renewed"
        message = f"{who} holds the lease: {holder.name}{age}; {ends}."
        if self.is_refresh:
            return _unrecorded(message)
        if self.may_wait and holder.is_refresh:
            until = database_clock(connection) + PRECEDENCE_SECONDS
            connection.execute(sa.update(sync_lease).values(run_waits_until=until))
            return _unrecorded(message)
        return _skipped(connection, self.row, message)

    def _committed(self, connection: sa.Connection) -> Lease | None:
        """Return the lease if an earlier attempt acquired it and no other run did since; renewed, as time has passed."""
        query = sa.select(sync_runs.c.run_id, sync_runs.c.fence).where(sync_runs.c.token == self.token)
        if (found := connection.execute(query).one_or_none()) is None:
            return None
        lease = Lease(found.run_id, found.fence, self.row["holder"], self.ttl, self.token)
        return lease if renew(connection, lease) else None


def _unrecorded(message: str, run_id: int | None = None) -> LeaseBusy:
    return LeaseBusy(message, hint="Wait until it ends; `template-sync status` shows the lease holder.", run_id=run_id)


def _skipped(connection: sa.Connection, row: dict[str, Any], message: str) -> LeaseBusy:
    code = LeaseBusy.default_code
    skipped = {"status": str(Status.SKIPPED), "finished_at": row["started_at"], "error_code": code, "error": message}
    return _unrecorded(message, insert_run(connection, {**row, **skipped}))


def seconds_of_precedence(connection: sa.Connection) -> float:
    """Return for how long a waiting run still goes before refreshes; 0 or less: there is none."""
    left: float = connection.scalar(sa.select(sync_lease.c.run_waits_until - database_clock(connection))) or 0.0
    return left if left <= PRECEDENCE_SECONDS + _SLACK else 0.0  # otherwise the clock was set back


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
    """Check that the fencing token of a lease is the newest; the first statement of the transaction that applies a run.

    It locks the row of the lease, so that `seq` follows the order of commits, and MariaDB takes its snapshot after the lock.

    Raises:
        LeaseLost: another run acquired the lease, or the database lost the row of this run.
    """
    if not renew(connection, lease):
        raise lease_lost() if _run_exists(connection, lease) else _run_row_lost()


def _run_exists(connection: sa.Connection, lease: Lease) -> bool:
    """Return whether the row of the run exists; the token is compared, because MariaDB assigns a lost number again."""
    this_run = sa.and_(sync_runs.c.run_id == lease.run_id, sync_runs.c.token == lease.token)
    return connection.execute(sa.select(sync_runs.c.run_id).where(this_run)).one_or_none() is not None


def _run_row_lost() -> LeaseLost:
    return LeaseLost(
        "The database lost the row of this run: its history went back, as after a failover to a lagging standby or after a "
        "restore. Nothing of this run was applied.",
        hint=BY_CODE["went-back"].action,
        code="went-back",
    )


def lease_lost() -> LeaseLost:
    """Return the error of a run whose lease another run acquired."""
    return LeaseLost(
        "The lease of this run expired and another run acquired it; nothing of this run was applied.",
        hint=BY_CODE["lease-lost"].action,
    )


def release(connection: sa.Connection, lease: Lease) -> None:
    """Release the lease if this run still holds it."""
    connection.execute(sa.update(sync_lease).where(_same_lease(lease)).values(expires=0, holder=None, process=None))


def _same_lease(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(sync_lease.c.fence == lease.fence, sync_lease.c.token == lease.token)


def block_commits(connection: sa.Connection) -> None:
    """Block commits of runs until this transaction ends; the first statement of a transaction that writes other data.

    FOR UPDATE is not replicated between nodes of a cluster; an UPDATE is.
    """
    connection.execute(sa.update(sync_lease).values(turn=sa.func.coalesce(sync_lease.c.turn, 0) + 1))


def break_lease(engine: sa.Engine, *, retry: Retry = Retry()) -> Holder:  # noqa: B008 - Retry is frozen
    """Release the lease of another process; the raised fencing token prevents its commit. Return the former holder."""

    def take() -> Holder:
        with writing(engine) as connection:
            former = current_holder(connection, lock=True)
            released = {"expires": 0, "holder": None, "process": None, "token": None}
            connection.execute(sa.update(sync_lease).values(**released, fence=former.fence + 1))
            close_abandoned(connection, datetime.now(UTC))
        return former

    return retry(take)


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
    run = None
    if found.holder is not None:
        query = sa.select(sync_runs.c.started_at, sync_runs.c.trigger).where(sync_runs.c.fence == found.fence)
        run = connection.execute(query).one_or_none()
    longest = found.left if found.ttl is None else found.ttl
    return Holder(
        found.holder or "no holder",
        found.fence,
        min(found.left, longest),
        process.is_dead(found.process),
        None if run is None else run.started_at,
        clock_was_set_back=found.left > longest + _SLACK,
        is_refresh=run is not None and run.trigger == REFRESH,
    )
