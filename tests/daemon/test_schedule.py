"""The one trigger: what it answers when a run is handed over, has ended, or the clock was set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from sync.cron import Cron
from sync.daemon.backoff import Ended
from sync.daemon.schedule import NEVER, Schedule
from sync.run_record import Status

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
WELL, FAILED = Ended(Status.SUCCEEDED), Ended(Status.FAILED, retry=True)


def every(seconds: float) -> Schedule:
    return Schedule(interval=seconds, cron=None, random=lambda: 0.0)


def cron(expression: str, zone: str = "UTC") -> Schedule:
    return Schedule(interval=900.0, cron=Cron(expression, ZoneInfo(zone)), random=lambda: 0.0)


def after_run(schedule: Schedule, slot: datetime, ended: Ended, now: datetime) -> datetime:
    """Ask as APScheduler does when a run is handed over, and again when it has ended."""
    assert schedule.get_next_fire_time(slot, slot) == NEVER
    schedule.ended(ended)
    return schedule.get_next_fire_time(None, now)


def test_the_first_run_is_now_unless_the_last_success_is_fresh() -> None:
    schedule = every(3600)
    assert schedule.get_next_fire_time(None, NOON) == NOON
    schedule.last_success = NOON - timedelta(minutes=10)
    assert schedule.get_next_fire_time(None, NOON) == NOON + timedelta(minutes=50)


def test_a_success_fresher_than_cron_s_last_time_waits_for_its_next() -> None:
    schedule = cron("0 3 * * *")
    schedule.last_success = NOON - HOUR
    assert schedule.get_next_fire_time(None, NOON) == datetime(2026, 7, 2, 3, 0, tzinfo=UTC)
    schedule.last_success = NOON - 10 * HOUR
    assert schedule.get_next_fire_time(None, NOON) == NOON


def test_the_rhythm_is_the_slot_s_and_not_the_run_s_end() -> None:
    assert after_run(every(900), NOON, WELL, NOON + 20 * SECOND) == NOON + 900 * SECOND
    assert after_run(cron("*/15 * * * *"), NOON, WELL, NOON + 20 * SECOND) == NOON + 900 * SECOND


@pytest.mark.parametrize("schedule", [every(900), cron("*/15 * * * *")], ids=str)
def test_what_came_round_during_a_run_is_not_made_up_for(schedule: Schedule) -> None:
    assert after_run(schedule, NOON, WELL, NOON + 2000 * SECOND) == NOON + 2700 * SECOND


def test_a_set_time_that_is_now_does_not_come_again() -> None:
    assert after_run(cron("@hourly"), NOON, WELL, NOON) == NOON + HOUR
    assert after_run(cron("@hourly"), NOON, WELL, NOON - SECOND) == NOON + HOUR  # a clock that is being slewed


def test_a_clock_that_was_set_back_during_a_run_does_not_silence_the_schedule() -> None:
    assert after_run(cron("@hourly"), NOON + 8 * HOUR, WELL, NOON + HOUR / 2) == NOON + HOUR
    assert after_run(every(900), NOON + 8 * HOUR, WELL, NOON) == NOON + 900 * SECOND


def test_troubles_in_a_row_are_counted_and_a_success_forgets_them() -> None:
    schedule, now, waits = every(3600), NOON, []
    for ended in (FAILED, FAILED, WELL, FAILED):
        due = after_run(schedule, now, ended, now)
        waits.append((due - now).total_seconds())
        now = due
    assert waits == [30, 60, 3600, 30]


@pytest.mark.parametrize("status", [Status.HELD, Status.INCOMPLETE])
def test_a_run_that_reached_its_end_is_no_trouble(status: Status) -> None:
    schedule = every(3600)
    after_run(schedule, NOON, FAILED, NOON)
    after_run(schedule, NOON, Ended(status), NOON)
    assert after_run(schedule, NOON, FAILED, NOON) == NOON + 30 * SECOND


def looked(schedule: Schedule, slot: datetime, began: datetime, now: datetime) -> datetime | None:
    """Tell of another's success when a run is due; the next time, or None where the run is to be made."""
    assert schedule.get_next_fire_time(slot, slot) == NEVER
    return schedule.get_next_fire_time(None, now) if schedule.made_elsewhere(began, now) else None


def test_what_another_made_within_the_interval_stands_for_ours_and_we_look_a_little_after_its_next() -> None:
    assert looked(every(900), NOON, NOON - 300 * SECOND, NOON) == NOON + 630 * SECOND
    assert looked(every(60), NOON, NOON - 20 * SECOND, NOON) == NOON + 46 * SECOND
    assert looked(every(900), NOON, NOON - 900 * SECOND, NOON) is None


def test_of_two_that_meet_at_a_set_time_one_makes_the_run_also_if_its_clock_is_a_little_behind() -> None:
    assert looked(cron("0 * * * *"), NOON, NOON - 3 * SECOND, NOON + 31 * SECOND) == NOON + HOUR + 30 * SECOND
    assert looked(cron("0 * * * *"), NOON, NOON + SECOND, NOON + 31 * SECOND) == NOON + HOUR + 30 * SECOND
    assert looked(cron("0 * * * *"), NOON, NOON - 60 * SECOND, NOON) is None


def test_a_success_from_the_future_keeps_nobody_waiting() -> None:
    assert looked(every(900), NOON, NOON + HOUR, NOON) is None


def test_the_one_that_follows_takes_over_when_the_other_is_gone_and_then_leads() -> None:
    schedule = every(900)
    assert looked(schedule, NOON, NOON - 300 * SECOND, NOON) == NOON + 630 * SECOND
    assert looked(schedule, NOON + 630 * SECOND, NOON - 300 * SECOND, NOON + 630 * SECOND) is None
    assert after_run(schedule, NOON + 630 * SECOND, WELL, NOON + 640 * SECOND) == NOON + 1530 * SECOND


def test_what_another_made_ends_our_own_troubles() -> None:
    schedule = every(3600)
    after_run(schedule, NOON, FAILED, NOON)
    looked(schedule, NOON + 30 * SECOND, NOON + 10 * SECOND, NOON + 30 * SECOND)
    assert after_run(schedule, NOON + HOUR, FAILED, NOON + HOUR) == NOON + HOUR + 30 * SECOND


def test_a_wish_to_be_left_alone_is_kept_over_the_schedule() -> None:
    ended = Ended(Status.DEFERRED, retry=True, after=7200)
    assert after_run(every(900), NOON, ended, NOON) == NOON + 2 * HOUR


def test_a_clock_set_back_moves_a_wait_along_and_leaves_a_set_time_where_it_is() -> None:
    back = timedelta(hours=-5)
    assert every(3600).after_set_back(NOON, back, NOON - 5.5 * HOUR) == NOON - 5 * HOUR
    assert cron("0 12 * * *").after_set_back(NOON, back, NOON - 5.5 * HOUR) == NOON
    assert cron("0 3 * * *").after_set_back(NOON, back, NOON - 5.5 * HOUR) == NOON - 5 * HOUR  # a retry, not a set time
    assert every(3600).after_set_back(NOON, back, NOON) == NOON  # and never into the past


def test_it_says_what_it_is() -> None:
    assert str(every(0.5)) == "every 0.5 s"
    assert str(cron("0 3 * * *", "Asia/Shanghai")) == "cron[0 3 * * *, Asia/Shanghai]"


def test_apscheduler_takes_the_trigger() -> None:
    scheduler = BackgroundScheduler(timezone=UTC)
    schedule = cron("0 0 * * sun", "Asia/Shanghai")
    schedule.last_success = datetime.now(UTC)
    scheduler.start(paused=True)
    try:
        job = scheduler.add_job(print, schedule)
        assert job.next_run_time.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%a %H:%M") == "Sun 00:00"
        assert "cron[0 0 * * sun, Asia/Shanghai]" in str(job)
    finally:
        scheduler.shutdown()
