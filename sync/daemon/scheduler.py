"""The daemon's process: APScheduler runs the one job, and the main thread handles signals and checks the clocks.

APScheduler 3.11 drops a run that is a second late (hence no misfire limit), swallows exceptions, and waits too long after the
wall clock was set back; a signal handler that shuts it down can deadlock. So the job catches everything, the main thread
compares the clocks every few seconds, and signal handlers only write to a pipe.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_SCHEDULER_STARTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler

from sync.catalog.run_record import Status
from sync.config.resource_limits import resource_error
from sync.daemon.next_run import (
    MIN_JUMP,
    RunResult,
    clock_offset,
    covered_by_other_host,
    failures_in_a_row,
    first_run,
    next_run,
)
from sync.daemon.signals import RELOAD, STOP, SignalPipe
from sync.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.events import JobSubmissionEvent

    from sync.daemon.next_run import Schedule
    from sync.daemon.service import Service

CHECK_SECONDS = 2.0

HUNG = 75
"""Exit status when a run does not end within the grace period; the lease and its fencing token keep the database safe."""

FINAL_WRITE_TIMEOUT = 1.0
"""Minimum timeout in seconds of the last write to the database, even if the run used up the grace period."""

_JOB = "sync"


@dataclass(eq=False)
class Daemon:
    """Run the service at start, then on schedule, until asked to stop.

    Args:
        service: the service. While serving, the main thread calls none of its methods that may wait for the database.
        grace: maximum duration of a stop, in seconds.
        random: returns a number from 0 to 1, for jitter.
        max_run: seconds after which a run counts as hung, and this process as not live.
        reload: rereads the files of secrets, at SIGHUP; must not raise or wait for the database.
        notify: sends a message to systemd: `READY=1`, `STATUS=...`, `WATCHDOG=1`, `STOPPING=1`.
        check_every: seconds between two checks of the clocks, and two messages to systemd's watchdog.
        clock: the wall clock, aware.
        monotonic: the monotonic clock.
    """

    service: Service
    schedule: Schedule
    grace: float
    random: Callable[[], float]
    max_run: float = math.inf
    reload: Callable[[], None] = lambda: None
    flush_logs: Callable[[], None] = lambda: None
    notify: Callable[[str], None] = lambda _message: None
    check_every: float = CHECK_SECONDS
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.signals = SignalPipe()
        self._stopping = False
        self._failures = 0
        self._run_began: float | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._planning = threading.RLock()
        self._planned: datetime | None = None
        self._saving = threading.Lock()
        # It warns of scheduled times that pass during a run, which are skipped on purpose.
        logger = logging.getLogger("apscheduler.daemon")
        logger.setLevel(logging.ERROR)
        self._scheduler: Any = BlockingScheduler(
            timezone=UTC,
            logger=logger,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None},
        )
        # The scheduler blocks in its own thread, so that `live` can check that thread.
        self._thread = threading.Thread(target=self._scheduler.start, name="scheduler", daemon=True)

    def stop(self) -> None:
        """Ask `serve` to return. Takes no lock, so it is safe in a signal handler."""
        self.signals.request_stop()

    def serve(self) -> None:
        """Run until asked to stop."""
        self._clock_offset = clock_offset(self.clock(), self.monotonic())  # first, so that no jump is missed
        due = first_run(self.schedule, last_success=self.service.last_success(), now=self.clock())
        self._scheduler.add_job(self._run, self.schedule, id=_JOB, next_run_time=due)
        self._announce(due)
        started = threading.Event()
        self._scheduler.add_listener(lambda _event: started.set(), EVENT_SCHEDULER_STARTED)
        self._scheduler.add_listener(self._restore_plan, EVENT_JOB_MAX_INSTANCES)
        self._thread.start()
        started.wait()
        get_logger().info("daemon_started", first_run=due.isoformat(timespec="seconds"), schedule=str(self.schedule))
        self.notify("READY=1")
        while (request := self.signals.wait(self.check_every)) != STOP:
            if request == RELOAD:
                self.reload()
            if self.live()[0]:
                self.notify("WATCHDOG=1")
            self._follow_clock()
            if self._next_run_time() <= self.clock():  # the scheduler's timer misses a suspend or a clock that was set forward
                self._scheduler.wakeup()
        self._end()

    def live(self) -> tuple[bool, str]:
        """Return whether this process works, and one line, for liveness; the API and the database do not matter."""
        if not (self._scheduler.running and self._thread.is_alive()):
            return False, "the scheduler is stuck"
        began = self._run_began
        if began is not None and self.monotonic() - began > self.max_run:
            return False, f"a run has been active for more than {self.max_run:.0f} s, the limit of a run"
        return True, "the scheduler is alive"

    def _run(self) -> None:
        self._idle.clear()
        self._run_began = self.monotonic()
        try:
            if self._stopping:  # `_end` may hold the scheduler's locks, so nothing here may wait for them
                return
            result = self._attempt()
            if self.service.outdated:
                self.stop()
            elif not self._stopping:
                self._plan(result)
        finally:
            self._run_began = None
            self._idle.set()

    def _restore_plan(self, event: JobSubmissionEvent) -> None:
        """Repeat the plan if the scheduler skipped it: it counts a run as active until shortly after `_run` returned."""
        with self._planning:
            if not self._stopping and self._run_began is None and self._planned in event.scheduled_run_times:
                self._scheduler.modify_job(_JOB, next_run_time=self._planned)

    def _attempt(self) -> RunResult:
        """Run, unless another host has just made this run."""
        try:
            began = self.service.last_success_elsewhere()
            if began and (covered_until := covered_by_other_host(self.schedule, began, self.clock())):
                get_logger().info("run_made_elsewhere", began=began.isoformat(timespec="seconds"))
                return RunResult(Status.SUCCEEDED, covered_until=covered_until)
            self.notify("STATUS=A run is active.")
            return self.service.run()
        except BaseException as error:  # noqa: BLE001 - APScheduler would swallow it
            get_logger().error("run_crashed", exc_info=error)
            return RunResult(Status.FAILED, retry=True)

    def _plan(self, result: RunResult) -> None:
        """Move the job's next run to the time that the run's result calls for."""
        with self._planning:
            self._run_began = None
            self._follow_clock()  # first, so that a jump during the run does not move this plan
            self._failures = failures_in_a_row(result, self._failures)
            due = self._next_run_time()
            self._move(next_run(result, self.schedule, due=due, failures=self._failures, now=self.clock(), random=self.random))

    def _follow_clock(self) -> None:
        """Compare the clocks, and move the next run along with a wall clock that was set back."""
        with self._planning:
            before, self._clock_offset = self._clock_offset, clock_offset(self.clock(), self.monotonic())
            jump = self._clock_offset - before
            if abs(jump) <= MIN_JUMP:
                return
            get_logger().warning("clock_jumped", seconds=jump.total_seconds())
            if jump < timedelta(0):
                self._move(self.schedule.after_set_back(self._next_run_time(), jump, self.clock()))

    def _next_run_time(self) -> datetime:
        due: datetime = self._scheduler.get_job(_JOB).next_run_time
        return due

    def _move(self, due: datetime) -> None:
        self._scheduler.modify_job(_JOB, next_run_time=due)
        self._announce(due)

    def _announce(self, due: datetime) -> None:
        self.notify(f"STATUS=The next run is due at {due:%Y-%m-%d %H:%M:%S} UTC.")
        self._save_plan(due)

    def _save_plan(self, due: datetime | None, wait: float = 0.0) -> None:
        """Store the plan in a thread, as a locked database must delay neither a run nor a stop; wait a limited time for it."""

        def write() -> None:
            with self._saving:
                self.service.save_plan(self._planned)  # the newest plan, whatever the order of the threads

        self._planned = due
        thread = threading.Thread(target=write, name="plan", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread is available; a run is worth more than its plan
            get_logger().warning("next_run_not_recorded", error=str(resource_error(error) or error))
        else:
            thread.join(wait)

    def _end(self) -> None:
        ends = self.monotonic() + self.grace
        self.notify("STOPPING=1\nSTATUS=Stopping.")
        get_logger().info("daemon_stopping", grace=self.grace)
        with self._planning:  # a plan in progress needs the job, which `shutdown` removes
            self._stopping = True
        self._scheduler.pause()
        self.service.interrupt()
        if not self._idle.wait(self.grace):
            get_logger().error(
                "daemon_hung", hint="A run did not end within SYNC_GRACE; the process exits without waiting for it."
            )
            self.flush_logs()
            os._exit(HUNG)
        self._scheduler.shutdown(wait=True)
        self._thread.join()
        self._save_plan(None, wait=max(FINAL_WRITE_TIMEOUT, ends - self.monotonic()))
        get_logger().info("daemon_stopped")
