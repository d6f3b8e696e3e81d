"""When an endpoint is tried again, and its position."""

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


def test_the_steps_grow_from_seconds_to_a_day_and_stay_there() -> None:
    hours = [wait(failures) / 3600 for failures in range(3, 12)]
    assert (wait(1), wait(2)) == (5, 300)
    assert hours == [0.5, 2, 5, 10, 14, 20, 24, 24, 24]
    assert wait(10**9) == DAY


def test_a_delivery_is_repeated_whatever_went_wrong() -> None:
    assert POLICY.retryable(ValueError())


def test_every_wait_is_stretched_by_up_to_a_tenth() -> None:
    assert wait(2, random=lambda: 1.0) == 330
    assert wait(2, random=lambda: 0.5) == 315


@pytest.mark.parametrize(("retry_after", "waits"), [(None, 5), (0.0, 5), (1.0, 5), (120.0, 120), (DAY, DAY), (30 * DAY, DAY)])
def test_a_wish_to_wait_is_obeyed_from_the_planned_step_up_to_a_day(retry_after: float | None, waits: float) -> None:
    assert wait(1, retry_after=retry_after) == waits


def test_who_says_that_it_is_overloaded_is_and_an_hour_of_failures_is_worth_a_look() -> None:
    assert frozenset({429, 502, 503, 504}) == OVERLOADED
    assert timedelta(hours=1) == FAILING_AFTER


def test_a_server_that_is_overloaded_or_hangs_is_left_alone_for_a_minute_at_least() -> None:
    assert wait(1, slow=True) == 60
    assert wait(2, slow=True) == 300


@pytest.mark.parametrize(
    ("ahead", "due"),
    [(None, True), (-1, True), (0, True), (1, False), (DAY * 1.1, False), (DAY * 1.1 + 1, False), (DAY * 1.1 + 1.5, True)],
)
def test_it_is_due_when_its_time_has_come_or_was_written_by_a_clock_that_was_ahead(ahead: float | None, due: bool) -> None:  # noqa: FBT001
    assert is_due(None if ahead is None else NOW + timedelta(seconds=ahead), NOW) is due


# Position -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cursor", "seq"), [(CURSOR, 7), ("", 0), ("no cursor", 0)])
def test_an_endpoint_stands_at_the_number_in_its_cursor_and_without_one_at_the_beginning(cursor: str, seq: int) -> None:
    assert Position("shop", cursor, 0, True, 0, None, None, None, None, None, None).seq == seq  # noqa: FBT003 - whether it is at the end


def test_the_words_that_stand_in_the_table_stay_what_they_are() -> None:
    assert (GONE, LOST) == ("gone", "lost")
