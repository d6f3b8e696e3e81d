"""The schedule of the daemon with jumps of the clock, failed and slow runs, by a clock and a job of the test."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import structlog
import time_machine

from sync.catalog.run_record import Status
from sync.config.cron import Cron
from sync.daemon.next_run import CronSchedule, Interval, RunResult, Schedule
from sync.daemon.scheduler import Daemon
from sync.daemon.service import Service
from tests.daemons import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from time_machine import Traveller


class FakeJob(Service):
    """Records the calls of the daemon."""

    def __init__(self, work: Callable[[], RunResult] = lambda: RunResult(Status.SUCCEEDED), last: datetime | None = None) -> None:
        self.work = work
        self.last = last
        self.runs = 0
        self.at_work = 0
        self.most_at_work = 0
        self.interrupted = False
        self.plans: list[datetime | None] = []
        self.elsewhere: datetime | None = None

    def run(self) -> RunResult:
        self.runs += 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            return self.work()
        finally:
            self.at_work -= 1

    def interrupt(self) -> None:
        self.interrupted = True

    def last_success(self) -> datetime | None:
        return self.last

    def last_success_elsewhere(self) -> datetime | None:
        return self.elsewhere

    def save_plan(self, due: datetime | None) -> None:
        self.plans.append(due)


@pytest.fixture
def wall() -> Iterator[Traveller]:
    """The wall clock of this process, including that of APScheduler, but not the monotonic clock."""
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield traveller


@contextmanager
def serving(job: FakeJob, schedule: Schedule = Interval(3600.0), **options: Any) -> Iterator[Daemon]:  # noqa: B008 - no state
    daemon = Daemon(job, schedule, grace=10.0, check_every=0.02, **{"random": lambda: 0.0, **options})
    thread = threading.Thread(target=daemon.serve)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(20)
        assert not thread.is_alive()


def due(job: FakeJob) -> float:
    """Seconds until the run that was planned last; NaN if there is none."""
    planned = job.plans[-1] if job.plans else None
    return float("nan") if planned is None else (planned - datetime.now(UTC)).total_seconds()


def test_a_run_of_another_host_is_not_repeated_until_one_is_missing(wall: Traveller) -> None:
    job = FakeJob()
    job.elsewhere = datetime.now(UTC) - timedelta(minutes=10)
    with structlog.testing.capture_logs() as logs, serving(job):
        until(lambda: len(job.plans) == 2, "a check and a plan")
        assert 3000 + 25 < due(job) <= 3000 + 30  # 50 minutes and the delay of a follower
        assert job.runs == 0
        wall.shift(timedelta(seconds=3031))
        until(lambda: job.runs == 1, "a run of this host")
    assert [line["event"] for line in logs].count("run_made_elsewhere") == 1


def test_an_unexpected_error_of_the_check_for_other_hosts_does_not_end_the_schedule() -> None:
    class Failing(FakeJob):
        checks = 0

        def last_success_elsewhere(self) -> datetime | None:
            self.checks += 1
            if self.checks == 1:
                raise RuntimeError("a bug")
            return None

    job = Failing()
    with structlog.testing.capture_logs() as logs, serving(job, Interval(0.05)):
        until(lambda: job.checks >= 2 and len(job.plans) >= 2, "a plan after the unexpected error")
    assert "run_crashed" in [line["event"] for line in logs]
    assert job.plans[1] is not None


def test_consecutive_failures_are_retried_with_backoff_until_a_run_completes_here_or_elsewhere(wall: Traveller) -> None:
    failed, settled, held = RunResult(Status.FAILED, retry=True), RunResult(Status.SUCCEEDED), RunResult(Status.HELD)
    results = [failed, failed, settled, failed, failed, held, failed, failed, failed]

    def work() -> RunResult:
        job.elsewhere = datetime.now(UTC) if job.runs == 8 else None  # the next retry finds a run of another host
        return results[job.runs - 1]

    job = FakeJob(work)
    waits: list[float] = []
    with serving(job):
        while len(waits) < 10:
            until(lambda: len(job.plans) == len(waits) + 2, "a plan after the last run")
            waits.append(round(due(job), -1))
            if len(waits) < 10:
                wall.shift(timedelta(seconds=waits[-1] + 1))
    assert waits == [30, 60, 3600, 30, 60, 3600, 30, 60, 3570, 30]


def test_a_retry_that_is_due_while_the_scheduler_still_counts_the_failed_run_is_not_skipped(wall: Traveller) -> None:
    job = FakeJob(lambda: RunResult(Status.FAILED if job.runs == 1 else Status.SUCCEEDED, retry=job.runs == 1))

    def random() -> float:
        if job.runs == 1:
            wall.shift(timedelta(minutes=5))  # the retry, 30 s after the run, is due before it is planned
        return 0.0

    def notify(message: str) -> None:
        if job.runs == 1 and "due" in message:
            time.sleep(0.2)  # meanwhile the scheduler counts the run as active, and processes the plan

    with serving(job, random=random, notify=notify):
        until(lambda: job.runs >= 2, "the retry", within=5)


class Blocking(FakeJob):
    """A job whose run ends when the event `go_on` is set."""

    def __init__(self, status: Status) -> None:
        super().__init__(self._wait)
        self.status = status
        self.begun, self.go_on = threading.Event(), threading.Event()

    def _wait(self) -> RunResult:
        self.begun.set()
        self.go_on.wait(20)
        return RunResult(self.status)


def daily(expression: str) -> CronSchedule:
    return CronSchedule(Cron(expression, ZoneInfo("UTC")))


@pytest.mark.parametrize(("schedule", "result", "jump", "least", "most"), [
    (Interval(3600.0), RunResult(Status.SUCCEEDED), timedelta(hours=-5), 3500, 3600),  # the wait keeps its length
    (daily("0 3 * * *"), RunResult(Status.SUCCEEDED), timedelta(days=-2), 0, 86400),  # the next time of the expression
    (daily("0 3 29 2 *"), RunResult(Status.FAILED, retry=True), timedelta(days=-2), 0, 30),  # a retry
], ids=["interval", "cron", "retry"])  # fmt: skip
def test_a_clock_set_back_while_idle_delays_no_run(
    wall: Traveller, schedule: Schedule, result: RunResult, jump: timedelta, least: float, most: float
) -> None:
    job = FakeJob(lambda: result)
    with serving(job, schedule):
        until(lambda: len(job.plans) == 2, "the first run and its plan")
        wall.shift(jump)
        until(lambda: len(job.plans) == 3, "a new plan")
        moment = job.plans[-1]
        assert least < due(job) <= most
        if most > 3600:
            assert moment is not None
            assert (moment.hour, moment.minute, moment.second) == (3, 0, 0)
    assert job.runs == 1


@pytest.mark.parametrize(("interval", "jump", "result", "least", "most"), [
    (3600.0, -5, RunResult(Status.SUCCEEDED), 3500, 3600),
    (3600.0, -5, RunResult(Status.DEFERRED, retry=True, retry_after=7200), 7100, 7200),
    (60.0, 1.5, RunResult(Status.SUCCEEDED), 0, 60),
], ids=["set back: no run is delayed", "set back: Retry-After keeps its length", "suspend: past times are skipped"])  # fmt: skip
def test_a_jump_of_the_clock_during_a_run_does_not_move_the_next_one(
    wall: Traveller, interval: float, jump: float, result: RunResult, least: float, most: float
) -> None:
    def work() -> RunResult:
        wall.shift(timedelta(hours=jump))
        return result

    job, messages = FakeJob(work), list[str]()
    with serving(job, Interval(interval), notify=messages.append):
        until(lambda: job.runs and least < due(job) <= most, "the plan")
        checks = messages.count("WATCHDOG=1")
        until(lambda: messages.count("WATCHDOG=1") > checks + 2, "three more checks of the clocks")
        assert least < due(job) <= most
    assert job.runs == 1


@pytest.mark.parametrize(
    "jump", [timedelta(hours=1.5), timedelta(days=365 * 56)], ids=["a suspend", "a clock that began in 1970"]
)
def test_a_clock_set_forward_causes_one_run(wall: Traveller, jump: timedelta) -> None:
    wall.shift(-jump)
    job = FakeJob()
    with serving(job, Interval(60.0)):
        until(lambda: len(job.plans) == 2, "the first run and its plan")
        wall.shift(jump)
        until(lambda: len(job.plans) == 3, "the second run and its plan", within=10)
        assert 0 < due(job) <= 60
        time.sleep(0.2)  # further runs would start at once
    assert job.runs == 2


def test_a_run_longer_than_the_interval_skips_scheduled_times_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> RunResult:
        time.sleep(0.25)
        return RunResult(Status.SUCCEEDED)

    job = FakeJob(work)
    began = time.monotonic()
    with serving(job, Interval(0.1)):
        until(lambda: job.runs == 3, "three runs")
        took = time.monotonic() - began
    assert job.most_at_work == 1
    assert took >= 2 * 0.3 - 0.05  # every third scheduled time
    assert [record.getMessage() for record in caplog.records if record.name.startswith("apscheduler")] == []


def test_no_run_in_quick_succession_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    job = FakeJob()
    with serving(job, Interval(0.001)):
        until(lambda: job.runs >= 200, "200 runs")
    assert job.most_at_work == 1
    assert [record.getMessage() for record in caplog.records if record.name.startswith("apscheduler")] == []


@pytest.mark.parametrize(
    "surprise", [ZeroDivisionError("a bug"), SystemExit(3), KeyboardInterrupt()], ids=lambda each: type(each).__name__
)
def test_an_exception_of_a_run_is_logged_and_the_next_run_is_planned(surprise: BaseException) -> None:
    def work() -> RunResult:
        raise surprise

    job = FakeJob(work)
    with structlog.testing.capture_logs() as logs, serving(job, Interval(0.05)) as daemon:
        until(lambda: job.runs >= 3, "the runs after the crash")
        assert daemon.live()[0]
    crashes = [entry for entry in logs if entry["event"] == "run_crashed"]
    assert len(crashes) == job.runs
    assert crashes[0]["exc_info"] is surprise


def test_a_stop_interrupts_the_run_waits_for_it_and_plans_no_further_run() -> None:
    job = Blocking(Status.INTERRUPTED)
    with serving(job) as daemon:
        assert job.begun.wait(10)
        daemon.stop()
        until(lambda: job.interrupted, "the interruption")
        assert job.plans[-1] is not None
        job.go_on.set()
    assert job.plans[1:] == [None]
    assert job.runs == 1


def test_the_next_run_is_stored_while_the_daemon_is_active(wall: Traveller) -> None:
    job = FakeJob(last=datetime.now(UTC) - timedelta(minutes=10))
    with serving(job):
        until(lambda: job.plans, "the plan")
        assert 2990 < due(job) <= 3000
    assert (job.runs, job.plans[-1]) == (0, None)


def test_a_daemon_whose_run_hangs_is_not_live_and_sends_no_watchdog_message() -> None:
    job, messages, now = Blocking(Status.SUCCEEDED), list[str](), [0.0]
    checks: list[datetime] = []

    def clock() -> datetime:
        checks.append(datetime.now(UTC))
        return checks[-1]

    def two_more_checks() -> None:
        seen = len(checks)
        until(lambda: len(checks) > seen + 1, "two more checks")

    with serving(job, max_run=600.0, monotonic=lambda: now[0], clock=clock, notify=messages.append) as daemon:
        assert job.begun.wait(10)
        assert daemon.live() == (True, "the scheduler is alive")
        until(lambda: "WATCHDOG=1" in messages, "a watchdog message")
        now[0] = 601.0
        assert daemon.live() == (False, "a run has been active for more than 600 s, the limit of a run")
        two_more_checks()
        messages.clear()
        two_more_checks()
        assert "WATCHDOG=1" not in messages
        job.go_on.set()
        until(lambda: daemon.live()[0], "the run's end")
