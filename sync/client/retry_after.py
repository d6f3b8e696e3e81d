"""Which failed requests are retried, and after which waits: `Retry-After` is read and obeyed here."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from sync.errors import Deferred, InvalidResponse, Maintenance, SyncError, Unreachable
from sync.retry_policy import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

_CUT_SHORT_ATTEMPTS = 3
"""A body that is no JSON may have broken off on the way; twice is a coincidence, three times is what the server says."""


def _is_cut_short(error: Exception) -> bool:
    return isinstance(error, InvalidResponse) and error.code == "not-json"


def _may_pass(error: Exception) -> bool:
    return isinstance(error, Unreachable | Deferred) and not isinstance(error, Maintenance)


REQUESTS = RetryPolicy(
    waits=(0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0),
    attempts=5,
    jitter=(0.5, 1.5),
    retryable=lambda error: _may_pass(error) or _is_cut_short(error),
    longest_asked=60.0,  # waiting longer would hold the lease
)
"""How the requests of a run are retried."""


def wait_after(error: SyncError, attempt: int, policy: RetryPolicy, random: Callable[[], float]) -> float | None:
    """Choose how many seconds to wait before the next request; None when there is no point.

    Args:
        error: what came of the attempt.
        attempt: its number, from 1.
        policy: how to retry. An answer that is no JSON gets three attempts at most.
        random: a source of numbers from 0 to 1.
    """
    if not policy.retryable(error) or (_is_cut_short(error) and attempt >= _CUT_SHORT_ATTEMPTS):
        return None
    wait = policy.wait(attempt, random)
    if wait is None or not isinstance(error, Deferred) or error.after is None:
        return wait
    return error.after + random() if error.after <= policy.longest_asked else None


def is_exhausted(error: Deferred, attempt: int, policy: RetryPolicy) -> bool:
    """Tell whether a server error stayed although each `Retry-After` was waited out; 429 and 455 are announcements."""
    asked = error.after or 0
    return error.code not in {"429", "455"} and attempt >= policy.attempts and asked <= policy.longest_asked


_LONGEST = 999_999_999.0
"""Seconds; thirty years are as good as never."""


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3), as seconds from now; None if absent or unreadable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(_LONGEST, float(value))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return min(_LONGEST, max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()))
