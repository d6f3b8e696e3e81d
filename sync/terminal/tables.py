"""PURE. Colours in a line of text, and everything else in it made harmless.

A painted text carries marks, not escape sequences: only `render` puts those in, so that nothing that a stranger wrote can reach
a terminal as one. The marks are code points that Unicode keeps out of any text, and `escape_control_characters` escapes them.

Rows lined up by the columns that a terminal shows, in which a Chinese character takes two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable

    Paint = Callable[[str, str], str]
    from collections.abc import Callable, Sequence


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


def plain(text: str, _color: str) -> str:
    """Paint nothing."""
    return text


GAP = "  "
LEAST = 12  # columns; what is cut shorter tells nothing any more


def table(
    rows: Sequence[Sequence[str]], width: int | None = None, paint: Paint = plain, *, whole: Sequence[str] = ()
) -> list[str]:
    """Line rows up by the columns that a terminal shows, in which a Chinese character takes two.

    Args:
        rows: the first one is the heading.
        width: fit lines into so many columns; None leaves them whole.
        paint: colours the heading.
        whole: headings of columns that are worth more than their neighbours: they are not made narrower.
    """
    sizes = [[*map(wide, row)] for row in rows]  # once for each cell: a long list has a hundred thousand
    widths = [*map(max, zip(*sizes, strict=True))]
    if width is not None:
        room = width - len(GAP) * (len(widths) - 1)
        widths = fit(widths, room, [name in whole for name in rows[0]])
    lines = [GAP.join(map(_filled, row, takes, widths)).rstrip() for row, takes in zip(rows, sizes, strict=True)]
    if width is not None:
        lines = [cut(line, width) for line in lines]
    return [paint(lines[0], "bold"), *lines[1:]]


def _filled(cell: str, takes: int, width: int) -> str:
    """Bring a cell, which takes so many columns, to a width."""
    return cell + " " * (width - takes) if takes <= width else pad(cut(cell, width), width)


def fit(widths: Sequence[int], room: int, whole: Sequence[bool]) -> list[int]:
    """Make columns narrower until they fit into the room: the widest ones, to one width, which still tells something.

    What does not fit even then stays too wide; the lines are cut at their end.
    """
    yielding = sorted(size for size, fixed in zip(widths, whole, strict=True) if not fixed)
    left = room - sum(widths) + sum(yielding)
    for place, size in enumerate(yielding):
        share = left // (len(yielding) - place)
        if size > share:
            most = max(share, LEAST)
            return [size if fixed else min(size, most) for size, fixed in zip(widths, whole, strict=True)]
        left -= size
    return list(widths)


def wide(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    import wcwidth  # only listings need it

    return max(0, wcwidth.wcswidth(text))


def pad(text: str, width: int) -> str:
    """Fill a text with spaces to a width in columns."""
    return text + " " * (width - wide(text))


def cut(text: str, width: int) -> str:
    """Cut a text to a width in columns, with an ellipsis."""
    import wcwidth

    if wide(text) <= width:
        return text
    taken, used = [], 0
    for char in text:
        used += max(0, wcwidth.wcwidth(char))
        if used > width - 1:
            break
        taken.append(char)
    return "".join(taken) + "…"
