"""When the daemon runs next: literal tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.daemon.backoff import JITTER, LONGEST_DEFERRAL, Ended, behind_another, first_run, next_run, next_slot
from sync.daemon.clock_watch import Clocks
from sync.run_record import Status

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DAY = 86400.0


def wait(ended: Ended, *, schedule: float = 900.0, random: float = 0.0) -> float:
    """Give the seconds until the next run."""
    due = next_run(ended, scheduled=NOW + timedelta(seconds=schedule), now=NOW, random=lambda: random)
    return (due - NOW).total_seconds()


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE, Status.INTERRUPTED])
@pytest.mark.parametrize("random", [0.0, 1.0])
def test_a_plain_end_keeps_the_schedule(status: Status, random: float) -> None:
    assert wait(Ended(status), random=random) == 900


@pytest.mark.parametrize(("asked", "least", "most"), [
    (0, 30, 33),             # no less than the least pause
    (5, 30, 33),
    (60, 60, 66),            # sooner than scheduled
    (1200, 1200, 1320),      # later than scheduled
    (6 * 3600, 21600, 23760),
    (400 * DAY, 21600, 23760),  # a slip of the server's is not believed
])  # fmt: skip
def test_a_retry_after_is_kept_up_to_a_limit(asked: float, least: float, most: float) -> None:
    ended = Ended(Status.DEFERRED, retry=True, after=asked, troubles=1)
    assert (wait(ended, random=0.0), wait(ended, random=1.0)) == pytest.approx((least, most))


@pytest.mark.parametrize(("troubles", "schedule", "least", "most"), [
    (1, 900, 30, 33),
    (2, 900, 60, 66),
    (3, 900, 120, 132),
    (5, 900, 480, 528),
    (6, 900, 900, 900),      # the schedule's own pause is the cap, however long the maintenance
    (50, 900, 900, 900),
    (1, 10, 30, 33),         # but whoever asks to be left alone is, at least so long
    (50, 10, 30, 33),
    (11, DAY, 30720, 33792),
    (500, DAY, 30720, 33792),
])  # fmt: skip
def test_maintenance_without_a_time_is_asked_ever_more_slowly(troubles: int, schedule: float, least: float, most: float) -> None:
    ended = Ended(Status.DEFERRED, retry=True, troubles=troubles)
    waits = (wait(ended, schedule=schedule, random=0.0), wait(ended, schedule=schedule, random=1.0))
    assert waits == pytest.approx((least, most))


@pytest.mark.parametrize("ended", [Ended(Status.FAILED, retry=True), Ended(Status.SKIPPED, retry=True), Ended(Status.SKIPPED)])
@pytest.mark.parametrize(("troubles", "schedule", "least", "most"), [
    (0, 900, 30, 33),
    (1, 900, 30, 33),
    (2, 900, 60, 66),
    (3, 900, 120, 132),
    (4, 900, 240, 264),
    (5, 900, 480, 528),
    (6, 900, 900, 900),
    (1, 10, 10, 10),         # never later than scheduled
    (10_000, DAY, 30720, 33792),
])  # fmt: skip
def test_what_may_pass_by_itself_is_tried_again_sooner(
    ended: Ended, troubles: int, schedule: float, least: float, most: float
) -> None:
    known = Ended(ended.status, ended.retry, troubles=troubles)
    waits = (wait(known, schedule=schedule, random=0.0), wait(known, schedule=schedule, random=1.0))
    assert waits == pytest.approx((least, most))


def test_what_a_person_must_mend_waits_for_the_schedule() -> None:
    assert wait(Ended(Status.FAILED, retry=False, troubles=1)) == 900


def test_an_end_of_which_nothing_more_is_said_is_not_worth_another_try_and_not_the_last() -> None:
    assert Ended(Status.FAILED) == Ended(Status.FAILED, retry=False, after=None, troubles=0, last=False)
    assert wait(Ended(Status.FAILED)) == 900


def test_jitter_only_stretches() -> None:
    ended = Ended(Status.DEFERRED, after=100.0)
    waits = [wait(ended, random=number / 100) for number in range(101)]
    assert min(waits) == 100
    assert max(waits) == pytest.approx(100 * (1 + JITTER))
    assert waits == sorted(waits)
    assert wait(Ended(Status.DEFERRED, after=9e9), random=1.0) == pytest.approx(LONGEST_DEFERRAL * (1 + JITTER))


@pytest.mark.parametrize(("slot", "interval", "expected"), [
    (0, 900, 900),
    (-1, 900, 899),          # a run of a second: the rhythm stays
    (-0.5, 900, 899.5),
    (-899.5, 900, 0.5),
    (-900, 900, 900),        # a run as long as the interval: strictly later than now
    (-1000, 900, 800),       # longer: what came round meanwhile is not made up for
    (-3600 * 24 * 365 * 56, 900, 900),  # a clock that began in 1970 and was set right
    (3600, 900, 900),        # the clock was set back an hour: an interval from now, not an hour later
    (0.5, 900, 900),
    (-1, 0.25, 0.25),
])  # fmt: skip
def test_the_next_slot_is_one_and_in_the_future(slot: float, interval: float, expected: float) -> None:
    due = next_slot(NOW + timedelta(seconds=slot), interval, NOW)
    assert (due - NOW).total_seconds() == pytest.approx(expected)
    assert due > NOW


@pytest.mark.parametrize(("interval", "expected"), [
    (None, 30),              # the times of an expression
    (0.5, 0.05),
    (60, 6),
    (299, 29.9),
    (300, 30),
    (310, 30),               # half a minute at most
    (DAY, 30),
])  # fmt: skip
def test_whoever_follows_looks_a_tenth_of_the_interval_after_the_other_s_run(interval: float | None, expected: float) -> None:
    assert behind_another(interval) == timedelta(seconds=expected)


@pytest.mark.parametrize(("last", "expected"), [
    (None, 0),               # never a success
    (-1000, 0),              # stale: the schedule came round since
    (-900, 0),
    (-100, 800),             # fresh: as if the daemon had been there
    (0, 900),
    (60, 0),                 # in the future: the clock was wrong then, or is now
])  # fmt: skip
def test_the_first_run_is_now_unless_the_last_success_is_fresh(last: float | None, expected: float) -> None:
    due = first_run(
        last_success=None if last is None else NOW + timedelta(seconds=last),
        due_after=lambda moment: moment + timedelta(seconds=900),
        now=NOW,
    )
    assert (due - NOW).total_seconds() == expected


@pytest.mark.parametrize(("wall", "monotonic", "jump"), [
    (2, 2, None),
    (2, 2.5, None),          # a clock that is being slewed
    (6.9, 2, None),
    (7, 2, None),            # just as far as a clock may drift
    (-3, 2, None),
    (3602, 2, 3600),         # set forward
    (-3598, 2, -3600),       # set back
    (28802, 2, 28800),       # a suspend: the monotonic clock stood still
    (2, 0, None),
])  # fmt: skip
def test_a_jump_is_the_difference_of_two_clocks(wall: float, monotonic: float, jump: float | None) -> None:
    clocks = Clocks(NOW, 100.0)
    found = clocks.jumped(NOW + timedelta(seconds=wall), 100.0 + monotonic)
    assert found == (None if jump is None else timedelta(seconds=jump))


def test_a_jump_is_told_once() -> None:
    clocks = Clocks(NOW, 0.0)
    assert clocks.jumped(NOW + timedelta(hours=1), 2.0) is not None
    assert clocks.jumped(NOW + timedelta(hours=1, seconds=2), 4.0) is None
