"""Cron expressions with the semantics of Debian's cron, evaluated by `cronsim`.

When daylight saving time starts or ends, a skipped time fires right after the gap, and a repeated one fires once. This module
adds the error messages, and rejects what `cronsim` accepts but a crontab does not, or interprets differently: six fields, `L` and
`#`, ambiguous steps.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day of month", 1, 31, ""),
    ("month", 1, 12, ", or jan to dec"),
    ("day of week", 0, 7, ", or sun to sat"),
)
_ITEM = re.compile(r"(?:\*|(?P<first>[a-z]{3}|[0-9]{1,2})(?:-(?P<last>[a-z]{3}|[0-9]{1,2}))?)(?:/(?P<step>[0-9]{1,4}))?")
_TO_SUNDAY = re.compile(r"\b(?!sun|0)(\w+)-(?:sun|0)\b")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Cron:
    """An expression evaluated in one time zone, with results in UTC, where comparing and subtracting need no zone."""

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        """Parse the expression; raise the ValueError of `check`."""
        self._expression = expression
        self._fields = check(expression)
        self._zone = zone

    def __str__(self) -> str:
        return f"cron[{self._expression}, {self._zone.key}]"

    def at_or_after(self, moment: datetime) -> datetime:
        """Return the first time that is not before a moment."""
        return self.after(moment - timedelta(microseconds=1))

    def after(self, moment: datetime) -> datetime:
        """Return the first time after a moment."""
        from cronsim import CronSim

        # In a repeated hour cronsim starts with its first occurrence, so some of its times are in the past.
        times = (time.astimezone(UTC) for time in CronSim(self._fields, moment.astimezone(self._zone)))
        return next(time for time in times if time > moment)


def check(expression: str) -> str:
    """Return the five fields of an expression in cronsim's form.

    A ValueError has one sentence for the user: the expression cannot be parsed, or never fires.
    """
    text = expression.strip().lower()
    fields = _WORDS.get(text, text).split()
    if text.startswith("@") and text not in _WORDS:
        raise ValueError(f"{text!r} is not one of {', '.join(_WORDS)}.")
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"expected five fields, minute hour day-of-month month day-of-week, such as '0 3 * * mon-fri', not {len(fields)}."
        )
    fields[4] = _TO_SUNDAY.sub(r"\1-7", fields[4])  # in fri-sun, Sunday is the last day of the week
    for place, field in enumerate(fields):
        for item in field.split(","):
            _check_item(place, item)
    if not _can_fire(fields):  # although each field is valid
        raise ValueError(f"{expression.strip()!r} never fires: none of its months has such a day.")
    return " ".join(fields)


def _check_item(place: int, item: str) -> None:
    name, low, high, names = _FIELDS[place]
    match = _ITEM.fullmatch(item)
    if not match:
        raise ValueError(f"the {name} {item!r} cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3.")
    first, last, step = match["first"], match["last"], match["step"]
    if step and first and last in {None, first}:
        # Cron daemons interpret 5/15 differently: only minute 5, every 15 minutes from 5, or an error.
        raise ValueError(f"the {name} {item!r} has a step without a range: write {first}-{high}/{step}.")
    if step and not 1 <= int(step) <= high - low + 1:
        # */90 in the minutes looks like every 90 minutes, and would be every hour.
        raise ValueError(f"the {name} step of {item!r} is not from 1 to {high - low + 1}.")
    alone = ["*"] * len(_FIELDS)
    alone[place] = item
    if not _can_fire(alone):
        backwards = "; a range that runs backwards is written as two, with a comma" if last else ""
        raise ValueError(f"the {name} {item!r} is not from {low} to {high}{names}{backwards}.")


def _can_fire(fields: list[str]) -> bool:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(" ".join(fields), _ANY_TIME)
    except CronSimError:
        return False
    return True
