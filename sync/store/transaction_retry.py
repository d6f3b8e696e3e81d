"""A transaction that conflicted with another one is retried as a whole: what it had read is out of date."""

from __future__ import annotations

import random as randomness
import time
from dataclasses import dataclass
from itertools import count
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
"""How a transaction is retried. On a Galera cluster one attempt in three to take the lease ends in a conflict, where three hosts
want it all the time; after these random waits all but a few in a hundred succeed at the third attempt."""
RECONNECT = RetryPolicy(waits=(0.1, 1.0, 3.0, 5.0), attempts=27)
"""How a database that is away is asked again, for two minutes in all: a fail-over takes from 30 s to 120 s."""
_LONGEST = 60.0
"""Seconds. A conflict may be a lock that was waited for, which takes half a minute each time."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries transactions.

    Attributes:
        sleep: waits, in seconds.
        random: a source of numbers from 0 to 1: two transactions that conflicted must not conflict again.
        monotonic: a monotonic clock.
    """

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = randomness.random
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, work: Callable[[], T]) -> T:
        """Do the work, from BEGIN to COMMIT, until it succeeds or the attempts are used up.

        Raises:
            DatabaseConflict: it conflicted every time.
        """
        ends = self.monotonic() + _LONGEST
        for attempt in count(1):
            try:
                return work()
            except DatabaseConflict:
                wait = CONFLICTS.wait(attempt, self.random)
                if wait is None or self.monotonic() > ends:
                    raise
                self.sleep(wait)
        raise AssertionError  # the loop has no end of its own
