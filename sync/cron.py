"""Cron expressions with the meaning that every crontab gives them, as triggers for APScheduler 3.11.

APScheduler's own `CronTrigger` gives them another: 0 is Monday, 7 is refused, day of month AND day of week must match where
cron wants either, the zone is the machine's, an expression that never fires is accepted, and in the spring it loses a run:
`0 0 * * *` in New York does not fire on the day after the clocks change. So only its interface is used here.

Where clocks change, a time that comes twice fires twice, and one that is skipped fires once, as much later as was skipped;
UTC, the default of SYNC_TIMEZONE, knows no such day.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from apscheduler.triggers.base import BaseTrigger

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # in a leap year: 29 February does come
_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ITEM = re.compile(r"(?:\*|(?P<first>[a-z]+|[0-9]{1,4})(?:-(?P<last>[a-z]+|[0-9]{1,4}))?)(?:/(?P<step>[0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five places of an expression; a name stands for `low` plus its index."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day of month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of week", 0, 7, _WEEKDAYS)


@dataclass(frozen=True, slots=True)
class _Times:
    """When an expression fires. `either`: one of day and weekday is enough. Sunday is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    @property
    def date_exists(self) -> bool:
        """Whether any of the months is ever long enough for any of the days."""
        return any(min(self.days) <= _MONTH_LENGTHS[month - 1] for month in self.months)

    def on(self, day: date) -> bool:
        """Whether they hold anything on this day."""
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((in_month or in_week) if self.either else (in_month and in_week))


def check(expression: str) -> None:
    """Refuse an expression that cannot be read, or that never fires.

    Raises:
        ValueError: with one sentence for whoever wrote the expression.
    """
    _parse(expression)


def trigger(expression: str, timezone: str) -> BaseTrigger:
    """Give the APScheduler trigger that fires when cron would.

    Args:
        expression: five fields, or a word such as `@daily`.
        timezone: the name of the zone whose clock is meant.

    Raises:
        ValueError: as `check` does.
    """
    from zoneinfo import ZoneInfo

    from apscheduler.triggers.base import BaseTrigger

    BaseTrigger.register(_Trigger)  # not its base class: reading the settings must not import APScheduler
    return _Trigger(_parse(expression), ZoneInfo(timezone), expression)


class _Trigger:
    """What APScheduler asks for the next time. The answers are in UTC, where later is always greater."""

    def __init__(self, times: _Times, zone: ZoneInfo, expression: str) -> None:
        self._times = times
        self._zone = zone
        self._expression = expression

    def __str__(self) -> str:
        return f"cron[{self._expression}, {self._zone.key}]"

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Give the first time after the previous one, or from now on if there was none.

        A clock that was set back asks with a previous time in the future: then too it counts from now on.
        """
        start = now.astimezone(UTC)
        if previous_fire_time is not None and previous_fire_time <= now:
            # Past it by the least there is: the same time again would keep APScheduler asking for ever.
            start = previous_fire_time.astimezone(UTC) + timedelta(microseconds=1)
        # From the day before: where 23:00 to midnight is skipped (Nuuk), that day's 23:30 is due at 00:30.
        day = start.astimezone(self._zone).date() - timedelta(days=1)
        while True:  # it ends, at the latest at a 29 February 40 years on: _parse refused what never fires
            instants = _instants(day, self._times, self._zone) if self._times.on(day) else ()
            index = bisect_left(instants, start)
            if index < len(instants):
                return instants[index]
            day += timedelta(days=1)


# Remembered, because after a long suspend APScheduler asks once for every time that was missed.
@lru_cache(maxsize=4)
def _instants(day: date, times: _Times, zone: ZoneInfo) -> tuple[datetime, ...]:
    found = set()
    for hour in times.hours:
        for minute in times.minutes:
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
            # Later for a time that comes twice; earlier for one that is skipped, which must not fire twice.
            found.update({first, max(first, second)})
    return tuple(sorted(found))


def _parse(expression: str) -> _Times:
    text = expression.strip().lower()
    fields = _WORDS.get(text, text).split()
    if text.startswith("@") and text not in _WORDS:
        raise ValueError(f"{text!r} is not one of {', '.join(_WORDS)}.")
    if len(fields) != 5:  # noqa: PLR2004 - the five that the sentence names
        raise ValueError(
            f"expected five fields, minute hour day-of-month month day-of-week, such as '0 3 * * mon-fri', not {len(fields)}."
        )
    minute, hour, day, month, weekday = fields
    times = _Times(
        minutes=_values(_MINUTE, minute),
        hours=_values(_HOUR, hour),
        days=_values(_DAY, day),
        months=_values(_MONTH, month),
        weekdays=frozenset(value % 7 for value in _values(_WEEKDAY, weekday)),
        # Cron's own rule: a field that begins with * restricts nothing by itself, so `*/2` there means AND, not OR.
        either=not day.startswith("*") and not weekday.startswith("*"),
    )
    if not times.either and not times.date_exists:
        raise ValueError(f"{expression.strip()!r} never fires: no such month has such a day.")
    return times


def _values(field: _Field, text: str) -> frozenset[int]:
    return frozenset(value for item in text.split(",") for value in _item(field, item))


def _item(field: _Field, item: str) -> range:
    match = _ITEM.fullmatch(item)
    if not match:
        raise ValueError(f"the {field.name} {item!r} cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3.")
    first, last, step = match["first"], match["last"], match["step"]
    if step and first and not last:
        # Cron daemons disagree about 5/15: only minute 5, every 15 minutes from there, or an error.
        raise ValueError(f"the {field.name} {item!r} has a step without a range: write {first}-{field.high}/{step}.")
    low = _number(field, first) if first else field.low
    high = _number(field, last or first) if first else field.high
    if field is _WEEKDAY and high == 0 < low:
        high = 7  # fri-sun: a Sunday ends a week as well as it begins one
    if high < low:
        raise ValueError(f"the {field.name} range {item!r} runs backwards: write it as two, with a comma.")
    if step and not 1 <= int(step) <= field.high - field.low + 1:
        # */90 in the minutes looks like every hour and a half, and would be every hour.
        raise ValueError(f"the {field.name} step of {item!r} is not from 1 to {field.high - field.low + 1}.")
    return range(low, high + 1, int(step or 1))


def _number(field: _Field, text: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    if not text.isdigit() or not field.low <= int(text) <= field.high:
        names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise ValueError(f"the {field.name} {text!r} is not from {field.low} to {field.high}{names}.")
    return int(text)
