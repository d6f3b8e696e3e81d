"""Check the arguments that an app passes, before any query; an invalid one raises ValueError."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.catalog.feed_chain import LARGEST_NUMBER
from sync.catalog.fields import BOUNDS, storage_flaw
from sync.errors import UnknownTemplate
from sync.reader.cursor import parse_position

_LONGEST_ID = BOUNDS["TemplateId"]


def check_position(since: str | int | None) -> str | int | None:
    """Return a cursor or a `seq`.

    Raises:
        ValueError: it is neither.
    """
    if since is not None and parse_position(since) is None:
        raise ValueError(f"since: a cursor or a seq, not {since!r}.")
    return since


def check_id(template_id: str) -> str:
    """Return the id of a template.

    Raises:
        ValueError: it is not a string.
    """
    if not isinstance(template_id, str):
        raise ValueError(f"template_id: a text, not {template_id!r}.")  # noqa: TRY004 - ValueError for every invalid argument
    if len(template_id) > _LONGEST_ID or storage_flaw(template_id):
        raise UnknownTemplate(f"No template can have the id {template_id[:_LONGEST_ID]!r}.", template_id=template_id)
    return template_id


def check_moment(when: int | datetime) -> int | datetime:
    """Return a run id, or an aware time converted to UTC.

    Raises:
        ValueError: it is neither; a time without a time zone is ambiguous.
    """
    if isinstance(when, int) and not isinstance(when, bool):
        if not 0 <= when <= LARGEST_NUMBER:
            raise ValueError(f"No run has the number {when}.")
        return when
    if not isinstance(when, datetime):
        raise ValueError(f"A run's number or a date-time, not {when!r}.")  # noqa: TRY004 - ValueError for every invalid argument
    if when.utcoffset() is None:
        raise ValueError(f"A date-time without a time zone: {when!r}; pass its tzinfo.")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"A date-time out of the calendar: {when!r}.") from None


def check_age(max_age: timedelta | float, name: str = "max_age") -> timedelta:
    """Return a timedelta, from a timedelta or seconds.

    Raises:
        ValueError: it is neither, or negative.
    """
    try:
        age = max_age if isinstance(max_age, timedelta) else timedelta(seconds=max_age)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: a timedelta or seconds, not {max_age!r}.") from None
    if age < timedelta(0):
        raise ValueError(f"{name}: not a negative time: {max_age!r}.")
    return age
