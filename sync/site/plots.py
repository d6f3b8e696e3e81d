"""Plots over time as SVG paths, computed at build time: size of the catalog, additions and removals, price level."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from itertools import groupby
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from sync.text import escape_bidi

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    Series = Sequence[tuple[datetime, float | None]]

    from sync.reader.catalog_dump import CatalogDump, Period
    from sync.reader.stored_templates import Stored


WIDTH, HEIGHT = 480.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 128.0, 12.0, 26.0
_BEYOND = 1.06
"""Factor by which lines continue beyond the last point, so that the last step is visible."""
_BETWEEN = 15.0
"""Minimum distance between two labels, for the font size on phones."""


class Line(NamedTuple):
    """One line with its label.

    Attributes:
        path: its SVG path.
        last: its last value; empty if it ends before the plot.
        place: y coordinate of the label.
        cut: where it begins, if its beginning was pruned.
    """

    name: str
    path: str
    first: str
    last: str
    place: float
    cut: tuple[float, float] | None


class Plot(NamedTuple):
    """A drawing of `WIDTH` by `HEIGHT`; a tick is a coordinate and its label."""

    lines: Sequence[Line]
    across: Sequence[tuple[float, str]]
    up: Sequence[tuple[float, str]]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT


def step_plot(series: Mapping[str, Series], until: datetime, cut: Container[str] = ()) -> Plot | None:
    """Draw step functions up to `until`, from points in their order; None if there is no value.

    The value None ends a line. `cut` are the names of the lines whose beginning was pruned.
    """
    values = [value for points in series.values() for _, value in points if value is not None]
    moments = [moment for points in series.values() for moment, _ in points]
    if not values:
        return None
    start, end = min(moments), max(until, *moments)
    seconds = (end - start).total_seconds() * _BEYOND or 1.0
    integral = all(value == int(value) for value in values)
    low, high, step = _scale(min(values), max(values), least_step=1.0 if integral else 0.0)
    right = WIDTH - _RIGHT

    def x(moment: datetime) -> float:
        return round(_LEFT + (right - _LEFT) * (moment - start).total_seconds() / seconds, 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low), 1)

    lines = []
    for name, points in series.items():
        known = [value for _, value in points if value is not None]
        if not known:
            continue
        path, last = "", None
        for moment, value in points:
            if last is not None:
                path += f"H{x(moment)}"
            if value is not None:
                path += f"M{x(moment)} {y(value)}" if last is None else f"V{y(value)}"
            last = value
        if last is not None:
            path += f"H{right}"
        begins = (x(points[0][0]), y(known[0])) if name in cut else None
        lines.append(Line(name, path, f"{known[0]:g}", "" if last is None else f"{last:g}", y(known[-1]), begins))
    ticks = [low + step * at for at in range(round((high - low) / step) + 1)]
    days = [start] if start.date() == end.date() else [start, end]
    return Plot(_apart(lines), [(x(day), f"{day:%Y-%m-%d}") for day in days], [(y(tick), f"{tick:g}") for tick in ticks])


def _scale(least: float, most: float, *, least_step: float) -> tuple[float, float, float]:
    """Return the ends of the axis, and a round step that gives three or four ticks."""
    if least == most:
        least, most = least * 0.9, most * 1.1 or 1.0
    raw = max((most - least) / 3, least_step)
    size = 10.0 ** (len(f"{int(raw)}") - 1) if raw >= 1 else 0.1
    step = next((size * part for part in (1, 2, 2.5, 5, 10) if size * part >= raw), size * 10)
    low = least // step * step
    high = low
    while high < most:
        high += step
    return low, high, step


def _apart(lines: Sequence[Line]) -> list[Line]:
    """Move overlapping labels apart: down, and up again from the lower edge."""
    order = sorted(range(len(lines)), key=lambda at: lines[at].place)
    places: dict[int, float] = {}
    above = -_BETWEEN
    for at in order:
        above = places[at] = max(lines[at].place, above + _BETWEEN)
    below = HEIGHT
    for at in reversed(order):
        below = places[at] = min(places[at], below - _BETWEEN)
    return [line._replace(place=places[at]) for at, line in enumerate(lines)]


MAX_LINES = 5
MAX_POINTS = 400


def catalog_plots(dump: CatalogDump) -> list[tuple[Plot, str, str]]:
    """Draw three plots, each with its title in English and Chinese; none if all changes have the same time."""
    moments = sorted({event.at for event in dump.events})
    if len(moments) < 2:  # noqa: PLR2004 - a line needs two points
        return []
    since = ("Added and removed since the first run", "首次运行以来的新增与移除")
    if dump.overview.oldest_seq > 1:  # pruned
        since = ("Added and removed", "新增与移除")
    plots = [
        (step_plot({"": _sizes(dump)}, moments[-1]), "Templates in the catalog", "目录中的模板数"),
        (step_plot(_moves(dump), moments[-1]), *since),
        (step_plot(_levels(dump), moments[-1]), "Median credits per resolution", "各分辨率积分中位数"),
    ]
    return [(plot, en, zh) for plot, en, zh in plots if plot is not None]


def price_plot(stored: Stored, periods: Sequence[Period]) -> Plot | None:
    """Draw the history of the prices; None if they never changed."""
    ended = [period.until for period in periods if period.until not in {None, stored.removed_at}]
    if not ended and len({period.since for period in periods}) < 2:  # noqa: PLR2004 - a second start is a price change
        return None
    lines: dict[str, list[tuple[datetime, float | None]]] = {}
    cut = set()
    for period in periods:
        name = escape_bidi(period.resolution)
        if period.cut and name not in lines:
            cut.add(name)
        points = lines.setdefault(name, [])
        if points and points[-1] == (period.since, None):
            points.pop()
        points.append((period.since, float(period.credit)))
        if period.until is not None:
            points.append((period.until, None))
    return step_plot(lines, max([stored.changed_at, *(period.until or period.since for period in periods)]), cut)


def _sizes(dump: CatalogDump) -> list[tuple[datetime, float | None]]:
    # From the present backwards, because the beginning of the feed may have been pruned.
    size = dump.overview.present
    points: list[tuple[datetime, float | None]] = []
    for event in reversed(dump.events):
        if not points or points[-1][0] != event.at:
            points.append((event.at, size))
        size -= {"added": 1, "removed": -1}.get(event.kind, 0)
    return points[::-1]


def _moves(dump: CatalogDump) -> dict[str, list[tuple[datetime, float | None]]]:
    totals: Counter[str] = Counter()
    lines: dict[str, dict[datetime, float | None]] = {"added": {}, "removed": {}}
    for event in dump.events:
        if event.kind in lines and event.run_id > dump.filled_run_id:
            totals[event.kind] += 1
        for kind, points in lines.items():
            points[event.at] = totals[kind]
    return {kind: list(points.items()) for kind, points in lines.items()}


def _levels(dump: CatalogDump) -> dict[str, list[tuple[datetime, float | None]]]:
    """Return the median price of each of the most frequent resolutions."""
    by_resolution: dict[str, list[Period]] = defaultdict(list)
    for periods in dump.periods.values():
        for period in periods:
            by_resolution[period.resolution].append(period)
    common = sorted(by_resolution, key=lambda name: (-len(by_resolution[name]), name))[:MAX_LINES]
    return {escape_bidi(name): _medians(by_resolution[name]) for name in sorted(common, key=_by_number)}


def _medians(periods: list[Period]) -> list[tuple[datetime, float | None]]:
    """Return the median at up to about `MAX_POINTS` of the times at which a price began or ended."""
    # Runs store no price that ended before it began, but its end would be missing in `present`.
    periods = [period for period in periods if period.until is None or period.since <= period.until]
    began = [(period.since, 0, period.credit) for period in periods]
    ended = [(period.until, 1, period.credit) for period in periods if period.until is not None]
    present: list[Decimal] = []  # sorted
    points: list[tuple[datetime, float | None]] = []
    for moment, changes in groupby(sorted(began + ended), key=itemgetter(0)):
        for _, has_ended, credit in changes:
            if has_ended:
                del present[bisect_left(present, credit)]
            else:
                insort(present, credit)
        points.append((moment, float(round(median(present), 2)) if present else None))
    return [*points[: -1 : max(1, len(points) // MAX_POINTS)], *points[-1:]]


def _by_number(name: str) -> tuple[int, str]:
    digits = "".join(char for char in name if char in "0123456789")[:9]
    return int(digits or 0), name
