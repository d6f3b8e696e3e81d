"""`Retry-After`, as RFC 9110 10.2.3 writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
