"""PURE. Rows lined up by the columns that a terminal shows, in which a Chinese character takes two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wcwidth import wcswidth, wcwidth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Paint = Callable[[str, str], str]


def plain(text: str, _color: str) -> str:
    """Paint nothing."""
    return text


def table(rows: Sequence[Sequence[str]], width: int | None = None, paint: Paint = plain) -> list[str]:
    """Line rows up by the columns that a terminal shows, in which a Chinese character takes two.

    Args:
        rows: the first one is the heading.
        width: cut lines to so many columns; None leaves them whole.
        paint: colours the heading.
    """
    widths = [max(wide(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(pad(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
    if width is not None:
        lines = [cut(line, width) for line in lines]
    return [paint(lines[0], "bold"), *lines[1:]]


def wide(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return max(0, wcswidth(text))


def pad(text: str, width: int) -> str:
    """Fill a text with spaces to a width in columns."""
    return text + " " * (width - wide(text))


def cut(text: str, width: int) -> str:
    """Cut a text to a width in columns, with an ellipsis."""
    if wide(text) <= width:
        return text
    taken, used = [], 0
    for char in text:
        used += max(0, wcwidth(char))
        if used > width - 1:
            break
        taken.append(char)
    return "".join(taken) + "…"
