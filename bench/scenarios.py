"""What is asked of each subject: which phase, of how large a catalog, at which latency, on which database."""

from __future__ import annotations

from dataclasses import dataclass

from subjects import ALL, DLT, FLOOR, ORM, PROJECT, SQLITE_UTILS, SUBJECTS, Subject

VERSIONS = {"first": "v1", "no change": "v1", "changed": "v2", "none removed": "v4", "signed anew": "v3"}
"""Phase -> which version of the catalog is served then; but for `first`, the database holds v1 before."""
TITLES = {
    "first": "first run",
    "no change": "no change",
    "changed": "1 % changed, 0.5 % removed, 0.5 % added",
    "none removed": "1 % changed, 0.5 % added",
    "signed anew": "every URL signed anew",
}
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Three catalogs, in templates."""

    small: int = 280
    medium: int = 10_000
    large: int = 100_000


TRIAL = Sizes(280, 1_000, 5_000)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One phase under one set of conditions. `latency` is in milliseconds, and each answer's."""

    phase: str
    templates: int
    subjects: tuple[Subject, ...]
    kind: str = "sqlite"
    latency: int = 0

    @property
    def workers(self) -> int:
        """Requests in flight, for those that can."""
        return 8 if self.latency else 4

    @property
    def title(self) -> str:
        """How it is called in the table."""
        at = f" at {self.latency} ms" if self.latency else ""
        database = "" if self.kind == "sqlite" else f", {self.kind}"
        return f"{TITLES[self.phase]}, {grouped(self.templates)}{at}{database}"

    @property
    def group(self) -> str:
        """What `--scenarios` calls it and its like: `first`, `no-change`, `changed` or `signed-anew`."""
        return "changed" if self.phase == "none removed" else self.phase.replace(" ", "-")


def scenarios(sizes: Sizes, *, million: bool) -> list[Scenario]:
    """Give all scenarios that synchronise, in the order in which they are measured."""
    quick, strong, own = SUBJECTS, (PROJECT, FLOOR, SQLITE_UTILS, DLT), (PROJECT, FLOOR, SQLITE_UTILS)
    listed = [Scenario("first", sizes.large, own, kind) for kind in ALL]
    listed += [
        Scenario("no change", sizes.small, quick),
        Scenario("no change", sizes.small, quick, latency=50),
        Scenario("no change", sizes.medium, quick),
        Scenario("no change", sizes.medium, own, latency=50),
        *(Scenario("no change", sizes.medium, (PROJECT, FLOOR, ORM), kind) for kind in ALL[1:]),
        *(Scenario("no change", sizes.large, strong, kind) for kind in ALL),
        *(Scenario(phase, sizes.large, own) for phase in ("changed", "none removed", "signed anew")),
        Scenario("signed anew", sizes.large, (PROJECT, FLOOR), "postgresql"),
    ]
    if million:
        listed += [Scenario("first", MILLION, (PROJECT, FLOOR)), Scenario("no change", MILLION, (PROJECT, FLOOR))]
    return listed


def grouped(number: int) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}".replace(",", " ")
