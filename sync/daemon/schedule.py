"""The one trigger of the daemon's one job: APScheduler asks it for the next time, the rules of `backoff` decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.triggers.base import BaseTrigger

from sync.daemon.backoff import Ended, behind_another, first_run, next_run, next_slot
from sync.daemon.clock_watch import JUMP
from sync.run_record import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.cron import Cron


NEVER = datetime.max.replace(tzinfo=UTC)
"""The answer while a run is at work: None would make APScheduler forget the job."""


_SKEW = timedelta(seconds=5)
"""How far two hosts' clocks may be apart for a run at a set time to count for both: one may have begun before that, by ours."""


class Schedule(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """At start unless the last success is fresh, then in the rhythm of an interval or of cron, after trouble sooner or later.

    APScheduler asks in two ways. With a previous time: a run is being handed over, and what follows it is not known before it
    has ended. Without one, when the job begins and whenever it is resumed: when is it due?

    Attributes:
        last_success: when it ended, to be set before the first question; None if there was none.
        due: the last answer to the second question; while a run is at work, still its own time.
    """

    def __init__(self, *, interval: float, cron: Cron | None, random: Callable[[], float]) -> None:
        """Begin.

        Args:
            interval: seconds between the starts of two runs, if there is no `cron`.
            cron: the times of an expression, instead of the interval.
            random: a source of numbers from 0 to 1, for jitter.
        """
        self.last_success: datetime | None = None
        self.due = NEVER
        self._interval = interval
        self._cron = cron
        self._random = random
        self._slot: datetime | None = None
        self._ended: Ended | None = None
        self._instead: datetime | None = None

    def __str__(self) -> str:
        return f"every {self._interval:g} s" if self._cron is None else str(self._cron)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Answer APScheduler."""
        if previous_fire_time is not None:
            self._slot = previous_fire_time
            return NEVER
        if self._instead is not None:
            self.due = self._instead
        else:
            self.due = self._first(now) if self._ended is None else self._next(self._ended, now)
        return self.due

    def ended(self, ended: Ended) -> None:
        """Hear how the run ended, before the next time is asked for."""
        fine = ended.status in {Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE}
        before = self._ended.troubles if self._ended else 0
        self._ended, self._instead = replace(ended, troubles=0 if fine else before + 1), None

    def made_elsewhere(self, began: datetime, now: datetime) -> bool:
        """Hear when the newest success of another process began; tell whether it stands for the run that is due.

        If so, the next time is a little after that one's next, so that it goes on and this one takes over when it does not.
        """
        if began > now + _SKEW:  # its clock is ahead, or ours was: by such a time nobody may wait
            return False
        following = self._not_before(began if self._cron is None else began + _SKEW)
        if following <= now:
            return False
        self._ended = Ended(Status.SUCCEEDED)
        self._instead = following + behind_another(None if self._cron else self._interval)
        return True

    def after_set_back(self, due: datetime, jump: timedelta, now: datetime) -> datetime:
        """Move the time of a run that was due, now that the clock was set back: else it would be later by as much."""
        if self._cron is not None and self._cron.at_or_after(due) == due:  # not a retry: a time of the expression's
            return self._cron.at_or_after(now)
        return max(now, due + jump)

    def _first(self, now: datetime) -> datetime:
        return first_run(last_success=self.last_success, due_after=self._not_before, now=now)

    def _next(self, ended: Ended, now: datetime) -> datetime:
        return next_run(ended, scheduled=self._following(self._slot or now, now), now=now, random=self._random)

    def _following(self, slot: datetime, now: datetime) -> datetime:
        """Choose the schedule's next time after a run's. What came round while the run was at work is not made up for."""
        if self._cron is None:
            return next_slot(slot, self._interval, now)
        set_back = slot - now >= timedelta(seconds=JUMP)
        return self._cron.after(now if set_back else max(now, slot))

    def _not_before(self, moment: datetime) -> datetime:
        return moment + timedelta(seconds=self._interval) if self._cron is None else self._cron.at_or_after(moment)
