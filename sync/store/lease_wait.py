"""Wait for the lease: a refresh for every holder, a run for a refresh only.

A waiting process polls with short transactions that only read, because on a cluster every write to the row of the lease can
conflict with the holder on another node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.errors import LeaseBusy
from sync.retry_policy import RetryPolicy
from sync.store.engine import reading
from sync.store.lease import PRECEDENCE_SECONDS, REFRESH, Lease, acquire, current_holder, seconds_of_precedence

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import sqlalchemy as sa

    from sync.store.database_errors import Retry

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
