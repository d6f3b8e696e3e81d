"""PURE. Compute when the daemon runs next, also after a failure or a run of another host; APScheduler only for the base class."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.triggers.base import BaseTrigger

from sync.catalog.run_record import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.config.cron import Cron

FIRST_DELAY = 30.0
"""Seconds before the first retry of a run, doubled for each further one up to the scheduled time; minimum wait after a 455."""
MAX_DOUBLINGS = 10
MAX_DEFERRAL = 6 * 3600.0
"""Seconds; limits Retry-After, so that a wrong value does not stop the sync for days."""
JITTER = 0.1
"""Retries and deferrals are lengthened by up to this fraction, so that installations do not retry at the same time."""
MAX_FOLLOWER_DELAY = timedelta(seconds=30)
"""Limit of the delay of a follower, a tenth of the interval, so that hosts do not compete for the lease."""
CLOCK_SKEW = timedelta(seconds=5)
"""Maximum difference of the clocks of two hosts."""
MIN_JUMP = timedelta(seconds=5)
"""Smaller differences between the wall clock and the monotonic clock are drift, not a jump."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run, for scheduling.

    Attributes:
        retry: whether the error, if any, may be temporary.
        retry_after: seconds that the server asked to wait.
        covered_until: time of the next check, if another host made the run.
    """

    status: Status
    retry: bool = False
    retry_after: float | None = None
    covered_until: datetime | None = None


class Interval(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """A run every `seconds`, without jitter: APScheduler's IntervalTrigger accumulates jitter and computes each missed time."""

    early = timedelta(0)

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)
        self.follower_delay = min(self._interval / 10, MAX_FOLLOWER_DELAY)

    def __str__(self) -> str:
        return f"every {self._interval.total_seconds():g} s"

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the first time after `now` that is a multiple of the interval after `previous`."""
        if previous is None or previous > now:
            return now + self._interval
        return previous + self._interval * ((now - previous) // self._interval + 1)

    def due_after(self, success: datetime) -> datetime:
        """Return when the run after a success is due."""
        return success + self._interval

    def after_set_back(self, due: datetime, jump: timedelta, now: datetime) -> datetime:
        """Return the time that keeps the length of the wait after the clock was set back."""
        return max(now, due + jump)


class CronSchedule(BaseTrigger):  # type: ignore[misc]
    """A run at the times of a cron expression."""

    follower_delay = MAX_FOLLOWER_DELAY
    early = CLOCK_SKEW  # a run of another host may start before its scheduled time by the clock of this host

    def __init__(self, cron: Cron) -> None:
        self._cron = cron

    def __str__(self) -> str:
        return str(self._cron)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:  # noqa: ARG002
        """Return the first time of the expression after `now`."""
        return self._cron.after(now)

    def due_after(self, success: datetime) -> datetime:
        """Return the first time of the expression that is not before a success."""
        return self._cron.at_or_after(success)

    def after_set_back(self, due: datetime, jump: timedelta, now: datetime) -> datetime:
        """Return a time of the expression after the clock was set back; the wait before a retry keeps its length."""
        return self._cron.at_or_after(now) if self._cron.at_or_after(due) == due else max(now, due + jump)


Schedule = Interval | CronSchedule


def first_run(schedule: Schedule, *, last_success: datetime | None, now: datetime) -> datetime:
    """Return the time of the first run: now, unless the last success is recent; one in the future is ignored."""
    if last_success is None or last_success > now:
        return now
    return max(now, schedule.due_after(last_success))


def failures_in_a_row(result: RunResult, before: int) -> int:
    """Return the number of consecutive failed runs, this one included; `before` is the number without it."""
    return 0 if result.status in {Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE} else before + 1


def next_run(
    result: RunResult, schedule: Schedule, *, due: datetime, failures: int, now: datetime, random: Callable[[], float]
) -> datetime:
    """Return when the next run is due.

    A run that completed keeps the schedule. A deferred run waits as long as the server requires, within limits; without a time,
    like a failed run, but at least FIRST_DELAY. A temporary failure is retried before the scheduled time, with exponential
    backoff; other failures wait for the schedule.

    `due` is the next scheduled time after the run; if it passed during the run, it is skipped. `failures` is the number that
    `failures_in_a_row` returned.
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
    """Return when to check again, if a success that another host started at `began` covers the run that is due; else None.

    The check is shortly after the next run of the other host, so that this host takes over if that run is missing. A success
    that is too old, or in the future, does not cover the run.
    """
    if began > now + CLOCK_SKEW:
        return None
    due = schedule.due_after(began + schedule.early)
    return due + schedule.follower_delay if due > now else None


def clock_offset(wall: datetime, monotonic: float) -> datetime:
    """Return the time at which the monotonic clock was zero: constant unless the wall clock is set or the machine suspended."""
    return wall - timedelta(seconds=monotonic)
