"""PURE. When the daemon runs next, after a success, a failure or a wish to be left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.run_record import Status

if TYPE_CHECKING:
    from collections.abc import Callable


FIRST_PAUSE = 30.0
"""Seconds before the first try after a failure; each further one doubles it, up to the schedule's own pause.
Less is never given to a server that asked to be left alone."""


LONGEST_DEFERRAL = 6 * 3600.0
"""Seconds. A Retry-After above this is not believed: a slip of the server's must not stop the sync for a year."""


MOST_DOUBLINGS = 10


JITTER = 0.1


LONGEST_BEHIND = timedelta(seconds=30)
"""What a daemon that follows another one adds to the time of that one's next run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What planning needs to know of a run that ended.

    Attributes:
        retry: whether the error, if any, is worth another try without a person.
        after: seconds that the server asked us to wait.
        troubles: how many runs in a row, this one included, were no success.
        last: whether this process can do nothing more.
    """

    status: Status
    retry: bool = False
    after: float | None = None
    troubles: int = 0
    last: bool = False


def next_run(ended: Ended, *, scheduled: datetime, now: datetime, random: Callable[[], float]) -> datetime:
    """Choose the next run's time.

    A plain end keeps the schedule. The server's wish to be left alone is kept, up to a limit; one without a time means the
    least pause, and the schedule at the latest. What may pass by itself is tried again sooner than scheduled, ever more
    slowly; what a person must mend waits for the schedule. Waits that are not the schedule's are stretched by up to a tenth,
    so that many installations do not come back in step.

    Args:
        ended: how the run ended.
        scheduled: when the schedule would run next; not before `now`.
        now: the time.
        random: a source of numbers from 0 to 1.
    """

    def later(seconds: float) -> datetime:
        return now + timedelta(seconds=seconds * (1 + JITTER * random()))

    sooner = min(scheduled, later(FIRST_PAUSE * 2 ** min(max(ended.troubles - 1, 0), MOST_DOUBLINGS)))
    if ended.status is Status.DEFERRED:
        if ended.after is None:
            return max(sooner, later(FIRST_PAUSE))
        return later(min(max(ended.after, FIRST_PAUSE), LONGEST_DEFERRAL))
    if ended.status is Status.SKIPPED or (ended.status is Status.FAILED and ended.retry):
        return sooner
    return scheduled


def next_slot(slot: datetime, interval: float, now: datetime) -> datetime:
    """Choose the first time after `now` that is whole intervals later than the last slot.

    However many have passed meanwhile (a long run, a suspend, a clock set forward), the next run is one, and in the future.
    A slot that lies in the future means that the clock was set back: then an interval from now.
    """
    behind = (now - slot).total_seconds()
    if behind < 0:
        return now + timedelta(seconds=interval)
    return slot + timedelta(seconds=interval * (behind // interval + 1))


def behind_another(interval: float | None) -> timedelta:
    """Choose how long after another host's next run to look whether it was made: a tenth of the interval, half a minute at most.

    Two that woke in the same second would meet at the lease every time.

    Args:
        interval: seconds between two runs; None for the times of an expression.
    """
    return LONGEST_BEHIND if interval is None else min(timedelta(seconds=interval / 10), LONGEST_BEHIND)


def first_run(*, last_success: datetime | None, due_after: Callable[[datetime], datetime], now: datetime) -> datetime:
    """Choose the first run's time: now, unless the schedule has not come round since the last success.

    Args:
        last_success: when it ended, None if there was none.
        due_after: the schedule's first time after a moment.
        now: the time.
    """
    if last_success is None or last_success > now:  # in the future: the clock was wrong then, or is now
        return now
    return max(now, due_after(last_success))
