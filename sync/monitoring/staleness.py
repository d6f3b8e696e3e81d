"""PURE. How long ago, and whether that is too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    Paint = Callable[[str, str], str]


AHEAD = 60.0
"""Seconds by which a moment may lie in the future: the clocks of two machines are never quite the same."""


_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(seconds: float) -> str:
    """Say how long ago: 40 s, 12 min, 3 h 05 min, 2 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def ago(seconds: float) -> str:
    """Say how long ago, or that it cannot be: the clock was ahead then, and was set right since."""
    return f"{age(seconds)} ago" if seconds >= -AHEAD else f"{age(-seconds)} ahead of this clock"


def since(moment: datetime | None, now: datetime) -> str:
    """Say when, and how long ago that is."""
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC ({ago((now - moment).total_seconds())})"


def is_stale(last_success: datetime | None, now: datetime, budget: float) -> bool:
    """Whether the last success is no longer, or never was, good enough.

    One that is dated in the future says nothing: the clock was ahead when it was written and has been set right since, so that
    nobody knows how old it is, and it would pass for fresh for as long as the clock was ahead.

    Args:
        last_success: when it ended, None if there was none.
        now: the time.
        budget: seconds that it may be old.
    """
    return last_success is None or not -AHEAD <= (now - last_success).total_seconds() <= budget
