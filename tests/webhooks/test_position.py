"""The wait before the next attempt, and the position of an endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.webhooks.position import FAILING_AFTER, GONE, LOST, OVERLOADED, POLICY, Position, is_due, next_attempt
from tests.webhooks.changes import CURSOR

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86400


def wait(failures: int = 1, **options: Any) -> float:
    given: dict[str, Any] = {"slow": False, "retry_after": None, "random": lambda: 0.0, **options}
    return (next_attempt(failures, now=NOW, **given) - NOW).total_seconds()


def test_waits_grow_from_seconds_to_a_day_and_stay_there() -> None:
    hours = [wait(failures) / 3600 for failures in range(3, 12)]
    assert (wait(1), wait(2)) == (5, 300)
    assert hours == [0.5, 2, 5, 10, 14, 20, 24, 24, 24]
    assert wait(10**9) == DAY


def test_every_failure_is_retried() -> None:
    assert POLICY.retryable(ValueError())


def test_jitter_lengthens_a_wait_by_up_to_a_tenth() -> None:
    assert wait(2, random=lambda: 1.0) == 330
    assert wait(2, random=lambda: 0.5) == 315


@pytest.mark.parametrize(("retry_after", "waits"), [(None, 5), (0.0, 5), (1.0, 5), (120.0, 120), (DAY, DAY), (30 * DAY, DAY)])
def test_retry_after_lengthens_the_planned_wait_up_to_a_day(retry_after: float | None, waits: float) -> None:
    assert wait(1, retry_after=retry_after) == waits


def test_the_constants_that_other_modules_and_the_table_use() -> None:
    assert frozenset({429, 502, 503, 504}) == OVERLOADED
    assert timedelta(hours=1) == FAILING_AFTER
    assert (GONE, LOST) == ("gone", "lost")


def test_the_wait_after_an_overload_or_timeout_is_at_least_a_minute() -> None:
    assert wait(1, slow=True) == 60
    assert wait(2, slow=True) == 300


@pytest.mark.parametrize(
    ("ahead", "due"),
    [(None, True), (-1, True), (0, True), (1, False), (DAY * 1.1, False), (DAY * 1.1 + 1, False), (DAY * 1.1 + 1.5, True)],
)
def test_an_attempt_is_due_at_its_time_or_if_a_clock_that_was_ahead_stored_it(ahead: float | None, due: bool) -> None:  # noqa: FBT001
    assert is_due(None if ahead is None else NOW + timedelta(seconds=ahead), NOW) is due


@pytest.mark.parametrize(("cursor", "seq"), [(CURSOR, 7), ("", 0), ("no cursor", 0)])
def test_the_seq_of_a_position_is_the_number_in_its_cursor_or_0(cursor: str, seq: int) -> None:
    assert Position("shop", cursor, 0, True, 0, None, None, None, None, None, None).seq == seq  # noqa: FBT003 - whether it is at the end
