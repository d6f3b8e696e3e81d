"""Acquire the lease of a run, and wait for it: a refresh waits for every holder, a run for a refresh only.

A waiting process polls with short transactions that only read, because on a cluster every write to the row of the lease can
conflict with the holder on another node. A run that waits for a refresh writes a time into the row, until which other refreshes
do not acquire the lease.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.errors import DatabaseAway, DatabaseConflict, LeaseBusy
from sync.retry_policy import RetryPolicy
from sync.store.engine import reading, writing
from sync.store.lease import (
    REFRESH,
    SLACK,
    UPGRADE,
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

    from sync.catalog.run_record import Run
    from sync.store.database_errors import Retry

PRECEDENCE_SECONDS = 10.0
"""How long refreshes let a waiting run go first; the run renews it, and after its death they wait no longer than this."""

WAIT_SECONDS = 30.0
"""Default maximum wait of a refresh, and maximum wait of a run for a refresh."""

POLL = RetryPolicy(waits=(0.05, 0.1, 0.2, 0.4), jitter=(0.5, 1.5))
"""Waits between polls, in seconds."""


@dataclass(frozen=True, slots=True)
class LeaseWait:
    """How long an acquisition waits for the lease, in seconds (0: one attempt), and which calls end the wait by an error.

    `stop` is called before each pause; `check` at each poll and when the row of the lease is locked, for example to find out that
    another process already did the work.
    """

    seconds: float = WAIT_SECONDS
    stop: Callable[[], None] = lambda: None
    check: Callable[[sa.Connection], None] = lambda _connection: None


def acquire(
    engine: sa.Engine, run: Run, *, ttl: float, clock: Callable[[], datetime], retry: Retry, wait: LeaseWait
) -> tuple[Lease, Run]:
    """Acquire the lease and insert the row of the run in one transaction; return the run as it starts with the lease.

    Rows that a dead holder left `running` become `interrupted`. If another run holds the lease, or every attempt conflicts with
    other nodes, a `skipped` row is inserted; not for a refresh, which also waits for every holder. The lease expires after `ttl`
    seconds unless it is renewed. `clock` returns the start of the run after a wait, whose sleep and clock are those of `retry`.

    Raises:
        LeaseBusy: with the name of the holder, and the number of the `skipped` row if there is one.
        DatabaseError: the attempt could not be recorded.
    """
    run = replace(run, holder=process_name())
    ends = retry.monotonic() + wait.seconds
    pauses = (POLL.wait(polls, retry.random) or 0.0 for polls in itertools.count(1))
    while True:
        attempt = _Attempt(engine, run, ttl, wait.check, may_wait=retry.monotonic() < ends)
        found = attempt.until_certain(retry)
        if isinstance(found, Lease):
            return found, replace(run, run_id=found.run_id, fence=found.fence)
        if not attempt.may_wait or found.run_id is not None:
            raise found
        while (left := ends - retry.monotonic()) > 0:
            wait.stop()
            retry.sleep(min(left, next(pauses)))
            if retry(attempt.is_due_again):
                break
        run = replace(run, started_at=clock())


@dataclass(slots=True)
class _Attempt:
    """Acquires the lease in one transaction, which can be repeated with the same token; `in_doubt`: COMMIT was sent.

    If another attempt may follow (`may_wait`), a run that finds a refresh goes before other refreshes for a while.
    """

    engine: sa.Engine
    run: Run
    ttl: float
    check: Callable[[sa.Connection], None]
    may_wait: bool
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    in_doubt: bool = False

    def until_certain(self, retry: Retry) -> Lease | LeaseBusy:
        """Attempt it, and again after conflicts and after a lost answer to COMMIT."""
        waits = retry.reconnect_waits()
        while True:
            try:
                return retry(self._acquire)
            except DatabaseConflict as conflict:
                message = f"Other hosts acquired the lease first on every retry. {conflict}"
                if self._is_refresh:
                    return _busy(message)
                with writing(self.engine) as connection:
                    return self._skip(connection, message)
            except DatabaseAway:
                # If the answer to COMMIT was lost, the lease may be ours; the next run would report it as another run's.
                pause = next(waits, None) if self.in_doubt else None
                if pause is None:
                    raise
                retry.sleep(pause)

    def is_due_again(self) -> bool:
        """Poll: return whether the lease is free, or the precedence of this run must be renewed."""
        with reading(self.engine) as connection:
            self.check(connection)
            holder = current_holder(connection)
            precedence = _seconds_of_precedence(connection)
        blocked = holder.active and not holder.clock_was_set_back
        if self._is_refresh:
            return not blocked and precedence <= 0
        return not (blocked and holder.is_refresh and precedence > PRECEDENCE_SECONDS / 2)

    @property
    def _is_refresh(self) -> bool:
        return self.run.trigger == REFRESH

    def _acquire(self) -> Lease | LeaseBusy:
        with writing(self.engine) as connection:
            holder = current_holder(connection, lock=True)
            if self.in_doubt and (ours := self._committed(connection)):
                return ours
            self.check(connection)
            if holder.active and holder.clock_was_set_back:
                connection.execute(sa.update(sync_lease).values(expires=database_clock(connection) + sync_lease.c.ttl))
            if holder.active:
                return self._refuse(connection, holder)
            if self._is_refresh and _seconds_of_precedence(connection) > 0:
                return _busy("A run waits for the lease, and goes before refreshes.")
            # Rows that were copied without the lease's own have fences, too.
            fence = max(holder.fence, connection.scalar(sa.select(sa.func.max(sync_runs.c.fence))) or 0) + 1
            taken = {
                "holder": self.run.holder, "process": process_mark(), "fence": fence, "token": self.token, "ttl": self.ttl,
                **({} if self._is_refresh else {"run_waits_until": None}),
            }  # fmt: skip
            connection.execute(sa.update(sync_lease).values(**taken, expires=database_clock(connection) + self.ttl))
            close_abandoned(connection, self.run.started_at)
            run_id = insert_run(connection, {**replace(self.run, fence=fence).row(), "token": self.token})
            self.in_doubt = True
            return Lease(run_id, fence, self.ttl, self.token)

    def _committed(self, connection: sa.Connection) -> Lease | None:
        """Return the lease if an earlier attempt acquired it and no other run did since; renewed, as time has passed."""
        query = sa.select(sync_runs.c.run_id, sync_runs.c.fence).where(sync_runs.c.token == self.token)
        if (found := connection.execute(query).one_or_none()) is None:
            return None
        lease = Lease(found.run_id, found.fence, self.ttl, self.token)
        return lease if renew(connection, lease) else None

    def _refuse(self, connection: sa.Connection, holder: Holder) -> LeaseBusy:
        """Return the error of an attempt that finds an active holder; record it, or let this run precede refreshes."""
        age = f", for {max(0.0, (self.run.started_at - holder.since).total_seconds()):.0f} s" if holder.since else ""
        who = "A refresh" if holder.is_refresh else "An upgrade" if holder.name.startswith(UPGRADE) else "Another run"
        message = f"{who} holds the lease: {holder.name}{age}; its lease expires in {holder.seconds_left:.0f} s unless renewed."
        if self._is_refresh:
            return _busy(message)
        if self.may_wait and holder.is_refresh:
            until = database_clock(connection) + PRECEDENCE_SECONDS
            connection.execute(sa.update(sync_lease).values(run_waits_until=until))
            return _busy(message)
        return self._skip(connection, message)

    def _skip(self, connection: sa.Connection, message: str) -> LeaseBusy:
        skipped = replace(
            self.run, status=Status.SKIPPED, finished_at=self.run.started_at, error_code=LeaseBusy.default_code, error=message
        )
        return _busy(message, insert_run(connection, skipped.row()))


def _busy(message: str, run_id: int | None = None) -> LeaseBusy:
    return LeaseBusy(message, hint="Wait until it ends; `template-sync status` shows the lease holder.", run_id=run_id)


def _seconds_of_precedence(connection: sa.Connection) -> float:
    """Return for how long a waiting run still goes before refreshes; 0 or less: there is none."""
    left: float = connection.scalar(sa.select(sync_lease.c.run_waits_until - database_clock(connection))) or 0.0
    return left if left <= PRECEDENCE_SECONDS + SLACK else 0.0  # otherwise the clock was set back
