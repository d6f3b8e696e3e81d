"""The goals: what is compared with what, and whether it is met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios import MILLION, Scenario, Sizes, grouped
from subjects import DLT, FLOOR, PROJECT, SQLITE_UTILS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from measure import Usage

    Figures = Mapping[tuple[str, str], Sequence[Usage]]
    """What was measured: (scenario's title, subject's name) -> each round's."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure, or its ratio to another, and a limit.

    Attributes:
        what: of a run: `wall` or `cpu` in seconds, `memory` in MiB.
        measured: whose.
        against: whose it is divided by; None for a plain figure.
        limit: the most it may be.
        unit: of a plain figure, as it is printed.
        scale: what the ratio is multiplied by: by templates, where one catalog is larger than the other.
    """

    what: str
    measured: Key
    against: Key | None
    limit: float
    unit: str = "×"
    scale: float = 1.0

    def sentence(self) -> str:
        """Say what is asked for."""
        per = " for each template" if self.scale != 1 else ""
        against = f" {_named(self.against, self.measured)}" if self.against else ""
        return f"{_named(self.measured)}: {self.what}{per} ≤ {self.limit:g} {self.unit}{against}"

    def value(self, figures: Figures, what: str | None = None) -> float | None:
        """Give the median over the rounds, each compared within itself; None if it was not measured.

        Args:
            figures: what was measured.
            what: of a run, where it is to be something else than the goal is about.
        """
        ours = [getattr(usage, what or self.what) for usage in figures.get(self.measured, ())]
        if self.against is not None:
            theirs = [getattr(usage, what or self.what) for usage in figures.get(self.against, ())]
            ours = [one / other * self.scale for one, other in zip(ours, theirs, strict=False)]
        return statistics.median(ours) if ours else None


START = "start"
IMPORTS = (START, "import sqlalchemy, httpcore, structlog")
NOTHING = (START, "python -c pass")
WARM = "a run in a warm process"


def _named(key: Key, beside: Key | None = None) -> str:
    """Name a figure, by as little as tells it from the one beside it."""
    scenario, subject = key
    if scenario == START:
        return subject
    if beside is None:
        return scenario
    return subject if scenario == beside[0] else scenario


def goals(sizes: Sizes) -> list[Goal]:
    """Give all goals, for catalogs of these sizes."""

    def at(subject: str, phase: str, templates: int, kind: str = "sqlite", latency: int = 0) -> Key:
        return Scenario(phase, templates, (), kind, latency).title, subject

    us, floor, script, dlt = PROJECT.name, FLOOR.name, SQLITE_UTILS.name, DLT.name
    small, medium, large = sizes.small, sizes.medium, sizes.large
    listed = [
        Goal("wall", at(us, "no change", small), IMPORTS, 1.25),
        Goal("wall", at(us, "no change", small), at(dlt, "no change", small), 0.30),
        Goal("wall", at(us, "no change", small, latency=50), at(script, "no change", small, latency=50), 0.85),
        Goal("wall", at(us, "no change", medium), at(floor, "no change", medium), 2.2),
        Goal("wall", at(us, "no change", medium), at(script, "no change", medium), 0.75),
        Goal("wall", at(us, "no change", medium, latency=50), at(floor, "no change", medium, latency=50), 1.3),
    ]
    for kind in ("sqlite", "postgresql"):
        no_change = at(us, "no change", large, kind)
        listed += [
            Goal("wall", no_change, at(floor, "no change", large, kind), 1.6),
            Goal("wall", no_change, at(dlt, "no change", large, kind), 0.1),
        ]
    listed += [
        Goal("wall", at(us, "no change", large), at(script, "no change", large), 0.4),
        Goal("wall", at(us, "changed", large), at(floor, "changed", large), 1.8),
        Goal("wall", at(us, "none removed", large), at(floor, "none removed", large), 1.8),
        Goal("wall", at(us, "signed anew", large), at(us, "no change", large), 6),
        Goal("wall", at(us, "first", large), at(script, "first", large), 0.9),
        Goal("wall", at(us, "first", large, "postgresql"), at(us, "first", large), 1.3),
        Goal("wall", at(us, "first", large, "mariadb"), at(us, "first", large), 1.6),
        Goal("memory", at(us, "no change", large), None, 130, "MiB"),
        Goal("memory", at(us, "first", large), None, 300, "MiB"),
    ]
    for phase in ("first", "no change"):
        million, smaller = at(us, phase, MILLION), at(us, phase, large)
        listed += [
            Goal("wall", million, smaller, 1.2, scale=large / MILLION),
            Goal("memory", million, smaller, 1.0, scale=large / MILLION),
        ]
    return [
        *listed,
        Goal("cpu", (WARM, us), None, 0.015, "s"),
        Goal("wall", (START, "--version"), NOTHING, 3),
        Goal("wall", (START, "--help"), NOTHING, 3),
        Goal("cpu", (f"health, {grouped(small)}", us), None, 0.25, "s"),
        Goal("wall", (f"status, {grouped(small)}", us), None, 0.35, "s"),
        Goal("wall", (f"list --tag, {grouped(large)}", us), None, 0.6, "s"),
    ]
