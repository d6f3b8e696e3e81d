"""PURE. Colours in a line of text, and everything else in it made harmless.

A painted text carries marks, not escape sequences: only `render` puts those in, so that nothing that a stranger wrote can reach
a terminal as one. The marks are code points that Unicode keeps out of any text, and `escape_control_characters` escapes them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable

    Paint = Callable[[str, str], str]

_END = "\ufdd0"
_BEGIN = {"bold": "\ufdd1", "red": "\ufdd2", "green": "\ufdd3", "yellow": "\ufdd4"}
_SEQUENCES = {_END: "\x1b[0m", "\ufdd1": "\x1b[1m", "\ufdd2": "\x1b[31m", "\ufdd3": "\x1b[32m", "\ufdd4": "\x1b[33m"}
_MARKS = re.compile(f"([{''.join(_SEQUENCES)}])")


def mark(text: str, color: str) -> str:
    """Mark a text as bold, red, green or yellow."""
    return f"{_BEGIN[color]}{text}{_END}"


def render(line: str, *, colored: bool) -> str:
    """Make a line ready for a terminal: marks become colours, or nothing; control characters become visible escapes."""
    parts = _MARKS.split(line)
    for place, part in enumerate(parts):
        if part in _SEQUENCES:
            parts[place] = _SEQUENCES[part] if colored else ""
        else:
            parts[place] = escape_control_characters(part)
    return "".join(parts)
