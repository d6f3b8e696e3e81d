"""Retry a transaction that conflicted with another one, as a whole, because what it read is out of date."""

from __future__ import annotations

import random as randomness
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sync.errors import DatabaseConflict
from sync.retry_policy import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

CONFLICTS = RetryPolicy(
    waits=(0.05, 0.1, 0.15, 0.2),
    attempts=5,
    jitter=(0.0, 1.0),
    retryable=lambda error: isinstance(error, DatabaseConflict),
)
"""Retries of a transaction after a conflict. If three hosts of a Galera cluster keep acquiring the lease, one attempt in three
conflicts; with these random waits nearly all succeed by the third attempt.
"""
RECONNECT = RetryPolicy(waits=(0.1, 1.0, 3.0, 5.0), attempts=27)
"""Retries while a server is unreachable, for two minutes in all: a failover takes 30 to 120 s."""
_LONGEST = 60.0
"""Seconds; a conflict may be a lock timeout, which takes half a minute each time."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry transactions.

    Attributes:
        sleep: waits for a number of seconds.
        random: returns a number from 0 to 1, so that conflicting transactions retry at different times.
        monotonic: a monotonic clock, in seconds.
    """

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = randomness.random
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, work: Callable[[], T]) -> T:
        """Run a transaction, from BEGIN to COMMIT, until it succeeds or the attempts are used up.

        Raises:
            DatabaseConflict: every attempt conflicted.
        """
        ends, attempts = self.monotonic() + _LONGEST, 0
        while True:
            attempts += 1
            try:
                return work()
            except DatabaseConflict:
                wait = CONFLICTS.wait(attempts, self.random)
                if wait is None or self.monotonic() > ends:
                    raise
                self.sleep(wait)
