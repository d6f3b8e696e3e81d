"""Which failures are tried again, and after what pause: `Retry-After` is read and obeyed here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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

    def is_exhausted(self, error: Deferred, attempt: int) -> bool:
        """Tell whether a server error stayed although each `Retry-After` was waited out; 429 and 455 are announcements."""
        asked = error.after or 0
        return error.code not in {"429", "455"} and attempt >= self.attempts and asked <= self.longest_asked


_LONGEST = 999_999_999.0
"""Seconds; thirty years are as good as never."""


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3), as seconds from now; None if absent or unreadable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(_LONGEST, float(value.strip()[:9]))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return min(_LONGEST, max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()))
