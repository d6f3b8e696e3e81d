"""Measure time and memory against the size of the catalog, with the floor and the peers, and draw docs/performance.svg.

    python bench/scaling.py [--rounds 3] [--million] [--patience 120] [--out docs/performance.svg]

Whole processes on SQLite, start-up included, medians. A subject is not asked about larger catalogs once a run of it has taken
longer than its patience, in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from databases import databases
from lab import Lab
from loglog import Picture, svg
from measure import Usage, machine, tell
from scenarios import MILLION, Scenario, grouped
from subjects import FLOOR, PROJECT, SUBJECTS, Commands, default_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (280, 1_000, 3_000, 10_000, 30_000, 100_000)
PHASES = ("no change", "first")


def measure(lab: Lab, sizes: Sequence[int], rounds: int, patience: float) -> dict[tuple[str, str, int], list[Usage]]:
    """Give every round's figures by phase, subject and size; the rounds of one size are interleaved."""
    figures: dict[tuple[str, str, int], list[Usage]] = defaultdict(list)
    tired: set[tuple[str, str]] = set()
    for size in sizes:
        subjects = SUBJECTS if size < MILLION else (PROJECT, FLOOR)
        for _ in range(rounds):
            for phase in PHASES:
                for subject in subjects:
                    if (phase, subject.name) in tired or ("first", subject.name) in tired:
                        continue
                    usage = lab.measure(Scenario(phase, size, (subject,)), subject)
                    figures[phase, subject.name, size].append(usage)
                    tell(f"{phase}, {grouped(size)}: {subject.name}  {usage.wall:.2f} s, {usage.memory:.0f} MiB")
        for (phase, name, measured), usages in figures.items():
            if measured == size and max(usage.wall for usage in usages) > patience:
                tired.add((phase, name))
    return figures


def curves(figures: dict[tuple[str, str, int], list[Usage]], phase: str, what: str) -> dict[str, list[tuple[float, float]]]:
    """Give the medians of one phase as curves."""
    drawn: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (measured, name, size), usages in figures.items():
        if measured == phase:
            drawn[name].append((size, statistics.median(getattr(usage, what) for usage in usages)))
    return {name: sorted(points) for name, points in drawn.items()}


def slope(points: Sequence[tuple[float, float]], what: str) -> str:
    """Say what one template more takes, between the smallest catalog and the largest."""
    (few, least), (many, most) = points[0], points[-1]
    if few == many:
        return ""
    each = (most - least) / (many - few)
    return f"   {each * 1e6:6.0f} µs a template" if what == "wall" else f"   {each * 2**20:6.0f} bytes a template"


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest catalog")
    parser.add_argument("--million", action="store_true", help="and one of a million templates: gigabytes, and many minutes")
    parser.add_argument("--patience", type=float, default=120)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "performance.svg")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the peers' environments are kept")
    parser.add_argument("--peers-python", help="an interpreter with all peers' packages, in place of those environments")
    given = parser.parse_args()
    sizes = [size for size in SIZES if size <= given.most] + [MILLION] * given.million
    with (
        tempfile.TemporaryDirectory(prefix="sync-bench-") as folder,
        databases(Path(folder)) as made,
        Lab(made, Commands(given.cache, given.peers_python)) as lab,
    ):
        about = machine({})
        figures = measure(lab, sizes, given.rounds, given.patience)
    print(*about, f"median of {given.rounds} rounds", sep="\n")
    pictures = []
    for what, unit in (("wall", "s"), ("memory", "MiB")):
        for phase in PHASES:
            title = f"{phase}: {'time' if what == 'wall' else 'peak memory'}"
            pictures.append(Picture(title, unit, curves(figures, phase, what)))
            print(f"\n{title:28}" + "".join(f"{grouped(size):>12}" for size in sizes))
            for name, points in pictures[-1].curves.items():
                row = "".join(f"{value:12.2f}" if what == "wall" else f"{value:12.0f}" for _, value in points)
                print(f"{name:28}{row:{12 * len(sizes)}}{slope(points, what)}")
    given.out.write_text(svg(pictures))
    print(f"\ndrawn in {given.out}")


if __name__ == "__main__":
    main()
