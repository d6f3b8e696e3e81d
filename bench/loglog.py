"""Draw curves over logarithmic axes, several pictures beside each other, as the text of one SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 470, 330
LEFT, RIGHT, TOP, BOTTOM = 60, 105, 34, 44
COLOURS = ("#c2255c", "#1c7ed6", "#2f9e44", "#e8590c", "#7048e8", "#495057")
_CLOSE = 12  # pixels between two names, at least


@dataclass(frozen=True, slots=True)
class Picture:
    """One pair of axes: name -> (x, y) points, all of them above nought."""

    title: str
    unit: str
    curves: Mapping[str, Points]


def svg(pictures: Sequence[Picture], columns: int = 2, across: str = "templates") -> str:
    """Draw pictures in a grid; a name has the same colour in all of them."""
    names = list(dict.fromkeys(name for picture in pictures for name in picture.curves))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    width, height = columns * WIDTH, -(-len(pictures) // columns) * HEIGHT
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
    parts = [head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for place, picture in enumerate(pictures):
        parts.append(f'<g transform="translate({place % columns * WIDTH} {place // columns * HEIGHT})">')
        parts += _drawn(picture, colours, across)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(picture: Picture, colours: Mapping[str, str], across: str) -> list[str]:
    x, x_ticks = _axis([point[0] for points in picture.curves.values() for point in points], LEFT, WIDTH - RIGHT)
    y, y_ticks = _axis([point[1] for points in picture.curves.values() for point in points], HEIGHT - BOTTOM, TOP)
    parts = [
        _text(LEFT, 20, picture.title, weight="bold"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, anchor="middle"),
    ]
    for tick in x_ticks:
        parts += [
            _line(x(tick), TOP, x(tick), HEIGHT - BOTTOM),
            _text(x(tick), HEIGHT - BOTTOM + 16, _short(tick), anchor="middle"),
        ]
    for tick in y_ticks:
        label = f"{_short(tick)} {picture.unit}"
        parts += [_line(LEFT, y(tick), WIDTH - RIGHT, y(tick)), _text(LEFT - 6, y(tick) + 4, label, anchor="end")]
    ends: list[tuple[float, float, str]] = []
    for name, points in picture.curves.items():
        path = " ".join(f"{x(one):.1f},{y(other):.1f}" for one, other in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="1.8"/>')
        parts += [f'<circle cx="{x(one):.1f}" cy="{y(other):.1f}" r="2.6" fill="{colours[name]}"/>' for one, other in points]
        ends.append((y(points[-1][1]), x(points[-1][0]), name))
    lowest = 0.0
    for end, right, name in sorted(ends):  # names stand at their curves' ends, and never on each other
        lowest = max(end + 4, lowest + _CLOSE)
        parts.append(_text(right + 7, lowest, name, colour=colours[name]))
    return parts


def _axis(values: Sequence[float], start: float, end: float) -> tuple[Callable[[float], float], list[float]]:
    """Give what turns a value into pixels, and the powers of ten that are in sight."""
    low, high = math.log10(min(values)) - 0.08, math.log10(max(values)) + 0.08

    def place(value: float) -> float:
        return start + (math.log10(value) - low) / (high - low) * (end - start)

    powers = [10.0**power for power in range(math.floor(low), math.ceil(high) + 1)]
    ticks = [tick for power in powers for tick in (power, 2 * power, 5 * power) if low <= math.log10(tick) <= high]
    return place, ticks if len(ticks) <= 8 else [tick for tick in powers if low <= math.log10(tick) <= high]  # noqa: PLR2004 - labels


def _short(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ") if number >= 1 else f"{number:g}"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dee2e6"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", colour: str = "#212529") -> str:
    look = f'text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'
