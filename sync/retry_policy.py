"""PURE. The retry policy of requests, transactions and deliveries: number of attempts, backoff, jitter, retryable errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
