"""The long-running service, and the only home of APScheduler's scheduler.

APScheduler 3.11 drops a run whose wake-up is a second late, counts a run that outlasts its interval as a second one that is
refused, lists every time that was missed before it takes the last, swallows what a job raises, dies in the middle of a job
at SIGTERM, and sleeps through a clock that was set back. So here: it is asked for one run at a time, no run is ever "missed",
a run's end plans the next one, signals only ring a bell, and the main thread looks at both clocks every few seconds.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from sync.logs import get_logger
from sync.ops.plan import JUMP, Clocks, Ended, first_run, next_run, next_slot
from sync.runs import Status

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 2.0
HUNG = 75
"""Exit status when a run does not end within the grace period; the lease and the fence keep the database safe."""
_FAREWELL = 1.0  # seconds at least for the last word to the database, however much of the grace period a run took


class Job(Protocol):
    """What the daemon runs. `sync.ops.service.Service` is the real one."""

    def run(self) -> Ended:
        """Run once; every expected failure is a value."""

    def interrupt(self) -> None:
        """Give up the fetch that is under way, if any, and every later one; a commit is finished."""

    def last_success(self) -> datetime | None:
        """When the last success ended."""

    def planned(self, moment: datetime | None) -> None:
        """Hear when the next run is due; None when the daemon stops. May take long, so never called by the main thread."""


@dataclass(eq=False)
class Daemon:
    """Runs the job at start, then on schedule, until it is asked to stop.

    Args:
        job: what to run.
        interval: seconds between the starts of two runs, if there is no `trigger`.
        grace: seconds that a stop may take.
        chance: a source of numbers from 0 to 1, for jitter.
        trigger: a cron trigger, instead of the interval.
        tell: tells systemd: `READY=1`, `STATUS=...`, `WATCHDOG=1`, `STOPPING=1`.
        look: seconds between two looks at the clocks, and two words to systemd's watchdog.
        clock: the wall clock, aware.
        monotonic: a clock that nobody sets.
    """

    job: Job
    interval: float
    grace: float
    chance: Callable[[], float]
    trigger: Any = None
    tell: Callable[[str], None] = lambda _message: None
    look: float = LOOK_SECONDS
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._bell, self._button = os.pipe()
        self._stopping = False
        self._idle = threading.Event()
        self._idle.set()
        self._slot = self.clock()
        self._noted: datetime | None = None
        self._noting = threading.Lock()
        self._troubles = 0
        self._signals = 0
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # misfire_grace_time: the default, one second, loses every run that is later than that.
            # max_instances: a run plans the next one while APScheduler still counts it; the one thread lets only one work.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 2},
        )

    def obey_signals(self) -> None:
        """Stop at SIGTERM and SIGINT; a second one leaves at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def stop(self) -> None:
        """Ask `serve` to end. Safe in a signal handler: it takes no lock that the interrupted code might hold."""
        os.write(self._button, b"!")

    def serve(self) -> None:
        """Run until asked to stop."""
        first = first_run(last_success=self.job.last_success(), due_after=self._due_after, now=self.clock())
        clocks = Clocks(self.clock(), self.monotonic())  # before anything is planned: a jump from here on is seen
        self._scheduler.start(paused=True)
        self._add(first)
        self._scheduler.resume()
        schedule = f"every {self.interval:g} s" if self.trigger is None else str(self.trigger)
        get_logger().info("daemon_started", first_run=first.isoformat(timespec="seconds"), schedule=schedule)
        self.tell("READY=1")
        while not select.select([self._bell], [], [], self.look)[0]:
            self._look(clocks)
        self._end()

    @property
    def alive(self) -> bool:
        """Whether the scheduler turns. An upstream or a database that is down does not change that."""
        thread = self._scheduler._thread  # noqa: SLF001 - APScheduler shows it nowhere else
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def _run(self) -> None:
        self._idle.clear()
        try:
            if not self._stopping:  # `_end` may hold the scheduler's locks by now: nothing here may ask for them
                self._plan(self._attempt())
        finally:
            self._idle.set()

    def _attempt(self) -> Ended:
        self.tell("STATUS=A run is at work.")
        try:
            return self.job.run()
        except BaseException as surprise:  # noqa: BLE001 - APScheduler would swallow it; here it is logged, and the next run planned
            get_logger().error("run_crashed", exc_info=surprise)
            return Ended(Status.FAILED, retry=True)

    def _plan(self, ended: Ended) -> None:
        """Plan the next run, by the clock as it is now: it may have been set while the run was at work."""
        fine = ended.status in {Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE}
        self._troubles = 0 if fine else self._troubles + 1
        now = self.clock()
        known = replace(ended, troubles=self._troubles)
        due = next_run(known, scheduled=self._scheduled(now), now=now, chance=self.chance)
        if not self._stopping:
            self._add(due)

    def _scheduled(self, now: datetime) -> datetime:
        """Give the schedule's next time after this run's. What came round while the run was at work is not made up for."""
        if self.trigger is None:
            return next_slot(self._slot, self.interval, now)
        just_now = self._slot - now < timedelta(seconds=JUMP)  # else the clock was set back
        return self._due_after(max(now, self._slot + timedelta(microseconds=1)) if just_now else now)

    def _due_after(self, moment: datetime) -> datetime:
        if self.trigger is None:
            return moment + timedelta(seconds=self.interval)
        due: datetime = self.trigger.get_next_fire_time(None, moment)
        return due

    def _add(self, due: datetime) -> None:
        """Have the run made at a time, instead of any other that was planned."""
        self._slot = due
        self._scheduler.add_job(self._run, "date", run_date=due, id="sync", replace_existing=True)
        self.tell(f"STATUS=The next run is due at {due:%Y-%m-%d %H:%M:%S} UTC.")
        self._note(due)

    def _note(self, due: datetime | None) -> threading.Thread:
        """Have the plan written down, by a thread of its own: a locked database must keep neither a run nor a stop waiting."""
        self._noted = due
        thread = threading.Thread(target=self._write_note, name="note", daemon=True)
        thread.start()
        return thread

    def _write_note(self) -> None:
        with self._noting:  # the newest plan, whichever of two threads comes last
            self.job.planned(self._noted)

    @property
    def _due(self) -> datetime | None:
        """When the next run is due; None while one is at work."""
        job = self._scheduler.get_job("sync")
        due: datetime | None = job and job.next_run_time
        return due

    def _look(self, clocks: Clocks) -> None:
        """Look at the clocks, and give the scheduler a nudge if it may be asleep past its time."""
        if self.alive:
            self.tell("WATCHDOG=1")
        now = self.clock()
        jump = clocks.jumped(now, self.monotonic())
        due = self._due
        if jump is not None:
            get_logger().warning("clock_jumped", seconds=jump.total_seconds())
        if due is not None and jump is not None and jump < timedelta(0):  # set back: the run would be later by as much
            at_a_set_time = self.trigger is not None and self._due_after(due) == due
            self._add(self._due_after(now) if at_a_set_time else max(now, due + jump))
        elif due is not None and now >= due:
            self._scheduler.wakeup()

    def _on_signal(self, number: int, _frame: Any) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(128 + number)
        self.stop()

    def _end(self) -> None:
        ends = self.monotonic() + self.grace
        self.tell("STOPPING=1\nSTATUS=Stopping.")
        get_logger().info("daemon_stopping", grace=self.grace)
        self._stopping = True
        self._scheduler.pause()
        self.job.interrupt()
        if not self._idle.wait(self.grace):
            get_logger().error("daemon_hung", hint="A run did not end within SYNC_GRACE; the process leaves without it.")
            os._exit(HUNG)
        self._scheduler.shutdown(wait=True)
        self._note(None).join(max(_FAREWELL, ends - self.monotonic()))
        get_logger().info("daemon_stopped")
