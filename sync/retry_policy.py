"""PURE. How often a failed attempt is repeated, and after which waits: for requests, transactions and deliveries."""

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
        waits: after the first failed attempt, the second and so on; the last one repeats.
        attempts: the most, the first one included; infinite if not given.
        jitter: the bounds of a random factor of each wait, so that many clients do not return at the same moment.
        retryable: which errors another attempt may mend.
        longest_asked: the longest wait that a server's Retry-After may ask for.
    """

    waits: tuple[float, ...]
    attempts: float = _INFINITE
    jitter: tuple[float, float] = (1.0, 1.0)
    retryable: Callable[[Exception], bool] = lambda _error: True
    longest_asked: float = _INFINITE

    def wait(self, failures: int, random: Callable[[], float], *, at_least: float = 0.0) -> float | None:
        """Choose the seconds to wait before the next attempt; None if there is none left.

        Args:
            failures: attempts in a row that failed, the last one included.
            random: a source of numbers from 0 to 1.
            at_least: a longer wait than the planned one, before jitter.
        """
        if failures >= self.attempts:
            return None
        low, high = self.jitter
        return max(self.waits[min(failures, len(self.waits)) - 1], at_least) * (low + (high - low) * random())

    def all_waits(self, random: Callable[[], float]) -> tuple[float, ...]:
        """Give the waits between all attempts, which must be finite."""
        waits = (self.wait(failures, random) for failures in range(1, int(self.attempts)))
        return tuple(wait for wait in waits if wait is not None)
