"""Text on its way out: control characters escaped, JSON and times written in the one form."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that JSON leaves as they are and that act on a terminal, or turn the direction of writing."""

_LAYOUT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def json_text(value: Any, indent: int | None = None) -> str:
    """Write JSON for people and machines alike: readable, and with nothing in it that acts on a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> Any:
    """Convert what JSON does not know: a struct to a dict, anything else to text."""
    if not hasattr(value, "__struct_fields__"):
        return str(value)
    from msgspec import to_builtins

    return to_builtins(value)


def escape_control_characters(text: str) -> str:
    """Make a stranger's text safe to show: control characters, which could act on a terminal, become visible escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text)


def escape_bidi(text: str) -> str:
    """Make what acts on how text is laid out visible: control characters, and those that turn the direction of writing.

    Unlike `escape_control_characters` it leaves what joins emoji and letters, which a page shows as it should.
    """
    if text.isprintable():  # which none of them is
        return text
    return _LAYOUT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


MAX_NAMES = 20


def join_limited(names: Sequence[str]) -> str:
    """Name the first of many, and say how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def count_of(number: int, thing: str) -> str:
    """Say how many: 1 template, 2 templates."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def iso(moment: datetime) -> str:
    """Write a UTC moment as everything here writes it: 2026-05-22T03:37:31Z, with microseconds if it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
