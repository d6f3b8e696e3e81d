"""A transaction that lost against another one is tried again as a whole: what it had read is out of date."""

from __future__ import annotations

import random as randomness
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sync.errors import DatabaseConflict

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ATTEMPTS = 5
_PAUSE = 0.05
_LONGEST = 60.0  # seconds; a conflict may be a lock that was waited for, and that takes half a minute each time


@dataclass(frozen=True, slots=True)
class Retry:
    """How to try again.

    On a Galera cluster one attempt in three to take the lease ends so, where three hosts want it all the time; of those that are
    tried again after a random pause all but a few in a hundred are through at the third.

    Attributes:
        sleep: waits, in seconds.
        random: a source of numbers from 0 to 1: two that met must not meet again.
        monotonic: a clock that nobody sets.
    """

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = randomness.random
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, work: Callable[[], T]) -> T:
        """Do the work, from BEGIN to COMMIT, again and again.

        Raises:
            DatabaseConflict: it lost every time.
        """
        ends = self.monotonic() + _LONGEST
        for attempt in range(1, ATTEMPTS):
            try:
                return work()
            except DatabaseConflict:
                if self.monotonic() > ends:
                    raise
                self.sleep(self.random() * _PAUSE * attempt)
        return work()
