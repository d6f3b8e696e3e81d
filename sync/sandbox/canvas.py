"""A picture of few colours, drawn row by row, and written as a PNG: enough for flat scenery, and quick in plain Python."""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Colour = tuple[int, int, int]
Point = tuple[float, float]


class Canvas:
    """Pixels that are numbers of colours; the palette grows as colours are asked for, up to 256."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.palette: list[Colour] = []
        self.rows = [bytearray(width) for _ in range(height)]
        self._numbers: dict[Colour, int] = {}

    def number(self, colour: Colour) -> int:
        """Give a colour's number; once the palette is full, that of the nearest colour."""
        if colour not in self._numbers:
            if len(self.palette) == 256:  # noqa: PLR2004 - what one byte tells apart
                near = min(self.palette, key=lambda known: sum((a - b) ** 2 for a, b in zip(known, colour, strict=True)))
                return self._numbers[near]
            self._numbers[colour] = len(self.palette)
            self.palette.append(colour)
        return self._numbers[colour]

    def gradient(self, top: Colour, bottom: Colour, steps: int = 90) -> None:
        """Fill the whole picture, from one colour above to another below."""
        for y, row in enumerate(self.rows):
            part = (y * steps // self.height) / (steps - 1)
            mixed = (round(a + (b - a) * part) for a, b in zip(top, bottom, strict=True))
            row[:] = bytes([self.number(tuple(mixed))]) * self.width  # type: ignore[arg-type]

    def span(self, y: int, left: float, right: float, number: int) -> None:
        """Fill a part of one row."""
        start, end = max(0, round(left)), min(self.width, round(right))
        if 0 <= y < self.height and start < end:
            self.rows[y][start:end] = bytes([number]) * (end - start)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        number = self.number(colour)
        for row in range(math.floor(y - radius), math.ceil(y + radius) + 1):
            half = radius**2 - (row - y) ** 2
            if half > 0:
                self.span(row, x - half**0.5, x + half**0.5, number)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle."""
        number = self.number(colour)
        for row in range(round(top), round(bottom)):
            self.span(row, left, right, number)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a shape with straight sides."""
        number = self.number(colour)
        sides = list(zip(points, [*points[1:], points[0]], strict=True))
        lowest, highest = min(y for _, y in points), max(y for _, y in points)
        for row in range(max(0, math.floor(lowest)), min(self.height, math.ceil(highest) + 1)):
            middle = row + 0.5
            crossings = sorted(
                x1 + (middle - y1) * (x2 - x1) / (y2 - y1) for (x1, y1), (x2, y2) in sides if (y1 <= middle) != (y2 <= middle)
            )
            for left, right in zip(crossings[::2], crossings[1::2], strict=False):
                self.span(row, left, right, number)

    def png(self) -> bytes:
        """Write it as a PNG with a palette."""
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        colours = b"".join(map(bytes, self.palette))
        pixels = zlib.compress(b"".join(b"\0" + row for row in self.rows), 6)
        chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", pixels), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
        )
