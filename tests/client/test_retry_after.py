"""Which requests are retried, how often and after which waits; Retry-After."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.errors import AccessDenied, Deferred, InvalidResponse, Maintenance, NoSuchPage, NotFound, SyncError, Unreachable
from sync.retry_policy import REQUESTS, RetryPolicy, is_exhausted, retry_after, wait_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("value", "seconds"), [
    ("120", 120.0), (" 7 ", 7.0), ("9" * 5000, 999_999_999.0), ("1" + "0" * 9, 999_999_999.0), ("0" * 9 + "120", 120.0),
    ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0), ("Thu, 01 Jan 2026 00:01:00", 60.0), ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
    ("soon", None), ("-5", None), ("1.5", None), ("", None), (None, None),
    ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None), ("Fri, 01 Jan 2026 00:00:00 +999999999", None),
])  # fmt: skip
def test_retry_after_is_parsed_in_both_forms_and_ignored_if_invalid(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_waits_double_up_to_half_a_minute() -> None:
    policy = replace(REQUESTS, attempts=9)
    waits = [wait_after(Unreachable("no"), attempt, policy, lambda: 0.5) for attempt in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None]


def waits(error: SyncError) -> list[float | None]:
    return [wait_after(error, attempt, REQUESTS, lambda: 0.5) for attempt in range(1, 6)]


@pytest.mark.parametrize("error", [Unreachable("no"), Deferred("later", code="503")])
def test_a_temporary_error_gets_five_attempts(error: SyncError) -> None:
    assert waits(error) == [0.5, 1.0, 2.0, 4.0, None]


def test_a_response_that_is_not_json_gets_three_attempts() -> None:
    assert waits(InvalidResponse("no", code="not-json")) == [0.5, 1.0, None, None, None]


@pytest.mark.parametrize(
    "error",
    [
        *(InvalidResponse("no", code=code) for code in ("html", "not-envelope", "encoding", "299")),
        NotFound("no"),
        NoSuchPage("no"),
        AccessDenied("no"),
        Maintenance("later", code="455", after=1.0),
    ],
)
def test_a_permanent_error_gets_one_attempt(error: SyncError) -> None:
    assert waits(error) == [None] * 5


def test_jitter_changes_a_wait_by_up_to_half() -> None:
    assert wait_after(Unreachable("no"), 1, REQUESTS, lambda: 0.0) == 0.25
    assert wait_after(Unreachable("no"), 1, REQUESTS, lambda: 1.0) == 0.75


@pytest.mark.parametrize(("retry_after", "wait"), [(0.0, 0.5), (7.0, 7.5), (60.0, 60.5), (61.0, None)])
def test_a_retry_after_is_obeyed_up_to_a_minute(retry_after: float, wait: float | None) -> None:
    assert waits(Deferred("later", code="429", after=retry_after)) == [wait] * 4 + [None]


def test_all_waits_are_those_between_the_attempts() -> None:
    assert RetryPolicy(waits=(1.0, 2.0), attempts=4, jitter=(0.5, 1.5)).all_waits(lambda: 1.0) == (1.5, 3.0, 3.0)


@pytest.mark.parametrize(
    ("code", "retry_after", "attempt", "exhausted"),
    [("503", None, 5, True), ("503", 60.0, 5, True), ("503", 61.0, 5, False), ("503", None, 4, False), ("429", None, 5, False),
     ("455", None, 5, False)],
)  # fmt: skip
def test_a_server_error_is_exhausted_after_the_last_attempt(
    code: str, retry_after: float | None, attempt: int, *, exhausted: bool
) -> None:
    assert is_exhausted(Deferred("later", code=code, after=retry_after), attempt, REQUESTS) is exhausted
