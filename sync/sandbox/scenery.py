"""Covers for the sample catalog: each a landscape drawn from the words of its template's title. Same words, same picture."""

from __future__ import annotations

import colorsys
import math
import random
from typing import TYPE_CHECKING, Any

from sync.sandbox.canvas import Canvas, Colour, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A look: hue above, hue below, light (day, dusk, night), what is in the air, what the ground is.
_LOOKS = {
    "Battle": (12, 40, "dusk", "sparks", "peaks"), "Neon": (285, 190, "night", "none", "city"),
    "Cherry Blossom": (335, 20, "day", "petals", "hills"), "Starry Sky": (235, 280, "night", "stars", "peaks"),
    "Retro": (28, 48, "dusk", "none", "rays"), "Cyber": (190, 310, "night", "none", "city"),
    "Ink Wash": (60, 50, "mist", "none", "peaks"), "Wuxia": (165, 45, "mist", "petals", "peaks"),
    "Undersea": (190, 215, "deep", "bubbles", "hills"), "Snow Mountain": (210, 220, "day", "snow", "peaks"),
    "Desert": (35, 20, "day", "none", "dunes"), "Jungle": (140, 90, "day", "petals", "hills"),
    "Space": (260, 220, "night", "stars", "dunes"), "Doomsday": (8, 30, "dusk", "sparks", "city"),
    "Fairy Tale": (280, 330, "day", "sparks", "hills"), "Dark": (250, 350, "night", "none", "peaks"),
    "Campus": (200, 110, "day", "petals", "city"), "City": (215, 30, "dusk", "none", "city"),
    "Summer": (195, 45, "day", "none", "waves"), "Winter": (205, 195, "day", "snow", "hills"),
    "Midnight": (240, 260, "night", "stars", "city"), "Golden": (42, 30, "dusk", "sparks", "rays"),
    "Crystal": (185, 270, "day", "bubbles", "peaks"), "Flame": (5, 35, "dusk", "sparks", "waves"),
    "Lightning": (255, 50, "night", "none", "peaks"), "Moonlight": (220, 200, "night", "stars", "waves"),
    "Candy": (325, 180, "day", "bubbles", "hills"), "Steam": (25, 35, "mist", "bubbles", "city"),
    "Pixel": (265, 160, "dusk", "stars", "blocks"), "Clay": (15, 35, "day", "none", "hills"),
    "Palace": (0, 42, "dusk", "none", "city"), "Spring Festival": (2, 38, "dusk", "sparks", "hills"),
}  # fmt: skip
_LIGHT = {  # lightness and saturation of the sky above, below; of the ground behind, in front
    "day": ((0.62, 0.62), (0.88, 0.70), (0.52, 0.38), (0.34, 0.42)),
    "dusk": ((0.34, 0.58), (0.72, 0.82), (0.30, 0.42), (0.16, 0.40)),
    "night": ((0.11, 0.55), (0.36, 0.58), (0.17, 0.48), (0.08, 0.50)),
    "mist": ((0.80, 0.18), (0.93, 0.28), (0.62, 0.16), (0.32, 0.20)),
    "deep": ((0.58, 0.66), (0.20, 0.70), (0.22, 0.55), (0.12, 0.55)),
}
_SHAPES = {
    "pair": ("Ball", "Wedding", "Hug", "Reunion", "Confession", "Street Dance", "Stroll", "Party"),
    "person": ("Knight", "Princess", "Hero", "Agent", "Portrait", "Catwalk", "Transformation", "Detective", "Angel"),
    "cat": ("Kitty",), "car": ("Car Chase", "Train", "Mech"), "sail": ("Journey", "Adventure", "Pirate"),
    "burst": ("Fireworks", "Magic", "Birthday", "Band", "Dragon"), "ring": ("Ball Game", "Time"),
}  # fmt: skip
_SHAPE_OF = {subject: shape for shape, subjects in _SHAPES.items() for subject in subjects}


def size_of(ratio: str | None, longest: int, *, multiple: int = 1) -> tuple[int, int]:
    """Give width and height in pixels for a ratio such as 9:16; what is no such ratio is taken for 9:16."""
    try:
        across, down = (int(part) for part in (ratio or "").split(":"))
        scale = longest / max(across, down)
        sides = (across * scale, down * scale)
    except (ValueError, ZeroDivisionError):
        sides = (longest * 9 / 16, longest)
    return tuple(max(multiple, round(side / multiple) * multiple) for side in sides)  # type: ignore[return-value]


def draw(record: Mapping[str, Any], longest: int = 560, *, multiple: int = 1) -> Canvas:
    """Draw the cover of one record of the endpoint.

    Args:
        record: of it, `Title_en`, `MediaId` and `CoverAspectRatio` are looked at.
        longest: pixels of the longer side.
        multiple: both sides are multiples of this.
    """
    title = record.get("Title_en") or ""
    rng = random.Random(f"scenery {record.get('MediaId')} {title}")  # noqa: S311 - a drawing, to be the same every time
    look = next((name for name in sorted(_LOOKS, key=len, reverse=True) if title.startswith(name)), None) or rng.choice([*_LOOKS])
    shape = next((shape for subject, shape in _SHAPE_OF.items() if subject in title), "person")
    above, below, light, air, ground = _LOOKS[look]
    turn = rng.uniform(-14, 14)
    hues = (above + turn, below + turn, below + turn / 2, above + turn)
    sky, horizon, behind, front = (_colour(hue, *tone) for hue, tone in zip(hues, _LIGHT[light], strict=True))
    accent = _colour(below + 180 if light == "day" else below, 0.97 if light in {"night", "deep"} else 0.93, 0.9)
    canvas = Canvas(*size_of(record.get("CoverAspectRatio"), longest, multiple=multiple))
    canvas.gradient(sky, horizon)
    unit = (canvas.width * canvas.height) ** 0.5
    line = canvas.height * rng.uniform(0.60, 0.68)
    x, y = canvas.width * rng.uniform(0.28, 0.72), canvas.height * rng.uniform(0.24, 0.36)
    if light != "deep":
        canvas.disc(x, y, unit * 0.150, _mixed(accent, sky, 0.72))
        canvas.disc(x, y, unit * 0.112, _mixed(accent, sky, 0.12))
    _AIR[air](canvas, rng, unit, _mixed(accent, sky, 0.2))
    for depth, colour in enumerate((_mixed(behind, horizon, 0.55), behind, front)):
        _GROUND[ground](canvas, rng, line + canvas.height * 0.095 * depth, colour, _mixed(accent, colour, 0.35))
    _EMBLEMS[shape](canvas, canvas.width * rng.uniform(0.36, 0.64), canvas.height * 0.90, unit * 0.24, accent)
    return canvas


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 360 / 360, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _mixed(one: Colour, other: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


# What is in the air -----------------------------------------------------------------------------------------------------


def _scatter(number: int, smallest: float, largest: float, lowest: float) -> Callable[..., None]:
    def put(canvas: Canvas, rng: random.Random, unit: float, colour: Colour) -> None:
        for _ in range(number):
            x, y = rng.uniform(0, canvas.width), rng.uniform(0.03, lowest) * canvas.height
            canvas.disc(x, y, unit * rng.uniform(smallest, largest), colour)

    return put


_AIR: dict[str, Callable[..., None]] = {
    "none": lambda *_: None,
    "stars": _scatter(46, 0.002, 0.005, 0.6),
    "snow": _scatter(34, 0.004, 0.010, 0.8),
    "petals": _scatter(18, 0.006, 0.014, 0.7),
    "bubbles": _scatter(12, 0.010, 0.034, 0.7),
    "sparks": _scatter(24, 0.003, 0.008, 0.6),
}


# The ground -------------------------------------------------------------------------------------------------------------


def _filled(canvas: Canvas, heights: list[Point], colour: Colour) -> None:
    canvas.polygon([(0, canvas.height), *heights, (canvas.width, canvas.height)], colour)


def _peaks(canvas: Canvas, rng: random.Random, line: float, colour: Colour, _light: Colour) -> None:
    corners = rng.randint(3, 5)
    places = [(canvas.width * (at + rng.uniform(-0.2, 0.2)) / corners, at) for at in range(corners + 1)]
    heights = [(x, line + canvas.height * (rng.uniform(-0.17, -0.06) if at % 2 else rng.uniform(0.0, 0.06))) for x, at in places]
    _filled(canvas, [(0, heights[0][1]), *heights[1:-1], (canvas.width, heights[-1][1])], colour)


def _rolling(swing: float, waves: float) -> Callable[..., None]:
    def roll(canvas: Canvas, rng: random.Random, line: float, colour: Colour, _light: Colour) -> None:
        start, scale = rng.uniform(0, math.tau), waves * math.tau / canvas.width * rng.uniform(0.8, 1.2)
        step = canvas.width / 60
        curve = ((at * step, math.sin(start + at * step * scale)) for at in range(61))
        _filled(canvas, [(x, line - canvas.height * swing * (1 + y)) for x, y in curve], colour)

    return roll


def _city(canvas: Canvas, rng: random.Random, line: float, colour: Colour, light: Colour) -> None:
    x = -rng.uniform(0, 0.05) * canvas.width
    pane = canvas.width * 0.014
    while x < canvas.width:
        wide = canvas.width * rng.uniform(0.09, 0.19)
        top = line - canvas.height * rng.uniform(0.0, 0.19)
        canvas.box(x, top, x + wide, canvas.height, colour)
        for row in range(1, int((canvas.height - top) / (pane * 3.2))):
            for column in range(1, int(wide / (pane * 2.6))):
                if rng.random() < 0.22:  # noqa: PLR2004 - so many windows are lit
                    left, upper = x + column * pane * 2.4, top + row * pane * 3.0
                    canvas.box(left, upper, left + pane, upper + pane * 1.4, light)
        x += wide + canvas.width * rng.choice((0.0, 0.012))


def _rays(canvas: Canvas, rng: random.Random, line: float, colour: Colour, light: Colour) -> None:
    _rolling(0.02, 1)(canvas, rng, line, colour, light)
    for at in range(5):
        y = line + canvas.height * (0.05 + 0.025 * at)
        canvas.box(0, y, canvas.width, y + canvas.height * 0.004, _mixed(colour, light, 0.35))


def _blocks(canvas: Canvas, rng: random.Random, line: float, colour: Colour, _light: Colour) -> None:
    wide = canvas.width / 9
    for at in range(9):
        canvas.box(at * wide, line - rng.randint(0, 4) * wide * 0.5, (at + 1) * wide, canvas.height, colour)


_GROUND: dict[str, Callable[..., None]] = {
    "peaks": _peaks, "hills": _rolling(0.045, 1.1), "dunes": _rolling(0.055, 0.7), "waves": _rolling(0.016, 3.2),
    "city": _city, "rays": _rays, "blocks": _blocks,
}  # fmt: skip


# Who or what stands in front: on (x, y), so many pixels high ---------------------------------------------------------------


def _person(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    canvas.disc(x, y - high * 0.86, high * 0.13, colour)
    neck, hem = high * 0.10, high * 0.26
    canvas.polygon([(x - neck, y - high * 0.70), (x + neck, y - high * 0.70), (x + hem, y), (x - hem, y)], colour)


def _pair(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    _person(canvas, x - high * 0.26, y, high, colour)
    _person(canvas, x + high * 0.26, y, high * 0.88, colour)


def _cat(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    canvas.disc(x, y - high * 0.26, high * 0.26, colour)
    canvas.disc(x, y - high * 0.62, high * 0.20, colour)
    for side in (-1, 1):
        canvas.polygon([(x + side * high * 0.19, y - high * 0.95), (x + side * high * 0.19, y - high * 0.60),
                        (x + side * high * 0.02, y - high * 0.76)], colour)  # fmt: skip


def _car(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    canvas.box(x - high * 0.55, y - high * 0.42, x + high * 0.55, y - high * 0.14, colour)
    canvas.polygon([(x - high * 0.38, y - high * 0.40), (x - high * 0.20, y - high * 0.68), (x + high * 0.18, y - high * 0.68),
                    (x + high * 0.38, y - high * 0.40)], colour)  # fmt: skip
    for side in (-1, 1):
        canvas.disc(x + side * high * 0.30, y - high * 0.12, high * 0.13, colour)


def _sail(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    canvas.polygon([(x - high * 0.48, y - high * 0.20), (x + high * 0.48, y - high * 0.20), (x + high * 0.30, y),
                    (x - high * 0.30, y)], colour)  # fmt: skip
    canvas.polygon([(x - high * 0.03, y - high), (x - high * 0.03, y - high * 0.25), (x - high * 0.42, y - high * 0.25)], colour)
    canvas.polygon(
        [(x + high * 0.03, y - high * 0.9), (x + high * 0.03, y - high * 0.25), (x + high * 0.36, y - high * 0.25)], colour
    )


def _burst(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    middle = y - high * 0.5
    for at in range(12):
        turn, reach = at * math.tau / 12, high * (0.52 if at % 2 else 0.40)
        across, down = math.cos(turn), math.sin(turn)
        thin = high * 0.016
        near, far = high * 0.14, reach
        canvas.polygon([(x + across * near - down * thin, middle + down * near + across * thin),
                        (x + across * near + down * thin, middle + down * near - across * thin),
                        (x + across * far, middle + down * far)], colour)  # fmt: skip
        canvas.disc(x + across * far, middle + down * far, high * 0.028, colour)


def _ring(canvas: Canvas, x: float, y: float, high: float, colour: Colour) -> None:
    canvas.disc(x, y - high * 0.42, high * 0.40, colour)
    canvas.disc(x, y - high * 0.42, high * 0.30, _mixed(colour, (40, 40, 60), 0.55))
    canvas.polygon([(x, y - high * 0.42), (x + high * 0.03, y - high * 0.68), (x - high * 0.03, y - high * 0.68)], colour)
    canvas.polygon([(x, y - high * 0.42), (x + high * 0.18, y - high * 0.38), (x + high * 0.18, y - high * 0.43)], colour)


_EMBLEMS: dict[str, Callable[..., None]] = {
    "person": _person, "pair": _pair, "cat": _cat, "car": _car, "sail": _sail, "burst": _burst, "ring": _ring,
}  # fmt: skip
