"""When the daemon runs next: literal tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from sync.catalog.run_record import Status
from sync.config.cron import Cron
from sync.daemon.next_run import (
    JITTER,
    MAX_DEFERRAL,
    MIN_JUMP,
    CronSchedule,
    Interval,
    RunResult,
    Schedule,
    clock_offset,
    covered_by_other_host,
    failures_in_a_row,
    first_run,
    next_run,
)

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
DAY = 86400.0


def cron(expression: str, zone: str = "UTC") -> CronSchedule:
    return CronSchedule(Cron(expression, ZoneInfo(zone)))


def wait(result: RunResult, *, failures: int = 1, schedule: float = 900.0, random: float = 0.0) -> float:
    """Return the seconds until the next run."""
    due, every_hour = NOON + schedule * SECOND, Interval(3600)
    return (next_run(result, every_hour, due=due, failures=failures, now=NOON, random=lambda: random) - NOON).total_seconds()


# After a run -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE, Status.INTERRUPTED])
@pytest.mark.parametrize("random", [0.0, 1.0])
def test_a_completed_run_keeps_the_schedule(status: Status, random: float) -> None:
    assert wait(RunResult(status), failures=0, random=random) == 900


@pytest.mark.parametrize(("due", "expected"), [(1, 1), (0, 3600), (-1, 3599), (-3600, 3600), (-7300, 3500)])
def test_a_scheduled_time_that_passed_during_the_run_is_skipped(due: float, expected: float) -> None:
    assert wait(RunResult(Status.SUCCEEDED), schedule=due) == expected


@pytest.mark.parametrize(("retry_after", "least", "most"), [
    (0, 30, 33),             # at least the minimum wait
    (5, 30, 33),
    (60, 60, 66),            # sooner than scheduled
    (1200, 1200, 1320),      # later than scheduled
    (6 * 3600, 21600, 23760),
    (400 * DAY, 21600, 23760),  # an implausible value is limited
])  # fmt: skip
def test_retry_after_is_obeyed_within_limits(retry_after: float, least: float, most: float) -> None:
    result = RunResult(Status.DEFERRED, retry=True, retry_after=retry_after)
    assert (wait(result, random=0.0), wait(result, random=1.0)) == pytest.approx((least, most))


@pytest.mark.parametrize(("failures", "schedule", "least", "most"), [
    (1, 900, 30, 33), (2, 900, 60, 66), (3, 900, 120, 132), (5, 900, 480, 528),
    (6, 900, 900, 900),      # never later than the scheduled time
    (50, 900, 900, 900),
    (1, 10, 30, 33),         # but at least the minimum of a deferral
    (50, 10, 30, 33), (11, DAY, 30720, 33792), (500, DAY, 30720, 33792),
])  # fmt: skip
def test_maintenance_without_a_time_is_retried_with_backoff(failures: int, schedule: float, least: float, most: float) -> None:
    result = RunResult(Status.DEFERRED, retry=True)
    waits = [wait(result, failures=failures, schedule=schedule, random=random) for random in (0.0, 1.0)]
    assert waits == pytest.approx([least, most])


@pytest.mark.parametrize(
    "result", [RunResult(Status.FAILED, retry=True), RunResult(Status.SKIPPED, retry=True), RunResult(Status.SKIPPED)]
)
@pytest.mark.parametrize(("failures", "schedule", "least", "most"), [
    (0, 900, 30, 33), (1, 900, 30, 33), (2, 900, 60, 66), (3, 900, 120, 132), (4, 900, 240, 264), (5, 900, 480, 528),
    (6, 900, 900, 900),
    (1, 10, 10, 10),         # never later than scheduled
    (10_000, DAY, 30720, 33792),
])  # fmt: skip
def test_a_temporary_failure_is_retried_before_the_scheduled_time(
    result: RunResult, failures: int, schedule: float, least: float, most: float
) -> None:
    waits = [wait(result, failures=failures, schedule=schedule, random=random) for random in (0.0, 1.0)]
    assert waits == pytest.approx([least, most])


def test_by_default_a_failure_is_not_retried_and_waits_for_the_schedule() -> None:
    assert RunResult(Status.FAILED) == RunResult(Status.FAILED, retry=False, retry_after=None, covered_until=None)
    assert wait(RunResult(Status.FAILED)) == 900


def test_jitter_only_lengthens() -> None:
    result = RunResult(Status.DEFERRED, retry_after=100.0)
    waits = [wait(result, random=number / 100) for number in range(101)]
    assert min(waits) == 100
    assert max(waits) == pytest.approx(100 * (1 + JITTER))
    assert waits == sorted(waits)
    assert wait(RunResult(Status.DEFERRED, retry_after=9e9), random=1.0) == pytest.approx(MAX_DEFERRAL * (1 + JITTER))


def test_after_a_run_of_another_host_the_next_run_is_at_the_time_of_the_check() -> None:
    assert wait(RunResult(Status.SUCCEEDED, covered_until=NOON + 77 * SECOND)) == 77


@pytest.mark.parametrize(("status", "failures"), [
    (Status.SUCCEEDED, 0), (Status.HELD, 0), (Status.INCOMPLETE, 0), (Status.FAILED, 3), (Status.DEFERRED, 3),
    (Status.SKIPPED, 3), (Status.INTERRUPTED, 3),
])  # fmt: skip
def test_consecutive_failures_are_counted_until_a_run_completes(status: Status, failures: int) -> None:
    assert failures_in_a_row(RunResult(status), 2) == failures


# Scheduled times ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("previous", "interval", "expected"), [
    (None, 900, 900), (0, 900, 900),
    (-1, 900, 899),          # a run of a second: the times stay
    (-0.5, 900, 899.5), (-899.5, 900, 0.5),
    (-900, 900, 900),        # a run as long as the interval: strictly later than now
    (-1000, 900, 800),       # longer: skipped times are not made up for
    (-3600 * 24 * 365 * 56, 900, 900),  # a clock that started in 1970 and was corrected
    (3600, 900, 900),        # the clock was set back by an hour: one interval from now
    (0.5, 900, 900), (-1, 0.25, 0.25),
])  # fmt: skip
def test_the_next_time_of_an_interval_is_after_now(previous: float | None, interval: float, expected: float) -> None:
    earlier = None if previous is None else NOON + timedelta(seconds=previous)
    due = Interval(interval).get_next_fire_time(earlier, NOON)
    assert (due - NOON).total_seconds() == pytest.approx(expected)
    assert due > NOON


@pytest.mark.parametrize(("expression", "previous", "now", "expected"), [
    ("*/15 * * * *", 0, 20, 900),
    ("*/15 * * * *", 0, 2000, 2700),       # skipped times are not made up for
    ("@hourly", 0, 0, 3600),               # a time equal to now is not repeated
    ("@hourly", 8 * 3600, 1800, 3600),     # the clock was set back during a run
])  # fmt: skip
def test_the_next_time_of_a_cron_expression_is_after_now(expression: str, previous: float, now: float, expected: float) -> None:
    due = cron(expression).get_next_fire_time(NOON + previous * SECOND, NOON + now * SECOND)
    assert (due - NOON).total_seconds() == expected


@pytest.mark.parametrize(("schedule", "last", "expected"), [
    (Interval(900), None, 0),                  # no success yet
    (Interval(900), -1000, 0),                 # stale
    (Interval(900), -900, 0),
    (Interval(900), -100, 800),                # fresh: as if the daemon had not stopped
    (Interval(900), 0, 900),
    (Interval(900), 60, 0),                    # in the future: the clock was or is wrong
    (cron("0 3 * * *"), -3600, 15 * 3600), (cron("0 3 * * *"), -10 * 3600, 0),
])  # fmt: skip
def test_the_first_run_is_now_unless_the_last_success_is_recent(schedule: Schedule, last: float | None, expected: float) -> None:
    due = first_run(schedule, last_success=None if last is None else NOON + last * SECOND, now=NOON)
    assert (due - NOON).total_seconds() == expected


@pytest.mark.parametrize(("schedule", "now", "expected"), [
    (Interval(3600), -5.5 * HOUR, -5 * HOUR),           # a wait keeps its length
    (Interval(3600), 0 * HOUR, 0 * HOUR),               # and never ends in the past
    (cron("0 12 * * *"), -5.5 * HOUR, 0 * HOUR),        # a cron time stays
    (cron("0 3 * * *"), -5.5 * HOUR, -5 * HOUR),        # a retry, not a cron time
])  # fmt: skip
def test_a_clock_set_back_moves_a_wait_but_not_a_cron_time(schedule: Schedule, now: timedelta, expected: timedelta) -> None:
    assert schedule.after_set_back(NOON, -5 * HOUR, NOON + now) == NOON + expected


def test_the_text_of_a_schedule() -> None:
    assert str(Interval(0.5)) == "every 0.5 s"
    assert str(cron("0 3 * * *", "Asia/Shanghai")) == "cron[0 3 * * *, Asia/Shanghai]"


def test_apscheduler_accepts_the_triggers() -> None:
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.start(paused=True)
    try:
        job = scheduler.add_job(print, cron("0 0 * * sun", "Asia/Shanghai"))
        assert job.next_run_time.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%a %H:%M") == "Sun 00:00"
        assert "cron[0 0 * * sun, Asia/Shanghai]" in str(job)
        assert "every 900 s" in str(scheduler.add_job(print, Interval(900)))
    finally:
        scheduler.shutdown()


# Another host ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval", "expected"), [
    (0.5, 0.05), (60, 6), (299, 29.9), (300, 30),
    (310, 30),               # half a minute at most
    (DAY, 30),
])  # fmt: skip
def test_a_follower_checks_a_tenth_of_the_interval_after_the_run_of_the_other_host(interval: float, expected: float) -> None:
    assert Interval(interval).follower_delay == timedelta(seconds=expected)


@pytest.mark.parametrize(("schedule", "began", "now", "check"), [
    (Interval(900), -300, 0, 630), (Interval(60), -20, 0, 46), (Interval(900), -900, 0, None),
    (Interval(900), -300, 630, None),          # no further run of the other host: this one takes over
    (Interval(900), 5, 0, 935), (Interval(900), 6, 0, None),
    (Interval(900), 3600, 0, None),            # a success in the future delays no run
    (cron("@hourly"), -3, 31, 3630),           # the other host's clock is a little behind
    (cron("@hourly"), -4, 31, 3630), (cron("@hourly"), -5, 31, None), (cron("@hourly"), 1, 31, 3630),
    (cron("@hourly"), -60, 0, None),
])  # fmt: skip
def test_a_recent_run_of_another_host_covers_this_one_until_shortly_after_its_next(
    schedule: Schedule, began: float, now: float, check: float | None
) -> None:
    found = covered_by_other_host(schedule, NOON + began * SECOND, NOON + now * SECOND)
    assert found == (None if check is None else NOON + check * SECOND)


# Clocks ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wall", "monotonic", "jump"), [
    (2, 2, None),
    (2, 2.5, None),          # a clock that is being slewed
    (6.9, 2, None),
    (7, 2, None),            # the maximum drift of a clock
    (-3, 2, None), (8, 2, 6),
    (3602, 2, 3600),         # set forward
    (-3598, 2, -3600),       # set back
    (28802, 2, 28800),       # a suspend: the monotonic clock was stopped
    (2, 0, None),
])  # fmt: skip
def test_a_jump_is_the_difference_of_the_two_clocks(wall: float, monotonic: float, jump: float | None) -> None:
    found = clock_offset(NOON + wall * SECOND, 100.0 + monotonic) - clock_offset(NOON, 100.0)
    assert (found if abs(found) > MIN_JUMP else None) == (None if jump is None else timedelta(seconds=jump))
