"""PURE. Text for output: escaped control characters, JSON, times, ages, counts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that JSON does not escape and that control a terminal or the direction of text."""

_LAYOUT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def json_text(value: Any, indent: int | None = None) -> str:
    """Write JSON with non-ASCII characters as they are, and every character that controls a terminal escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def json_parts(value: Any, items: Iterable[Any], indent: int | None = None) -> Iterator[str]:
    """Yield the text of `json_text` in parts, for a long list, of which only one item at a time is in memory.

    `value` is an empty list, or an object whose last member is an empty list; `items` are the items of that list.
    """
    head, _, tail = json_text(value, indent).rpartition("[]")
    outer = "" if indent is None else "\n" + " " * (indent if head else 0)
    inner = "" if indent is None else outer + " " * indent
    yield f"{head}["
    before = inner
    for item in items:
        text = json_text(item, indent)
        yield before + (text.replace("\n", inner) if indent else text)  # no value contains a line break: JSON escapes it
        before = f",{inner or ' '}"
    yield f"{outer if before != inner else ''}]{tail}"


def _plain(value: Any) -> Any:
    """Convert a struct to a dict, and any other value that JSON does not have to text."""
    if not hasattr(value, "__struct_fields__"):
        return str(value)
    from msgspec import to_builtins

    return to_builtins(value)


def escape_control_characters(text: str) -> str:
    """Escape every non-printable character, so that text from outside cannot control a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text)


def escape_bidi(text: str) -> str:
    """Escape control characters and those that change the direction of text.

    Unlike `escape_control_characters`, leave the joiners of emoji and letters, which a web page displays correctly.
    """
    if text.isprintable():
        return text
    return _LAYOUT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


MAX_NAMES = 20


def join_limited(names: Sequence[str]) -> str:
    """Join the first MAX_NAMES names, and add how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def count_of(number: int, thing: str) -> str:
    """Write a number with its noun: 1 template, 2 templates."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def iso(moment: datetime) -> str:
    """Write a time as 2026-05-22T03:37:31Z, with microseconds if it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
