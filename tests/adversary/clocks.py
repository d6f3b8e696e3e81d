"""Clocks that are wrong, were wrong, or are somebody else's. Times in seconds, from a moment that each table's test chooses."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@dataclass(frozen=True)
class Success:
    """How long ago the last success ended, and what `health` says of it, the budget being 45 minutes."""

    name: str
    ago: float
    code: int


SUCCESSES = [
    Success("just now", 0, 0),
    Success("44 minutes ago", 44 * MINUTE, 0),
    Success("46 minutes ago", 46 * MINUTE, 1),
    Success("ten years ago", 10 * YEAR, 1),
    Success("30 seconds ahead", -30, 0),
    Success("two minutes ahead", -2 * MINUTE, 1),
    Success("44 minutes ahead", -44 * MINUTE, 1),
    Success("a year ahead", -YEAR, 1),
    Success("in the year 2300", -270 * YEAR, 1),
]  # fmt: skip


@dataclass(frozen=True)
class Steps:
    """When the runs of a history began by the clock of their machine; each changes every price and version."""

    name: str
    at: tuple[float, ...]


HISTORIES = [
    Steps("a clock that goes", (0, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR)),
    Steps("ahead by a year, then set right", (YEAR, 0, HOUR, 2 * HOUR, 3 * HOUR)),
    Steps("right, ahead by a year, then set right", (0, HOUR, YEAR, 2 * HOUR, 3 * HOUR)),
    Steps("set back by a day", (DAY, DAY + HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR)),
    Steps("set back by an hour in every run", (4 * HOUR, 3 * HOUR, 2 * HOUR, HOUR, 0)),
    Steps("at one and the same moment", (0, 0, 0, 0, 0)),
    Steps("to and fro", (0, YEAR, 0, YEAR, 0)),
    Steps("a machine that starts in 1970", (-56 * YEAR, 0, -56 * YEAR, HOUR, 2 * HOUR)),
    Steps("a machine in the year 2090", (64 * YEAR, 0, HOUR, 64 * YEAR, 2 * HOUR)),
]  # fmt: skip


@dataclass(frozen=True)
class Left:
    """A lease of a minute that another machine left behind: when it seems to end, and how a run then ends."""

    name: str
    ends_in: float
    status: str


LEASES = [
    Left("it is over", -1, "succeeded"),
    Left("it was over in 1970", -56 * YEAR, "succeeded"),
    Left("it goes on for half a minute", 30, "skipped"),
    Left("it seems to go on for days: a clock was set back", 3 * DAY, "skipped"),
    Left("it seems to go on for ever", 1e300, "skipped"),
]  # fmt: skip

DATES = (
    "Tue, 99 Nov 2026 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1200",
    "Mon, 01 Jan 2026 00:00:00", "Mon, 01 Jan 2026 00:00:00 -0000", "Mon, 01 Jan 2026 00:00:00 +999999999",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "", "\xff\xfe", "x" * 60_000, "0", "1e9",
)  # fmt: skip
"""What a server may say in `Date`, whatever it means by it."""
