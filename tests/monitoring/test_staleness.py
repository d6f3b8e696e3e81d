"""Ages, and whether the last success is stale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.monitoring.staleness import age, ago, is_stale, since

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("seconds_ago", "stale"), [
    (0, False), (3600, False), (3601, True),
    (-2, False),     # the clocks of two hosts differ
    (-60, False),
    (-61, True),     # dated by a clock that was ahead, so its age is unknown
    (-86400, True), (None, True),
])  # fmt: skip
def test_a_success_is_fresh_within_the_budget_and_stale_in_the_future(seconds_ago: float | None, stale: bool) -> None:  # noqa: FBT001
    assert is_stale(None if seconds_ago is None else NOON - timedelta(seconds=seconds_ago), NOON, 3600.0) is stale


@pytest.mark.parametrize(("seconds", "shown"), [
    (-1, "0 s"), (0, "0 s"), (1.4, "1 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h 00 min"),
    (11100, "3 h 05 min"), (187200, "2 d 4 h"), (7859, "2 h 10 min"), (172799, "47 h 59 min"), (172800, "2 d 0 h"),
    (259199, "2 d 23 h"), (259200, "3 d 0 h"),
])  # fmt: skip
def test_an_age_is_rounded_down_to_its_two_largest_units(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [
    (0, "0 s ago"), (-60, "0 s ago"), (-61, "61 s ahead of this clock"), (120, "2 min ago"),
])  # fmt: skip
def test_a_time_more_than_a_minute_in_the_future_is_ahead_of_this_clock(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


def test_a_time_is_shown_with_its_age() -> None:
    assert since(NOON - timedelta(minutes=5), NOON) == "2026-07-01 11:55:00 UTC (5 min ago)"
    assert since(NOON + timedelta(hours=3), NOON) == "2026-07-01 15:00:00 UTC (3 h 00 min ahead of this clock)"
    assert since(None, NOON) == "never"
