"""The long-running service, and the only home of APScheduler's scheduler.

APScheduler 3.11 drops a run whose wake-up is a second late, swallows what a job raises, dies in the middle of a job at
SIGTERM, and sleeps through a clock that was set back. So here: no run is ever "missed", a run's end is a value that plans
the next one, signals only set a flag, and the main thread looks at both clocks every few seconds.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from sync.logs import get_logger
from sync.ops.plan import Clocks, Ended, first_run, next_run
from sync.runs import Status

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 2.0
HUNG = 75
"""Exit status when a run does not end within the grace period; the lease and the fence keep the database safe."""


class Job(Protocol):
    """What the daemon runs. `sync.ops.service.Service` is the real one."""

    def run(self) -> Ended:
        """Run once; every expected failure is a value."""

    def interrupt(self) -> None:
        """Give up the fetch that is under way, if any, and every later one; a commit is finished."""

    def last_success(self) -> datetime | None:
        """When the last success ended."""

    def planned(self, moment: datetime | None) -> None:
        """Hear when the next run is due; None when the daemon stops."""


@dataclass(eq=False)
class Daemon:
    """Runs the job at start, then on schedule, until it is asked to stop.

    Args:
        job: what to run.
        interval: seconds between the starts of two runs, if there is no `trigger`.
        trigger: a cron trigger, instead of the interval.
        grace: seconds that a stop may take.
        pulse: called every few seconds while the scheduler turns; tells systemd's watchdog.
        chance: a source of numbers from 0 to 1, for jitter.
        clock: the wall clock, aware.
        monotonic: a clock that nobody sets.
    """

    job: Job
    interval: float
    grace: float
    chance: Callable[[], float]
    trigger: Any = None
    pulse: Callable[[], None] = lambda: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._troubles = 0
        self._signals = 0
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # misfire_grace_time: the default, one second, loses every run that is later than that.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def serve(self) -> None:
        """Run until asked to stop by SIGTERM or SIGINT. A second signal leaves at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        now = self.clock()
        first = first_run(last_success=self.job.last_success(), due_after=self._due_after, now=now)
        schedule = self.trigger or IntervalTrigger(seconds=self.interval, timezone=UTC)
        self._scheduler.add_job(self._run, schedule, id="sync", next_run_time=first)
        self._scheduler.start()
        self.job.planned(first)
        get_logger().info("daemon_started", first_run=first.isoformat(), interval=self.interval if self.trigger is None else None)
        clocks = Clocks(now, self.monotonic())
        while not self._stop.wait(LOOK_SECONDS):
            self._look(clocks)
        self._end()

    @property
    def alive(self) -> bool:
        """Whether the scheduler turns. An upstream or a database that is down does not change that."""
        thread = self._scheduler._thread  # noqa: SLF001 - APScheduler shows it nowhere else
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def _run(self) -> None:
        self._idle.clear()
        scheduled = self._due or self.clock()
        self._scheduler.pause_job("sync")  # else a run that outlasts the interval would count as a second one that is refused
        ended = Ended(Status.FAILED, retry=True)
        try:
            if not self._stop.is_set():
                ended = self.job.run()
        except BaseException as surprise:  # noqa: BLE001 - APScheduler would swallow it; here it is logged, and the next run planned
            get_logger().error("run_crashed", exc_info=surprise)
        finally:
            self._plan(ended, scheduled)
            self._idle.set()

    def _plan(self, ended: Ended, scheduled: datetime) -> None:
        fine = ended.status in {Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE}
        self._troubles = 0 if fine else self._troubles + 1
        now = self.clock()
        known = Ended(ended.status, ended.retry, ended.after, self._troubles)
        self._reschedule(next_run(known, scheduled=max(now, scheduled), now=now, chance=self.chance))

    @property
    def _due(self) -> datetime | None:
        """When the next run is due; None while one is at work."""
        moment: datetime | None = self._scheduler.get_job("sync").next_run_time
        return moment

    def _reschedule(self, due: datetime) -> None:
        if self._stop.is_set():
            return
        self._scheduler.modify_job("sync", next_run_time=due)
        self.job.planned(due)

    def _due_after(self, moment: datetime) -> datetime:
        if self.trigger is None:
            return moment + timedelta(seconds=self.interval)
        due: datetime = self.trigger.get_next_fire_time(None, moment)
        return due

    def _look(self, clocks: Clocks) -> None:
        """Look at the clocks, and give the scheduler a nudge if it may be asleep past its time."""
        if self.alive:
            self.pulse()
        now = self.clock()
        jump = clocks.jumped(now, self.monotonic())
        due = self._due
        if jump is not None:
            get_logger().warning("clock_jumped", seconds=jump.total_seconds())
        if due is not None and jump is not None and jump < timedelta(0):  # set back: the run would be later by as much
            self._reschedule(self._due_after(now) if self.trigger is not None else max(now, due + jump))
        elif due is not None and now >= due:
            self._scheduler.wakeup()

    def _on_signal(self, number: int, _frame: Any) -> None:
        # Nothing but flags in here: the scheduler's own shutdown could wait for a lock that the interrupted code holds.
        self._signals += 1
        if self._signals > 1:
            os._exit(128 + number)
        self._stop.set()

    def _end(self) -> None:
        get_logger().info("daemon_stopping", grace=self.grace)
        self._scheduler.pause()
        self.job.interrupt()
        if not self._idle.wait(self.grace):
            get_logger().error("daemon_hung", hint="A run did not end within SYNC_GRACE; the process leaves without it.")
            os._exit(HUNG)
        self._scheduler.shutdown(wait=True)
        self.job.planned(None)
        get_logger().info("daemon_stopped")
