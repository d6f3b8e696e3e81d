"""PURE. When the daemon runs next; of APScheduler only the base class of its triggers is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from apscheduler.triggers.base import BaseTrigger

from sync.catalog.run_record import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.config.cron import Cron

FIRST_DELAY = 30.0
"""Seconds before the first retry of a run, doubled for each further one up to the scheduled time; the least wait after a 455."""

MAX_DOUBLINGS = 10

MAX_DEFERRAL = 6 * 3600.0
"""Seconds. A longer Retry-After is cut to this, so that a wrong value does not stop the sync for days."""

JITTER = 0.1
"""Retries and deferrals are lengthened by up to this part, so that many installations do not return in the same second."""

MAX_FOLLOWER_DELAY = timedelta(seconds=30)
"""A follower waits a tenth of the interval, and at most this: hosts that woke at the same time would meet at the lease."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far the clocks of two hosts may differ."""

MIN_JUMP = timedelta(seconds=5)
"""A smaller change of the wall clock against the monotonic one is drift between two checks, not a jump."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What planning needs to know of a run.

    Attributes:
        retry: whether the error, if any, may pass without a person's help.
        retry_after: seconds that the server asked to wait.
        fatal: whether this process can make no further run.
        covered_until: the time of the next check, where another host has made the run.
    """

    status: Status
    retry: bool = False
    retry_after: float | None = None
    fatal: bool = False
    covered_until: datetime | None = None


class Interval(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """A run every so many seconds, without jitter: APScheduler's IntervalTrigger adds jitter up, and walks every missed slot."""

    early = timedelta(0)

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)
        self.follower_delay = min(self._interval / 10, MAX_FOLLOWER_DELAY)

    def __str__(self) -> str:
        return f"every {self._interval.total_seconds():g} s"

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the first time after `now` that is whole intervals after `previous`."""
        if previous is None or previous > now:
            return now + self._interval
        return previous + self._interval * ((now - previous) // self._interval + 1)

    def due_after(self, success: datetime) -> datetime:
        """Return when the run after a success is due."""
        return success + self._interval

    def after_set_back(self, due: datetime, jump: timedelta, now: datetime) -> datetime:
        """Keep the wait as long as it was."""
        return max(now, due + jump)


class CronSchedule(BaseTrigger):  # type: ignore[misc]
    """A run at the times of a cron expression."""

    follower_delay = MAX_FOLLOWER_DELAY
    early = CLOCK_SKEW  # by this host's clock, another host's run at a set time may begin before that time

    def __init__(self, cron: Cron) -> None:
        self._cron = cron

    def __str__(self) -> str:
        return str(self._cron)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:  # noqa: ARG002
        """Return the expression's first time after `now`."""
        return self._cron.after(now)

    def due_after(self, success: datetime) -> datetime:
        """Return the expression's first time that is not before a success."""
        return self._cron.at_or_after(success)

    def after_set_back(self, due: datetime, jump: timedelta, now: datetime) -> datetime:
        """Keep to the expression; the wait before a retry stays as long as it was."""
        return self._cron.at_or_after(now) if self._cron.at_or_after(due) == due else max(now, due + jump)


Schedule = Interval | CronSchedule


def first_run(schedule: Schedule, *, last_success: datetime | None, now: datetime) -> datetime:
    """Return the first run's time: now, unless the last success is fresh; one in the future was dated by a wrong clock."""
    if last_success is None or last_success > now:
        return now
    return max(now, schedule.due_after(last_success))


def failures_in_a_row(result: RunResult, before: int) -> int:
    """Return how many runs in a row failed, this one included; `before` without it."""
    return 0 if result.status in {Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE} else before + 1


def next_run(
    result: RunResult, schedule: Schedule, *, due: datetime, failures: int, now: datetime, random: Callable[[], float]
) -> datetime:
    """Return when to run after a run.

    A run that ended as planned keeps the schedule. A deferred run waits as long as the server asked, within limits; without
    a time, as a failed one, but at least FIRST_DELAY. A failure that may pass is retried before the scheduled time, ever
    more slowly; one that needs a person waits for the schedule.

    Args:
        result: how the run ended.
        schedule: the rhythm.
        due: the schedule's next time after the run's; if it passed during the run, it is not made up for.
        failures: as `failures_in_a_row` counts them.
        now: the time.
        random: a source of numbers from 0 to 1.
    """

    def later(seconds: float) -> datetime:
        return now + timedelta(seconds=seconds * (1 + JITTER * random()))

    if result.covered_until is not None:
        return result.covered_until
    scheduled = due if due > now else schedule.get_next_fire_time(due, now)
    backoff = min(scheduled, later(FIRST_DELAY * 2 ** min(max(failures - 1, 0), MAX_DOUBLINGS)))
    if result.status is Status.DEFERRED:
        if result.retry_after is None:
            return max(backoff, later(FIRST_DELAY))
        return later(min(max(result.retry_after, FIRST_DELAY), MAX_DEFERRAL))
    if result.status is Status.SKIPPED or (result.status is Status.FAILED and result.retry):
        return backoff
    return scheduled


def covered_by_other_host(schedule: Schedule, began: datetime, now: datetime) -> datetime | None:
    """Return when to check again, if a success that another host began at `began` stands for the run that is due.

    That is shortly after the other host's next run, so that this host takes over when that one is missing. None where the
    run has to be made: the success is too old, or lies in the future by a wrong clock.
    """
    if began > now + CLOCK_SKEW:
        return None
    due = schedule.due_after(began + schedule.early)
    return due + schedule.follower_delay if due > now else None


class ClockReading(NamedTuple):
    """The wall clock and the monotonic clock at one moment."""

    wall: datetime
    monotonic: float


def clock_jump(before: ClockReading, after: ClockReading) -> timedelta | None:
    """Return by how much the wall clock was set between two readings, a suspend included; None if it was not."""
    jump = after.wall - before.wall - timedelta(seconds=after.monotonic - before.monotonic)
    return jump if abs(jump) > MIN_JUMP else None
