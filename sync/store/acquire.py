"""Acquire the lease of a run, and wait for it: a refresh waits for every holder, a run for a refresh only.

A waiting process polls with short transactions that only read, because on a cluster every write to the row of the lease can
conflict with the holder on another node. A run that waits for a refresh writes a time into the row, until which other refreshes
do not acquire the lease.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.errors import DatabaseAway, DatabaseConflict, LeaseBusy
from sync.retry_policy import RetryPolicy
from sync.store.database_errors import RECONNECT, Retry
from sync.store.engine import reading, writing
from sync.store.lease import (
    REFRESH,
    SLACK,
    Holder,
    Lease,
    close_abandoned,
    current_holder,
    database_clock,
    insert_run,
    process_mark,
    process_name,
    renew,
)
from sync.store.tables import sync_lease, sync_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

PRECEDENCE_SECONDS = 10.0
"""How long refreshes let a waiting run go first; the run renews it, and after its death they wait no longer than this."""

WAIT_SECONDS = 30.0
"""Default maximum wait of a refresh, and maximum wait of a run for a refresh."""

POLL = RetryPolicy(waits=(0.05, 0.1, 0.2, 0.4), jitter=(0.5, 1.5))
"""Waits between polls, in seconds."""


def _do_nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class LeaseWait:
    """How an acquisition waits for the lease.

    Attributes:
        seconds: maximum wait; 0: one attempt.
        stop: called before each pause; an error that it raises ends the wait.
        check: called with a connection before each attempt, and when the lease changed hands; an error that it raises ends the
            wait, for example because another process already did the work.
    """

    seconds: float = WAIT_SECONDS
    stop: Callable[[], None] = _do_nothing
    check: Callable[[sa.Connection], None] = _do_nothing


def acquire_in_turn(
    engine: sa.Engine,
    *,
    trigger: str,
    template_id: str | None,
    ttl: float,
    now: datetime,
    clock: Callable[[], datetime],
    retry: Retry,
    wait: LeaseWait,
) -> tuple[Lease, datetime]:
    """Acquire the lease, and wait for it if necessary; return it with the time of the acquisition.

    Args:
        engine: the database.
        trigger: what started the run; a refresh waits for every holder, any other run for a refresh only.
        template_id: the template of a refresh.
        ttl: seconds after which the lease expires unless it is renewed.
        now: the time of the first attempt.
        clock: returns the time of later attempts, aware.
        retry: retries conflicts; its sleep, random and clock are those of the wait.
        wait: how long to wait, and what ends the wait.

    Raises:
        LeaseBusy: the lease was not free within the wait; for a run, the refusal is recorded.
        DatabaseError: the attempt could not be recorded.
    """
    turn = _Turn(engine, trigger == REFRESH, retry, wait)
    ends = retry.monotonic() + wait.seconds
    while True:
        may_wait = retry.monotonic() < ends
        try:
            lease = acquire(
                engine, trigger=trigger, ttl=ttl, now=now, retry=retry, template_id=template_id, may_wait=may_wait,
                check=wait.check,
            )  # fmt: skip
        except LeaseBusy as busy:
            if not may_wait or busy.run_id is not None:
                raise
        else:
            return lease, now
        turn.wait(ends)
        now = clock()


@dataclass(slots=True)
class _Turn:
    engine: sa.Engine
    is_refresh: bool
    retry: Retry
    limits: LeaseWait
    polls: int = 0
    checked: int | None = field(default=None)
    """The fencing token at the last check."""

    def wait(self, ends: float) -> None:
        """Poll until another attempt is due, at most until `ends`."""
        while (left := ends - self.retry.monotonic()) > 0:
            self.limits.stop()
            self.polls += 1
            self.retry.sleep(min(left, POLL.wait(self.polls, self.retry.random) or left))
            if self.retry(self._is_due):
                break

    def _is_due(self) -> bool:
        with reading(self.engine) as connection:
            holder = current_holder(connection)
            precedence = seconds_of_precedence(connection)
            if self.checked != holder.fence:
                self.limits.check(connection)
                self.checked = holder.fence
        blocked = holder.active and not holder.clock_was_set_back
        if self.is_refresh:
            return not blocked and precedence <= 0
        return not (blocked and holder.is_refresh and precedence > PRECEDENCE_SECONDS / 2)


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
    row = {"trigger": trigger, "started_at": now, "holder": process_name(), "template_id": template_id}
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
            taken = {"holder": row["holder"], "process": process_mark(), "fence": fence, "token": self.token, "ttl": ttl}
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
    return left if left <= PRECEDENCE_SECONDS + SLACK else 0.0  # otherwise the clock was set back
