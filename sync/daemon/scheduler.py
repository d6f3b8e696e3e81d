"""The long-running service, and the only home of APScheduler's scheduler.

There is one job, and one trigger that says when it is due: `sync.daemon.schedule`. What APScheduler 3.11 does by default and a
service cannot use is set otherwise, or done here: it drops a run whose wake-up is a second late, refuses a run while the last
one is at work, swallows what a job raises, dies in the middle of a job at SIGTERM, and sleeps through a clock that was set back.
So no run is ever "missed", a run's end resumes the schedule, signals only ring a bell, and the main thread looks at both clocks
every few seconds.
"""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from apscheduler.events import EVENT_SCHEDULER_STARTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler

from sync.daemon.backoff import Ended
from sync.daemon.clock_watch import Clocks
from sync.daemon.schedule import NEVER, Schedule
from sync.logs import get_logger
from sync.run_record import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.cron import Cron


LOOK_SECONDS = 2.0


HUNG = 75
"""Exit status when a run does not end within the grace period; the lease and its fence keep the database safe."""


_JOB = "sync"


_FAREWELL = 1.0  # seconds at least for the last word to the database, however much of the grace period a run took


class Job(Protocol):
    """What the daemon runs. `sync.daemon.service.Service` is the real one."""

    def run(self) -> Ended:
        """Run once; every expected failure is a value."""

    def interrupt(self) -> None:
        """Give up the fetch that is under way, if any, and every later one; a commit is finished."""

    def last_success(self) -> datetime | None:
        """When the last success ended."""

    def made_elsewhere(self) -> datetime | None:
        """When the last success began; None where it is this job's own, or where nobody can say."""

    def planned(self, moment: datetime | None) -> None:
        """Hear when the next run is due; None when the daemon stops. May take long, so never called by the main thread."""


@dataclass(eq=False)
class Daemon:
    """Runs the job at start, then on schedule, until it is asked to stop.

    Args:
        job: what to run.
        interval: seconds between the starts of two runs, if there is no `cron`.
        grace: seconds that a stop may take.
        random: a source of numbers from 0 to 1, for jitter.
        cron: the times of an expression, instead of the interval.
        longest: seconds that no run may take; whatever it hangs on, this process is no longer of use then.
        notify: tells systemd: `READY=1`, `STATUS=...`, `WATCHDOG=1`, `STOPPING=1`.
        look: seconds between two looks at the clocks, and two words to systemd's watchdog.
        clock: the wall clock, aware.
        monotonic: a clock that nobody sets.
    """

    job: Job
    interval: float
    grace: float
    random: Callable[[], float]
    cron: Cron | None = None
    longest: float = math.inf
    notify: Callable[[str], None] = lambda _message: None
    look: float = LOOK_SECONDS
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._bell, self._button = os.pipe()
        self._stopping = False
        self._idle = threading.Event()
        self._idle.set()
        self._began: float | None = None
        self._noted: datetime | None = None
        self._noting = threading.Lock()
        self._signals = 0
        self._schedule = Schedule(interval=self.interval, cron=self.cron, random=self.random)
        self._scheduler: Any = BlockingScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # misfire_grace_time: the default, one second, loses every run that is later than that.
            # max_instances: a run resumes the job while APScheduler still counts it; the one thread lets only one work.
            job_defaults={"misfire_grace_time": None, "max_instances": 2},
        )
        # A thread of our own: whether it lives is what the probes and systemd's watchdog ask.
        self._thread = threading.Thread(target=self._scheduler.start, name="scheduler", daemon=True)

    def obey_signals(self) -> None:
        """Stop at SIGTERM and SIGINT; a second one leaves at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def stop(self) -> None:
        """Ask `serve` to end. Safe in a signal handler: it takes no lock that the interrupted code might hold."""
        os.write(self._button, b"!")

    def serve(self) -> None:
        """Run until asked to stop."""
        self._schedule.last_success = self.job.last_success()
        clocks = Clocks(self.clock(), self.monotonic())  # before anything is planned: a jump from here on is seen
        first = self._schedule.get_next_fire_time(None, self.clock())
        self._scheduler.add_job(self._run, self._schedule, id=_JOB, next_run_time=first)
        self._announce(first)
        started = threading.Event()
        self._scheduler.add_listener(lambda _event: started.set(), EVENT_SCHEDULER_STARTED)
        self._thread.start()
        started.wait()
        get_logger().info("daemon_started", first_run=first.isoformat(timespec="seconds"), schedule=str(self._schedule))
        self.notify("READY=1")
        while not select.select([self._bell], [], [], self.look)[0]:
            self._look(clocks)
        self._end()

    def live(self) -> tuple[bool, str]:
        """Whether this process does what it is for, and one line about it: what the probe and systemd's watchdog ask."""
        if not self.alive:
            return False, "the scheduler stands still"
        began = self._began
        if began is not None and self.monotonic() - began > self.longest:
            return False, f"a run has been at work for more than {self.longest:.0f} s, which no run may"
        return True, "the scheduler turns"

    @property
    def alive(self) -> bool:
        """Whether the scheduler turns. An upstream or a database that is down does not change that."""
        return bool(self._scheduler.running) and self._thread.is_alive()

    def _run(self) -> None:
        self._idle.clear()
        self._began = self.monotonic()
        try:
            if not self._stopping:  # `_end` may hold the scheduler's locks by now: nothing here may ask for them
                ended = self._attempt()
                if ended is not None:
                    self._schedule.ended(ended)
                if ended is not None and ended.last:
                    self.stop()
                else:
                    self._resume()
        finally:
            self._began = None
            self._idle.set()

    def _made_elsewhere(self) -> bool:
        """Look whether the run that is due was just made by another host, or by hand: there is one schedule for all of them."""
        began = self.job.made_elsewhere()
        if began is None or not self._schedule.made_elsewhere(began, self.clock()):
            return False
        get_logger().info("run_made_elsewhere", began=began.isoformat(timespec="seconds"))
        return True

    def _attempt(self) -> Ended | None:
        """Make the run that is due; None where it was made elsewhere."""
        try:
            if self._made_elsewhere():
                return None
            self.notify("STATUS=A run is at work.")
            return self.job.run()
        except BaseException as surprise:  # noqa: BLE001 - APScheduler would swallow it; here it is logged, and the next run planned
            get_logger().error("run_crashed", exc_info=surprise)
            return Ended(Status.FAILED, retry=True)

    def _resume(self) -> None:
        """Go on with the schedule, by the clock as it is now: it may have been set while the run was at work."""
        if not self._stopping:
            self._scheduler.resume_job(_JOB)
            self._announce(self._schedule.due)

    def _announce(self, due: datetime) -> None:
        """Tell when the next run is due."""
        self.notify(f"STATUS=The next run is due at {due:%Y-%m-%d %H:%M:%S} UTC.")
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

    def _look(self, clocks: Clocks) -> None:
        """Look at the clocks, and give the scheduler a nudge if it may be asleep past its time."""
        if self.live()[0]:
            self.notify("WATCHDOG=1")
        now = self.clock()
        jump = clocks.jumped(now, self.monotonic())
        if jump is not None:
            get_logger().warning("clock_jumped", seconds=jump.total_seconds())
        due = self._scheduler.get_job(_JOB).next_run_time
        if due == NEVER:  # a run is at work; its end decides
            return
        if jump is not None and jump < timedelta(0):
            due = self._schedule.after_set_back(due, jump, now)
            self._scheduler.modify_job(_JOB, next_run_time=due)
            self._announce(due)
        elif now >= due:
            self._scheduler.wakeup()

    def _on_signal(self, number: int, _frame: Any) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(128 + number)
        self.stop()

    def _end(self) -> None:
        ends = self.monotonic() + self.grace
        self.notify("STOPPING=1\nSTATUS=Stopping.")
        get_logger().info("daemon_stopping", grace=self.grace)
        self._stopping = True
        self._scheduler.pause()
        self.job.interrupt()
        if not self._idle.wait(self.grace):
            get_logger().error("daemon_hung", hint="A run did not end within SYNC_GRACE; the process leaves without it.")
            os._exit(HUNG)
        self._scheduler.shutdown(wait=True)
        self._thread.join()
        self._note(None).join(max(_FAREWELL, ends - self.monotonic()))
        get_logger().info("daemon_stopped")
