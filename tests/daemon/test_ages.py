"""How long ago, and when that is too long. Beside the daemon's tests: its heartbeat and its probes judge by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.terminal.ages import is_stale, since

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("seconds_ago", "stale"), [
    (0, False),
    (3600, False),
    (3601, True),
    (-2, False),     # the clocks of two machines are never quite the same
    (-60, False),
    (-61, True),     # the clock was ahead, and was set right since: nobody knows how old it is
    (-86400, True),
])  # fmt: skip
def test_a_success_is_fresh_for_as_long_as_the_budget_and_never_from_the_future(seconds_ago: float, stale: bool) -> None:  # noqa: FBT001
    assert is_stale(NOON - timedelta(seconds=seconds_ago), NOON, 3600.0) is stale


def test_no_success_is_stale() -> None:
    assert is_stale(None, NOON, 3600.0)


def test_a_moment_in_the_future_is_not_called_past() -> None:
    assert since(NOON - timedelta(minutes=5), NOON) == "2026-07-01 11:55:00 UTC (5 min ago)"
    assert since(NOON + timedelta(hours=3), NOON) == "2026-07-01 15:00:00 UTC (3 h 00 min ahead of this clock)"
    assert since(None, NOON) == "never"
