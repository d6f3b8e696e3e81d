"""How the catalog moved: its size, what came and went, and the price level, over the runs that changed anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

from sync.site.plots import Plot, step_plot
from sync.text import harmless

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sync.reader.catalog_dump import Whole

MOST_LINES = 5
MOST_POINTS = 400


def catalog_plots(whole: Whole) -> list[tuple[Plot, str, str]]:
    """Draw three plots, each with its title in English and Chinese; none before there are two moments to draw between."""
    moments = sorted({event.at for event in whole.events})
    if len(moments) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    plots = [
        (step_plot({"": _sizes(whole)}, moments[-1]), "Templates in the catalog", "目录中的模板数"),
        (step_plot(_moves(whole), moments[-1]), "Added and removed since the first run", "首次运行以来的新增与移除"),
        (step_plot(_levels(whole, moments), moments[-1]), "Median credits per resolution", "各分辨率积分中位数"),
    ]
    return [(plot, en, zh) for plot, en, zh in plots if plot is not None]


def _sizes(whole: Whole) -> list[tuple[datetime, float | None]]:
    # From the present backwards: the feed's beginning may have been pruned.
    size = whole.overview.present
    points: list[tuple[datetime, float | None]] = []
    for event in reversed(whole.events):
        if not points or points[-1][0] != event.at:
            points.append((event.at, size))
        size -= {"added": 1, "removed": -1}.get(event.kind, 0)
    return points[::-1]


def _moves(whole: Whole) -> dict[str, list[tuple[datetime, float | None]]]:
    totals: Counter[str] = Counter()
    lines: dict[str, dict[datetime, float | None]] = {"added": {}, "removed": {}}
    for event in whole.events:
        if event.kind in lines and event.run_id != whole.first_run_id:
            totals[event.kind] += 1
        for kind, points in lines.items():
            points[event.at] = totals[kind]
    return {kind: list(points.items()) for kind, points in lines.items()}


def _levels(whole: Whole, moments: list[datetime]) -> dict[str, list[tuple[datetime, float | None]]]:
    """Follow the median price of each of the commonest resolutions; of many moments, some."""
    by_resolution: dict[str, list[Any]] = defaultdict(list)
    for periods in whole.periods.values():
        for period in periods:
            by_resolution[period.resolution].append(period)
    common = sorted(by_resolution, key=lambda name: (-len(by_resolution[name]), name))[:MOST_LINES]
    every = max(1, len(moments) // MOST_POINTS)
    chosen = sorted({*moments[::every], moments[-1]})
    return {harmless(name): _medians(by_resolution[name], chosen) for name in sorted(common, key=_by_number)}


def _medians(periods: list[Any], moments: list[datetime]) -> list[tuple[datetime, float | None]]:
    starts = sorted(periods, key=lambda period: period.since)
    ends = sorted((period for period in periods if period.until is not None), key=lambda period: period.until)
    held: Counter[Decimal] = Counter()
    begun = ended = 0
    points: list[tuple[datetime, float | None]] = []
    for moment in moments:
        before = begun + ended
        while begun < len(starts) and starts[begun].since <= moment:
            held[starts[begun].credit] += 1
            begun += 1
        while ended < len(ends) and ends[ended].until <= moment:
            held[ends[ended].credit] -= 1
            ended += 1
        if begun + ended != before:  # else the level is what it was
            present = list(held.elements())
            points.append((moment, float(round(median(present), 2)) if present else None))
    return points


def _by_number(name: str) -> tuple[int, str]:
    digits = "".join(char for char in name if char in "0123456789")[:9]
    return int(digits or 0), name
