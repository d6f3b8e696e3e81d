"""Measure the project, the floor and the peers against each other, interleaved, and say which goals are met.

    export SYNC_TEST_POSTGRES_URL=... SYNC_TEST_MARIADB_URL=...
    python bench/compare.py [--quick] [--rounds 5] [--scenarios no-change first ...] [--without SUBJECT ...] [--million]

Whole processes, start-up included: seconds by the clock, seconds of CPU, peak memory, each as median (least-most) of the rounds.
Every round measures everything once, in turn, so that whatever else the machine does falls on all of them. What a server does
for a client is in the clock, not in the CPU. Peers that need packages of their own get an environment each, made once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from databases import available, databases
from goals import START, WARM, goals
from lab import Lab
from measure import Usage, machine, spread, tell
from scenarios import TRIAL, Scenario, Sizes, grouped, scenarios
from subjects import PROJECT, Commands, default_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Measurement = tuple[tuple[str, str], Callable[[], Usage]]

GROUPS = ("first", "no-change", "changed", "signed-anew", "start", "warm", "commands")
STARTS = {
    "python -c pass": ["-c", "pass"],
    "import sqlalchemy, httpcore, structlog": ["-c", "import sqlalchemy, httpcore, structlog"],
    "--version": ["-m", "sync", "--version"],
    "--help": ["-m", "sync", "--help"],
}


def measurements(
    lab: Lab, listed: Sequence[Scenario], sizes: Sizes, groups: Sequence[str], without: Sequence[str], turn: int
) -> Iterator[Measurement]:
    """Give one round's measurements; the order of the subjects changes with each turn."""
    kinds = available()
    for scenario in listed:
        if scenario.group in groups and scenario.kind in kinds:
            able = [each for each in scenario.subjects if scenario.kind in each.kinds and each.name not in without]
            for subject in able[turn % len(able) :] + able[: turn % len(able)]:
                yield (scenario.title, subject.name), partial(lab.measure, scenario, subject)
    python = sys.executable
    if "start" in groups:
        for name, arguments in STARTS.items():
            yield (START, name), partial(lab.command, [python, *arguments])
    if "warm" in groups:
        yield (WARM, PROJECT.name), partial(lab.warm, sizes.small)
    if "commands" in groups:
        for (title, templates), arguments in commands(sizes).items():
            yield (f"{title}, {grouped(templates)}", PROJECT.name), partial(lab.command, [python, *arguments], templates)


def commands(sizes: Sizes) -> dict[tuple[str, int], list[str]]:
    """Give the reading commands: their title and the catalog's size -> their arguments."""
    sync, large = ["-m", "sync"], sizes.large
    return {
        ("health", sizes.small): [*sync, "health"],
        ("status", sizes.small): [*sync, "status"],
        ("list --tag", large): [*sync, "list", "--tag", "Trending"],
        ("list --tag --resolution --max-price", large): [
            *sync,
            "list",
            "--tag",
            "Trending",
            "--resolution",
            "720p",
            "--max-price",
            "150",
        ],
        ("show", large): [*sync, "show", "500000007"],
        ("changes --since", large): [*sync, "changes", "--since", str(large - 10)],
        ("the picker's query", large): [str(Path(__file__).parent / "picker.py"), "templates.db"],
    }


def print_table(figures: dict[tuple[str, str], list[Usage]]) -> None:
    """Print what was measured."""
    print(f"\n{'scenario':54} {'subject':36} {'wall s':>24} {'CPU s':>24} {'MiB':>6}")
    before = ""
    for (title, subject), usages in figures.items():
        wall, cpu = spread([usage.wall for usage in usages]), spread([usage.cpu for usage in usages])
        if title == WARM:  # milliseconds matter here
            wall, cpu = spread([usage.wall for usage in usages], 4), spread([usage.cpu for usage in usages], 4)
        memory = sorted(usage.memory for usage in usages)[len(usages) // 2]
        print(f"{title if title != before else '':54} {subject:36} {wall:>24} {cpu:>24} {memory:6.0f}")
        before = title


def print_goals(figures: dict[tuple[str, str], list[Usage]], sizes: Sizes) -> None:
    """Print the goals, as far as their figures were measured; ratios of times also by CPU, which a busy machine blurs less."""
    print(f"\n{'goal':100} {'measured':>9} {'by CPU':>9}  met")
    for goal in goals(sizes):
        value = goal.value(figures)
        if value is not None:
            cpu = goal.value(figures, "cpu") if goal.what == "wall" else None
            beside = "" if cpu is None else f"{cpu:.3f}"
            print(f"{goal.sentence():100} {value:9.3f} {beside:>9}  {'yes' if value <= goal.limit else 'NO'}")
    if sizes == TRIAL:
        print("\nThis was a trial with small catalogs and few rounds: no verdict.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a trial: small catalogs, two rounds")
    parser.add_argument("--rounds", type=int, help="how often each is measured; 5 unless quick")
    parser.add_argument("--scenarios", nargs="+", choices=GROUPS, default=GROUPS, help="measure only these")
    parser.add_argument("--without", nargs="+", default=(), metavar="SUBJECT", help="leave out slow peers, by their names")
    parser.add_argument(
        "--million", action="store_true", help="a catalog of a million templates, too: gigabytes, and many minutes"
    )
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the peers' environments are kept")
    parser.add_argument("--peers-python", help="an interpreter with all peers' packages, in place of those environments")
    given = parser.parse_args()
    sizes, rounds = (TRIAL, 2) if given.quick else (Sizes(), 5)
    rounds = given.rounds or rounds
    listed = scenarios(sizes, million=given.million)
    figures: dict[tuple[str, str], list[Usage]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="sync-bench-") as folder,
        databases(Path(folder)) as made,
        Lab(made, Commands(given.cache, given.peers_python)) as lab,
    ):
        about = machine(made.versions())
        for turn in range(rounds):
            for key, measure in measurements(lab, listed, sizes, given.scenarios, given.without, turn):
                usage = measure()
                figures[key].append(usage)
                tell(
                    f"{turn + 1}/{rounds}  {key[0]}: {key[1]}  {usage.wall:.2f} s, {usage.cpu:.2f} s CPU, {usage.memory:.0f} MiB"
                )
    print(*about, f"{rounds} rounds, interleaved; median (least-most)", sep="\n")
    print_table(figures)
    print_goals(figures, sizes)


if __name__ == "__main__":
    main()
