"""Cron expressions have the meaning that they have in a crontab."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.config.cron import Cron, check

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEDNESDAY = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def fires(expression: str, timezone: str, start: datetime, count: int) -> list[datetime]:
    """Return the first times after a time."""
    cron = Cron(expression, ZoneInfo(timezone))
    found = [cron.at_or_after(start)]
    while len(found) < count:
        found.append(cron.after(found[-1]))
    return found


def written(times: list[datetime], timezone: str = "UTC") -> list[str]:
    return [f"{time.astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M}" for time in times]


# 2026-07-01 is a Wednesday; the times after 12:00 on that day were determined by hand.
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/15 * * * *", ["Wed 2026-07-01 12:00", "Wed 2026-07-01 12:15", "Wed 2026-07-01 12:30"]),
        ("0 0 * * 0", ["Sun 2026-07-05 00:00", "Sun 2026-07-12 00:00", "Sun 2026-07-19 00:00"]),
        ("0 0 * * 7", ["Sun 2026-07-05 00:00", "Sun 2026-07-12 00:00", "Sun 2026-07-19 00:00"]),
        ("0 0 * * SUN", ["Sun 2026-07-05 00:00", "Sun 2026-07-12 00:00", "Sun 2026-07-19 00:00"]),
        ("0 0 * * 5-7", ["Fri 2026-07-03 00:00", "Sat 2026-07-04 00:00", "Sun 2026-07-05 00:00", "Fri 2026-07-10 00:00"]),
        ("0 0 * * fri-sun", ["Fri 2026-07-03 00:00", "Sat 2026-07-04 00:00", "Sun 2026-07-05 00:00", "Fri 2026-07-10 00:00"]),
        ("0 0 * * sun-sun", ["Sun 2026-07-05 00:00", "Sun 2026-07-12 00:00"]),
        ("0 0 * * 5-0", ["Fri 2026-07-03 00:00", "Sat 2026-07-04 00:00", "Sun 2026-07-05 00:00", "Fri 2026-07-10 00:00"]),
        ("0 0 * * 0-2", ["Sun 2026-07-05 00:00", "Mon 2026-07-06 00:00", "Tue 2026-07-07 00:00", "Sun 2026-07-12 00:00"]),
        ("0 0 * * 1-7/3", ["Thu 2026-07-02 00:00", "Sun 2026-07-05 00:00", "Mon 2026-07-06 00:00", "Thu 2026-07-09 00:00"]),
        ("0 0 * * */3", ["Sat 2026-07-04 00:00", "Sun 2026-07-05 00:00", "Wed 2026-07-08 00:00"]),
        ("0 0 * * mon-fri", ["Thu 2026-07-02 00:00", "Fri 2026-07-03 00:00", "Mon 2026-07-06 00:00"]),
        ("0 0 * jan,Dec *", ["Tue 2026-12-01 00:00", "Wed 2026-12-02 00:00"]),
        ("0 0 1 mar-may/2 *", ["Mon 2027-03-01 00:00", "Sat 2027-05-01 00:00", "Wed 2028-03-01 00:00"]),
        ("0 8-18/5,23 * * *", ["Wed 2026-07-01 13:00", "Wed 2026-07-01 18:00", "Wed 2026-07-01 23:00", "Thu 2026-07-02 08:00"]),
        ("0 0 29 2 *", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00", "Fri 2036-02-29 00:00"]),
        ("  0\t0  *  *  05 ", ["Fri 2026-07-03 00:00"]),
        ("@hourly", ["Wed 2026-07-01 12:00", "Wed 2026-07-01 13:00"]),
        ("@daily", ["Thu 2026-07-02 00:00", "Fri 2026-07-03 00:00"]),
        ("@midnight", ["Thu 2026-07-02 00:00", "Fri 2026-07-03 00:00"]),
        ("@Weekly", ["Sun 2026-07-05 00:00", "Sun 2026-07-12 00:00"]),
        ("@monthly", ["Sat 2026-08-01 00:00", "Tue 2026-09-01 00:00"]),
        ("@yearly", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]),
        ("@annually", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]),
    ],
)
def test_an_expression_fires_at_the_expected_times(expression: str, expected: list[str]) -> None:
    assert written(fires(expression, "UTC", WEDNESDAY, len(expected))) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # If both are restricted, either is sufficient.
        ("0 0 13 * 5", ["Fri 2026-07-03 00:00", "Fri 2026-07-10 00:00", "Mon 2026-07-13 00:00", "Fri 2026-07-17 00:00"]),
        # A range of all days of the week is a restriction, too: every day.
        ("0 0 13 * 0-6", ["Thu 2026-07-02 00:00", "Fri 2026-07-03 00:00"]),
        # A day that the month never has leaves only the other field.
        ("0 0 31 2 1", ["Mon 2027-02-01 00:00", "Mon 2027-02-08 00:00"]),
        # A field that begins with * is no restriction: both must match.
        ("0 0 */2 * 5", ["Fri 2026-07-03 00:00", "Fri 2026-07-17 00:00", "Fri 2026-07-31 00:00"]),
        ("0 0 13 * */7", ["Sun 2026-09-13 00:00", "Sun 2026-12-13 00:00", "Sun 2027-06-13 00:00"]),
    ],
)
def test_day_of_month_and_day_of_week_combine_as_in_cron(expression: str, expected: list[str]) -> None:
    assert written(fires(expression, "UTC", WEDNESDAY, len(expected))) == expected


def test_the_time_zone_is_the_configured_one() -> None:
    # 12:00 UTC is 20:00 in Shanghai, so that its Thursday begins at 16:00 UTC on Wednesday.
    assert written(fires("0 0 * * *", "Asia/Shanghai", WEDNESDAY, 2)) == ["Wed 2026-07-01 16:00", "Thu 2026-07-02 16:00"]
    assert written(fires("0 9 * * 1", "Asia/Shanghai", WEDNESDAY, 1), "Asia/Shanghai") == ["Mon 2026-07-06 09:00"]


NEW_YORK, MARCH, NOVEMBER = "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(("expression", "timezone", "start", "expected"), [
    # In New York, the clock is set from 02:00 to 03:00 on 8 March 2026 at 07:00 UTC: a skipped time fires then.
    ("30 2 * * *", NEW_YORK, MARCH, ["Sun 2026-03-08 07:00", "Mon 2026-03-09 06:30"]),
    ("15,45 2 * * *", NEW_YORK, MARCH, ["Sun 2026-03-08 07:00", "Mon 2026-03-09 06:15", "Mon 2026-03-09 06:45"]),
    # APScheduler's own trigger loses the midnight after it.
    ("0 0 * * *", NEW_YORK, MARCH, ["Sun 2026-03-08 05:00", "Mon 2026-03-09 04:00"]),
    # The night of 1 November has two 01:30s, an hour apart: a set time fires once, also if the start is between the two.
    ("30 1 * * *", NEW_YORK, NOVEMBER, ["Sun 2026-11-01 05:30", "Mon 2026-11-02 06:30"]),
    ("30 1 * * *", NEW_YORK, NOVEMBER + timedelta(minutes=70), ["Mon 2026-11-02 06:30"]),
    # A repeated time fires in both hours, and not in the skipped one.
    ("*/30 * * * *", NEW_YORK, NOVEMBER, [f"Sun 2026-11-01 {time}" for time in ("05:00", "05:30", "06:00", "06:30")]),
    ("*/30 * * * *", NEW_YORK, MARCH + timedelta(minutes=90), [f"Sun 2026-03-08 {time}" for time in ("06:30", "07:00", "07:30")]),
    # In Nuuk, the hour before midnight is skipped.
    ("30 23 * * *", "America/Nuuk", datetime(2026, 3, 29, 0, 10, tzinfo=UTC), ["Sun 2026-03-29 01:00", "Mon 2026-03-30 00:30"]),
])  # fmt: skip
def test_a_clock_change_loses_no_run(expression: str, timezone: str, start: datetime, expected: list[str]) -> None:
    assert written(fires(expression, timezone, start, len(expected))) == expected


@settings(max_examples=200, deadline=None)
@given(
    expression=st.sampled_from(["30 1 * * *", "15,45 1,2 * * *", "*/20 * * * *", "0 */2 * * *", "30 23 * * 0"]),
    timezone=st.sampled_from(["America/New_York", "America/Nuuk", "Europe/Lisbon", "Australia/Lord_Howe", "America/Santiago"]),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is added
)
def test_the_next_time_is_later_and_the_first_that_matches(expression: str, timezone: str, start: datetime) -> None:
    cron = Cron(expression, ZoneInfo(timezone))
    found = cron.after(start)
    assert found > start
    assert found.tzinfo is UTC
    assert cron.after(start + (found - start) / 2) == found


def test_at_or_after_includes_the_given_time_and_after_does_not() -> None:
    hourly = Cron("@hourly", ZoneInfo("UTC"))
    assert hourly.at_or_after(WEDNESDAY) == WEDNESDAY
    one = WEDNESDAY + timedelta(hours=1)
    assert hourly.after(WEDNESDAY) == hourly.at_or_after(WEDNESDAY + timedelta(microseconds=1)) == one


def test_a_cron_schedule_has_a_text_form() -> None:
    assert str(Cron("0 0 * * sun", SHANGHAI)) == "cron[0 0 * * sun, Asia/Shanghai]"


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("", "expected five fields, minute hour day-of-month month day-of-week, such as '0 3 * * mon-fri', not 0."),
        ("0 0 * * * *", "expected five fields, minute hour day-of-month month day-of-week, such as '0 3 * * mon-fri', not 6."),
        ("@reboot", "'@reboot' is not one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually."),
        ("60 * * * *", "the minute '60' is not from 0 to 59."),
        ("0 24 * * *", "the hour '24' is not from 0 to 23."),
        ("0 0 0 * *", "the day of month '0' is not from 1 to 31."),
        ("0 0 * 13 *", "the month '13' is not from 1 to 12, or jan to dec."),
        ("0 0 * * 8", "the day of week '8' is not from 0 to 7, or sun to sat."),
        ("0 0 * * monday", "the day of week 'monday' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("jan * * * *", "the minute 'jan' is not from 0 to 59."),
        ("0 0 ? * *", "the day of month '?' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("0 0 L * *", "the day of month 'l' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("0 0 * * 5#2", "the day of week '5#2' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("1,,2 * * * *", "the minute '' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("-5 * * * *", "the minute '-5' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("٣ * * * *", "the minute '٣' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("\x1b[2J * * * *", "the minute '\\x1b[2j' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("5/15 * * * *", "the minute '5/15' has a step without a range: write 5-59/15."),
        ("5-5/15 * * * *", "the minute '5-5/15' has a step without a range: write 5-59/15."),
        ("0 0 LW * *", "the day of month 'lw' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("0 0 * * 5L", "the day of week '5l' cannot be read: expected a form such as *, 5, 1-5, */10 or 1,3."),
        ("0 0 * * foo", "the day of week 'foo' is not from 0 to 7, or sun to sat."),
        ("0 22-4 * * *", "the hour '22-4' is not from 0 to 23; a range that runs backwards is written as two, with a comma."),
        ("*/90 * * * *", "the minute step of '*/90' is not from 1 to 60."),
        ("*/0 * * * *", "the minute step of '*/0' is not from 1 to 60."),
        ("0 0 31 2 *", "'0 0 31 2 *' never fires: none of its months has such a day."),
        ("0 0 30-31 2 */2", "'0 0 30-31 2 */2' never fires: none of its months has such a day."),
        ("0 0 31 4,6,9,11 *", "'0 0 31 4,6,9,11 *' never fires: none of its months has such a day."),
    ],
)
def test_an_invalid_expression_is_rejected_in_one_sentence(expression: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refusal:
        check(expression)
    assert str(refusal.value) == sentence
    with pytest.raises(ValueError, match=r"\.$"):
        Cron(expression, SHANGHAI)


def test_checking_a_setting_does_not_import_apscheduler() -> None:
    program = "import sys; from sync.config.cron import check; check('@daily'); print('apscheduler' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "False\n"


Part = tuple[str, set[int]]
"""The text of a field, and its values."""


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> Part:
    forms: list[str] = []
    values: set[int] = set()
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        beyond = draw(st.integers(min(first + 1, high), high))  # a step over one value is refused
        step = draw(st.integers(1, high - low + 1))
        choices = [
            ("*", range(low, high + 1)),
            (f"*/{step}", range(low, high + 1, step)),
            (f"{first}", range(first, first + 1)),
            (f"{first}-{last}", range(first, last + 1)),
            *([(f"{first}-{beyond}/{step}", range(first, beyond + 1, step))] if beyond > first else []),
        ]
        text, stands_for = draw(st.sampled_from(choices))
        forms.append(text)
        values.update(stands_for)
    return ",".join(forms), values


@settings(max_examples=60, deadline=None)
@given(
    parts=st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), st.just(("*", set(range(1, 13)))) | fields(1, 12), fields(0, 7)),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2031, 12, 31)),  # noqa: DTZ001 - local time of Shanghai
)
def test_each_expression_agrees_with_a_check_of_every_minute(parts: tuple[Part, ...], start: datetime) -> None:
    expression = " ".join(text for text, _ in parts)
    minute, hour, day, month, weekday = (values for _, values in parts)
    both_restricted = parts[2][0][0] != "*" and parts[4][0][0] != "*"

    def matches(time: datetime) -> bool:
        by_day = time.day in day
        by_weekday = time.isoweekday() in weekday or (time.isoweekday() == 7 and 0 in weekday)
        right_day = (by_day or by_weekday) if both_restricted else (by_day and by_weekday)
        return time.minute in minute and time.hour in hour and right_day and time.month in month

    try:
        found = Cron(expression, SHANGHAI).at_or_after(start.replace(tzinfo=SHANGHAI))
    except ValueError as error:
        assert "never fires" in str(error)  # noqa: PT017 - raised only sometimes; the search below must then find nothing
        found = None

    time = start.replace(second=0, microsecond=0)
    time += timedelta(minutes=time < start)
    for _ in range(10 * 24 * 60):
        if matches(time):
            assert found == time.replace(tzinfo=SHANGHAI)
            return
        time += timedelta(minutes=1)
    assert found is None or found >= time.replace(tzinfo=SHANGHAI)
