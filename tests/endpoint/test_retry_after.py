"""Which failed requests are retried, how often and after which waits, and how Retry-After is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.endpoint.retry_after import REQUESTS, retry_after, wait_after
from sync.errors import Unreachable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("9" * 5000, 999_999_999.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 00:01:00", 60.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Fri, 01 Jan 2026 00:00:00 +999999999", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_is_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_waits_double_up_to_half_a_minute() -> None:
    policy = replace(REQUESTS, attempts=9)
    waits = [wait_after(Unreachable("no"), attempt, policy, lambda: 0.5) for attempt in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None]
