"""Measure time and memory by size of the catalog, for the project, the floor and the peers, and draw docs/performance.svg.

    pip install --group bench
    python bench/scaling.py [--rounds 3] [--most 100000] [--out docs/performance.svg]

Whole processes on SQLite, start-up included, medians. With a million templates only the project and the floor are measured.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from lab import SCRIPTS, Case, Lab, Usage, default_cache, grouped, log

if TYPE_CHECKING:
    from collections.abc import Sequence

    Points = list[tuple[int, float]]

SIZES = (280, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
PEERS_UP_TO = 100_000
PANELS = [(phase, what) for what in ("wall", "memory") for phase in ("no change", "first run")]
UNITS = {"wall": ("time", "s", 1e6, "µs"), "memory": ("peak memory", "MiB", 2**20, "bytes")}
"""For each figure: its title and unit, and the factor and unit of the cost of one template."""


def measure(lab: Lab, sizes: Sequence[int], rounds: int) -> dict[tuple[str, str, int], list[Usage]]:
    """Return the figures of every round by phase, subject and size; the rounds of one size are interleaved."""
    figures: dict[tuple[str, str, int], list[Usage]] = defaultdict(list)
    for size in sizes:
        subjects = [each for each in SCRIPTS if lab.can(Case("first run", size), each)]
        for _ in range(rounds):
            for phase in ("no change", "first run"):
                for subject in subjects if size <= PEERS_UP_TO else ("project", "floor"):
                    usage = lab.measure(Case(phase, size), subject)
                    figures[phase, subject, size].append(usage)
                    log(f"{phase}, {grouped(size)}: {subject}  {usage.wall:.2f} s, {usage.memory:.0f} MiB")
    return figures


def curves(figures: dict[tuple[str, str, int], list[Usage]], phase: str, what: str) -> dict[str, Points]:
    """Return the medians of one phase by subject."""
    found: dict[str, Points] = defaultdict(list)
    for (measured, name, size), usages in figures.items():
        if measured == phase:
            found[name].append((size, statistics.median(getattr(usage, what) for usage in usages)))
    return found


def row(name: str, points: Points, what: str, width: int) -> str:
    """Write the figures of a subject, and the cost of one more template between the smallest and the largest catalog."""
    _, _, factor, unit = UNITS[what]
    text = f"{name:28}" + "".join(f"{value:12.{2 if what == 'wall' else 0}f}" for _, value in points)
    (few, least), (many, most) = points[0], points[-1]
    return f"{text:{width}}   {(most - least) / max(1, many - few) * factor:6.0f} {unit} a template"


def draw(drawn: dict[tuple[str, str], dict[str, Points]], out: Path) -> None:
    """Draw all panels over logarithmic axes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "performance", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    for axis, ((phase, what), subjects) in zip(axes.flat, drawn.items(), strict=True):
        title, unit, _, _ = UNITS[what]
        for name, points in subjects.items():
            axis.loglog(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axis.set(title=f"{phase}: {title}", xlabel="templates", ylabel=unit)
        axis.grid(visible=True, which="major", color="#dee2e6")
        axis.legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--most", type=int, default=100_000, help="the largest catalog; of a million: gigabytes, and many minutes"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "performance.svg")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the peers' environments are kept")
    given = parser.parse_args()
    sizes = [size for size in SIZES if size <= given.most]
    with Lab(given.cache) as lab:
        about = lab.machine()
        figures = measure(lab, sizes, given.rounds)
    print(about, f"median of {given.rounds} rounds", sep="\n")
    drawn = {panel: curves(figures, *panel) for panel in PANELS}
    for (phase, what), subjects in drawn.items():
        print(f"\n{f'{phase}: {UNITS[what][0]}':28}" + "".join(f"{grouped(size):>12}" for size in sizes))
        for name, points in subjects.items():
            print(row(name, points, what, 28 + 12 * len(sizes)))
    draw(drawn, given.out)
    print(f"\ndrawn in {given.out}")


if __name__ == "__main__":
    main()
