"""Measure the project, the floor and the peers side by side, and print which goals are met.

    export SYNC_TEST_POSTGRES_URL=... SYNC_TEST_MARIADB_URL=...
    python bench/compare.py [--quick] [--rounds 5] [--only first no-change ...] [--without SUBJECT ...] [--before CHECKOUT]

Whole processes, start-up included: wall-clock seconds, CPU seconds, peak memory, each as median (minimum-maximum) of the
rounds. Each round measures everything once, and ratios are computed within a round, because the load of the machine affects
both sides. The work of a database server is in the wall-clock time, not in the CPU time.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab import SCRIPTS, Case, Lab, Usage, default_cache, log, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    Figures = dict[tuple[Case, str], list[Usage]]

ALL = tuple(SCRIPTS)
OWN = ("project", "before", "floor", "sqlite-utils")
SMALL, MEDIUM, LARGE, GALLERY = 280, 10_000, 100_000, 5_000
TRIAL = {SMALL: 280, MEDIUM: 1_000, LARGE: 5_000, GALLERY: 300}
"""Sizes with --quick."""

SCENARIOS: list[tuple[Case, tuple[str, ...]]] = [
    (Case("first run", SMALL), OWN),
    (Case("first run", MEDIUM), OWN),
    (Case("first run", LARGE), (*OWN, "ORM script")),
    (Case("first run", LARGE, "postgresql"), OWN),
    (Case("first run", LARGE, "mariadb"), OWN),
    (Case("no change", SMALL), ALL),
    (Case("no change", SMALL, latency=50), ALL),
    (Case("no change", MEDIUM), ALL),
    (Case("no change", MEDIUM, latency=50), OWN),
    (Case("no change", LARGE), ALL),
    (Case("no change", LARGE, "postgresql"), OWN),
    (Case("no change", LARGE, "mariadb"), OWN),
    (Case("no change", LARGE, latency=50), ("project", "before", "floor")),
    (Case("changed", LARGE), OWN),
    (Case("none removed", LARGE), OWN),
    (Case("signed anew", LARGE), OWN),
    (Case("signed anew", LARGE, "postgresql"), OWN),
]
"""The cases, and the subjects that synchronise each."""
PICKER = """import sqlite3, sys
print(*sqlite3.connect(sys.argv[1]).execute('''
SELECT template_id, title_en, cover_url, lowest_credit FROM picker
WHERE input_num = 1 AND input_requirement = 'SINGLE_PERSON' ORDER BY lowest_credit, template_id LIMIT 10'''))"""
COMMANDS: list[tuple[Case, list[str]]] = [
    (Case("status", SMALL), ["-m", "sync", "status"]),
    (Case("list", LARGE), ["-m", "sync", "list", "--tag", "Trending", "--resolution", "720p", "--max-price", "150"]),
    (Case("show", LARGE), ["-m", "sync", "show", "500000007"]),
    (Case("changes", LARGE), ["-m", "sync", "changes", "-n", "10"]),
    (Case("picker", LARGE), ["-c", PICKER, "templates.db"]),
    (Case("gallery", GALLERY), ["-m", "sync", "site", "gallery"]),
]
"""What is read, and the arguments of Python. Of a gallery, every round but the first writes nothing new."""


class Goal(NamedTuple):
    """A limit of a figure (seconds, MiB), or of its ratio to another case or subject."""

    what: str
    case: Case
    limit: float
    than: Case | None = None
    subject: str = "project"

    def sentence(self) -> str:
        """Return the requirement as text."""
        other = f" × {self.than if self.subject == 'project' else self.subject}" if self.than else ""
        return f"{self.case}: {self.what} ≤ {self.limit:g}{other}"


GOALS = [
    Goal("wall", Case("no change", SMALL), 0.30, Case("no change", SMALL), "dlt scd2"),
    Goal("wall", Case("no change", SMALL, latency=50), 0.85, Case("no change", SMALL, latency=50), "sqlite-utils"),
    Goal("wall", Case("no change", MEDIUM), 0.8, Case("no change", MEDIUM), "sqlite-utils"),
    Goal("wall", Case("no change", LARGE), 0.45, Case("no change", LARGE), "sqlite-utils"),
    Goal("memory", Case("no change", LARGE), 130),
    Goal("wall", Case("first run", LARGE), 1.9, Case("first run", LARGE), "sqlite-utils"),
    Goal("wall", Case("first run", LARGE, "postgresql"), 1.3, Case("first run", LARGE)),
    Goal("wall", Case("first run", LARGE, "mariadb"), 1.6, Case("first run", LARGE)),
    Goal("wall", Case("gallery", GALLERY), 15),
]


def measure(lab: Lab, given: argparse.Namespace) -> Figures:
    """Make all rounds; the order of the subjects changes with each."""
    figures: Figures = defaultdict(list)

    def resize(case: Case) -> Case:
        return case._replace(templates=TRIAL[case.templates]) if given.quick else case

    def note(turn: int, case: Case, subject: str, usage: Usage) -> None:
        figures[case, subject].append(usage)
        log(f"{turn + 1}/{given.rounds}  {case}: {subject}  {usage.wall:.2f} s, {usage.cpu:.2f} s CPU, {usage.memory:.0f} MiB")

    for turn in range(given.rounds):
        for case, subjects in ((resize(case), subjects) for case, subjects in SCENARIOS if is_selected(case, given.only)):
            able = [each for each in subjects if lab.can(case, each) and each not in given.without]
            start = turn % max(1, len(able))
            for subject in able[start:] + able[:start]:
                note(turn, case, subject, lab.measure(case, subject))
        for case, command in ((resize(case), command) for case, command in COMMANDS if is_selected(case, given.only)):
            note(turn, case, "project", lab.measure_command(case, command))
    return figures


def is_selected(case: Case, only: Sequence[str]) -> bool:
    """Return whether --only names this phase or command, by its first words."""
    return not only or any(case.phase.replace(" ", "-").startswith(each) for each in only)


def ratios(figures: Figures, goal: Goal, what: str) -> list[float]:
    """Return a goal's figure for each round; empty if it was not measured."""
    values = [getattr(usage, what) for usage in figures.get((goal.case, "project"), [])]
    if goal.than is None:
        return values
    others = [getattr(usage, what) for usage in figures.get((goal.than, goal.subject), [])]
    return [one / other for one, other in zip(values, others, strict=False)]


def print_table(figures: Figures) -> None:
    """Print the figures of the project, and the median ratio of its wall-clock time to that of each other subject."""
    others = [each for each in ALL if each != "project" and any(subject == each for _, subject in figures)]
    print(f"\n{'project':34} {'wall s':>21} {'CPU s':>21} {'MiB':>4}  wall / {' '.join(f'{each:>12}' for each in others)}")
    for case in [case for case, subject in figures if subject == "project"]:
        wall, cpu, memory = ([getattr(usage, what) for usage in figures[case, "project"]] for what in Usage._fields)
        beside = [ratios(figures, Goal("wall", case, 0, case, each), "wall") for each in others]
        columns = " ".join(f"{statistics.median(found):12.2f}" if found else " " * 12 for found in beside)
        print(f"{case!s:34} {spread(wall):>21} {spread(cpu):>21} {statistics.median(memory):4.0f}         {columns}".rstrip())


def print_goals(figures: Figures) -> None:
    """Print each goal that was measured; ratios of times also by CPU, which depends less on the load."""
    print(f"\n{'goal':76} {'measured':>9} {'by CPU':>9}  met")
    for goal in GOALS:
        if values := ratios(figures, goal, goal.what):
            cpu = f"{statistics.median(ratios(figures, goal, 'cpu')):.3f}" if goal.than else ""
            value = max(values) if goal.case.phase == "gallery" else statistics.median(values)  # the first build takes longest
            print(f"{goal.sentence():76} {value:9.3f} {cpu:>9}  {'yes' if value <= goal.limit else 'NO'}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a trial: small catalogs, two rounds")
    parser.add_argument("--rounds", type=int, help="how often each is measured; 5 unless quick")
    parser.add_argument("--only", nargs="+", default=(), metavar="PHASE", help="first words of phases or commands, with hyphens")
    parser.add_argument("--without", nargs="+", default=(), choices=ALL, help="leave out slow peers")
    parser.add_argument("--before", type=Path, help="another checkout, with its .venv, to compare the project with")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the peers' environments are kept")
    given = parser.parse_args()
    given.rounds = given.rounds or (2 if given.quick else 5)
    with Lab(given.cache, given.before) as lab:
        about, figures = lab.machine(), measure(lab, given)
    print(about, f"{given.rounds} rounds, interleaved; median (least-most)", sep="\n")
    print_table(figures)
    if not given.quick:
        print_goals(figures)


if __name__ == "__main__":
    main()
