"""Which failures are tried again, and after what pause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.errors import BadAnswer, Deferred, Maintenance, SyncError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

_CUT_SHORT_ATTEMPTS = 3
"""A body that is no JSON may have broken off on the way; twice is a coincidence, three times is what the server says."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to try. Times in seconds."""

    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_asked: float = 60.0  # a Retry-After above this ends the run as deferred: waiting it out would hold the lease
    request: float = 60.0
    connect: float = 10.0
    read: float = 20.0

    def pause(self, error: SyncError, attempt: int, random: Callable[[], float]) -> float | None:
        """Choose how many seconds to wait before asking again; None when there is no point.

        Args:
            error: what came of the attempt.
            attempt: its number, from 1.
            random: a source of numbers from 0 to 1, so that many clients do not come back in step.
        """
        cut_short = isinstance(error, BadAnswer) and error.code == "not-json"
        if attempt >= (_CUT_SHORT_ATTEMPTS if cut_short else self.attempts):
            return None
        if isinstance(error, Deferred):
            if isinstance(error, Maintenance) or (error.after or 0) > self.longest_asked:
                return None
            if error.after is not None:
                return error.after + random()
        elif not (isinstance(error, Unreachable) or cut_short):
            return None
        backoff: float = min(self.longest_pause, self.first_pause * 2 ** (attempt - 1))
        return backoff * (0.5 + random())
