"""PURE. The retry policy of requests, transactions and deliveries: attempts, backoff, jitter, retryable errors, Retry-After."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sync.errors import Deferred, InvalidResponse, Maintenance, SyncError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable


_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How to retry. Times in seconds.

    Attributes:
        waits: backoff after the first failed attempt, the second and so on; the last one repeats.
        attempts: maximum number of attempts, including the first; infinite by default.
        jitter: bounds of a random factor of each wait, so that many clients do not retry at the same moment.
        retryable: whether an error may be retried.
        longest_asked: longest Retry-After that is obeyed.
    """

    waits: tuple[float, ...]
    attempts: float = _INFINITE
    jitter: tuple[float, float] = (1.0, 1.0)
    retryable: Callable[[Exception], bool] = lambda _error: True
    longest_asked: float = _INFINITE

    def wait(self, failures: int, random: Callable[[], float], *, at_least: float = 0.0) -> float | None:
        """Return the seconds to wait before the next attempt; None if no attempt is left.

        Args:
            failures: number of consecutive failed attempts, at least 1.
            random: returns numbers from 0 to 1.
            at_least: minimum wait before jitter.
        """
        if failures >= self.attempts:
            return None
        low, high = self.jitter
        return max(self.waits[min(failures, len(self.waits)) - 1], at_least) * (low + (high - low) * random())

    def all_waits(self, random: Callable[[], float]) -> tuple[float, ...]:
        """Return the waits between all attempts, whose number must be finite."""
        waits = (self.wait(failures, random) for failures in range(1, int(self.attempts)))
        return tuple(wait for wait in waits if wait is not None)


_CUT_SHORT_ATTEMPTS = 3
"""Attempts for a body that is not JSON, which may have been truncated in transit."""


def _is_cut_short(error: Exception) -> bool:
    return isinstance(error, InvalidResponse) and error.code == "not-json"


def _may_pass(error: Exception) -> bool:
    return isinstance(error, Unreachable | Deferred) and not isinstance(error, Maintenance)


REQUESTS = RetryPolicy(
    waits=(0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0),
    attempts=5,
    jitter=(0.5, 1.5),
    retryable=lambda error: _may_pass(error) or _is_cut_short(error),
    longest_asked=60.0,  # a longer wait would hold the lease
)
"""The retry policy of a run's requests."""


def wait_after(error: SyncError, attempt: int, policy: RetryPolicy, random: Callable[[], float]) -> float | None:
    """Return the seconds to wait before the next attempt; None if there is no further attempt.

    Args:
        error: the error of the attempt.
        attempt: number of the attempt, from 1.
        policy: the retry policy. A response that is not JSON gets three attempts at most.
        random: returns numbers from 0 to 1.
    """
    if not policy.retryable(error) or (_is_cut_short(error) and attempt >= _CUT_SHORT_ATTEMPTS):
        return None
    wait = policy.wait(attempt, random)
    if wait is None or not isinstance(error, Deferred) or error.after is None:
        return wait
    return error.after + random() if error.after <= policy.longest_asked else None


def is_exhausted(error: Deferred, attempt: int, policy: RetryPolicy) -> bool:
    """Return whether a server error persisted although every `Retry-After` was obeyed; never for 429 and 455."""
    asked = error.after or 0
    return error.code not in {"429", "455"} and attempt >= policy.attempts and asked <= policy.longest_asked


_LONGEST = 999_999_999.0
"""Seconds, about thirty years."""


def retry_after(value: str | None, now: datetime) -> float | None:
    """Parse Retry-After, seconds or a date (RFC 9110, 10.2.3), to seconds from now; None if absent or invalid."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(_LONGEST, float(value))
    from email.utils import parsedate_to_datetime  # most processes do not need it

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return min(_LONGEST, max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()))
