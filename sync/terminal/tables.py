"""PURE. Colours, and tables aligned by terminal columns; a Chinese character takes two.

Coloured text contains marks instead of escape sequences; only `render` inserts those, so the catalog's text cannot. The marks are
Unicode noncharacters, which `escape_control_characters` escapes in any other text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Paint = Callable[[str, str], str]


_END = "\ufdd0"
_BEGIN = {"bold": "\ufdd1", "red": "\ufdd2", "green": "\ufdd3", "yellow": "\ufdd4"}
_SEQUENCES = {_END: "\x1b[0m", "\ufdd1": "\x1b[1m", "\ufdd2": "\x1b[31m", "\ufdd3": "\x1b[32m", "\ufdd4": "\x1b[33m"}
_MARKS = re.compile(f"([{''.join(_SEQUENCES)}])")


def mark(text: str, color: str) -> str:
    """Mark a text as bold, red, green or yellow."""
    return f"{_BEGIN[color]}{text}{_END}"


def render(line: str, *, colored: bool) -> str:
    """Replace marks by colours, or remove them; escape control characters."""
    parts = _MARKS.split(line)
    for place, part in enumerate(parts):
        if part in _SEQUENCES:
            parts[place] = _SEQUENCES[part] if colored else ""
        else:
            parts[place] = escape_control_characters(part)
    return "".join(parts)


def plain(text: str, _color: str) -> str:
    """Return the text without a colour mark."""
    return text


GAP = "  "
MIN_WIDTH = 12  # columns; a cell that is truncated further is not readable

READABLE = 24
"""Columns; most titles are distinguishable at this width."""


def table(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    paint: Paint = plain,
    *,
    whole: Sequence[str] = (),
    omit: Sequence[str] = (),
) -> list[str]:
    """Format rows as lines with aligned columns.

    Args:
        rows: the first one is the heading.
        width: maximum width of a line in columns; None: no limit.
        paint: adds the colour of the heading.
        whole: headings of columns that are never made narrower.
        omit: headings of columns that are omitted, the first one first, while another column is narrower than `READABLE`
            and than its text.
    """
    sizes = [[*map(wide, row)] for row in rows]  # once for each cell: a long list has a hundred thousand
    full = [*map(max, zip(*sizes, strict=True))]
    widths = full
    if width is not None:
        for omitted in range(len(omit) + 1):
            kept = [place for place, name in enumerate(rows[0]) if name not in omit[:omitted]]
            available = width - len(GAP) * (len(kept) - 1)
            widths = fit([full[place] for place in kept], available, [rows[0][place] in whole for place in kept])
            if all(fitted >= min(full[place], READABLE) for fitted, place in zip(widths, kept, strict=True)):
                break
        rows = [[row[place] for place in kept] for row in rows]
        sizes = [[row[place] for place in kept] for row in sizes]
    lines = [GAP.join(map(_filled, row, takes, widths)).rstrip() for row, takes in zip(rows, sizes, strict=True)]
    if width is not None:
        lines = [cut(line, width) for line in lines]
    return [paint(lines[0], "bold"), *lines[1:]]


def _filled(cell: str, takes: int, width: int) -> str:
    """Pad or truncate a cell of `takes` columns to a width."""
    return cell + " " * (width - takes) if takes <= width else pad(cut(cell, width), width)


def fit(widths: Sequence[int], available: int, whole: Sequence[bool]) -> list[int]:
    """Reduce the widest columns to one common width, at least `MIN_WIDTH`, until all fit into `available` columns.

    Columns that do not fit even then stay too wide; the caller truncates the lines.
    """
    flexible = sorted(size for size, fixed in zip(widths, whole, strict=True) if not fixed)
    left = available - sum(widths) + sum(flexible)
    for place, size in enumerate(flexible):
        share = left // (len(flexible) - place)
        if size > share:
            most = max(share, MIN_WIDTH)
            return [size if fixed else min(size, most) for size, fixed in zip(widths, whole, strict=True)]
        left -= size
    return list(widths)


def wide(text: str) -> int:
    """Return the number of terminal columns of a text."""
    import wcwidth  # imported here, because only listings need it

    return max(0, wcwidth.wcswidth(text))


def pad(text: str, width: int) -> str:
    """Pad a text with spaces to a width in columns."""
    return text + " " * (width - wide(text))


def cut(text: str, width: int) -> str:
    """Truncate a text to a width in columns, with an ellipsis."""
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
