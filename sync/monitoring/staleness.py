"""PURE. Ages, and whether the last success is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    Paint = Callable[[str, str], str]


MAX_CLOCK_SKEW = 60.0
"""Seconds that a time may be in the future, as the clocks of two hosts differ."""


_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(seconds: float) -> str:
    """Format an age: 40 s, 12 min, 3 h 05 min, 2 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def ago(seconds: float) -> str:
    """Format the time since an event; a future event was dated by a clock that was ahead."""
    return f"{age(seconds)} ago" if seconds >= -MAX_CLOCK_SKEW else f"{age(-seconds)} ahead of this clock"


def since(moment: datetime | None, now: datetime) -> str:
    """Format a time and its age."""
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC ({ago((now - moment).total_seconds())})"


def is_stale(last_success: datetime | None, now: datetime, budget: float) -> bool:
    """Return whether the last success is older than the budget, or missing.

    A success in the future also counts as stale: it was dated by a clock that was ahead, so its age is unknown.

    Args:
        last_success: when it ended; None if there was none.
        now: the time.
        budget: maximum age in seconds.
    """
    return last_success is None or not -MAX_CLOCK_SKEW <= (now - last_success).total_seconds() <= budget
