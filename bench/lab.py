"""Serves catalogs, keeps each subject's database as it is after a first run, and measures one phase at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from measure import Usage, environment, run
from scenarios import VERSIONS
from subjects import BENCH, KEY, PROJECT, Commands, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from databases import Databases, Place
    from scenarios import Scenario


@dataclass
class Lab:
    """Measures. Use as a context manager: simulators end with it."""

    databases: Databases
    commands: Commands
    _stack: ExitStack = field(default_factory=ExitStack)
    _served: dict[tuple[int, int], str] = field(default_factory=dict)
    _prepared: dict[tuple[Subject, str, int], Place] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, scenario: Scenario, subject: Subject) -> Usage:
        """Measure one phase, once."""
        if scenario.phase == "first":
            place, usage = self._first(subject, scenario.kind, scenario.templates)
            self.databases.drop(place)
            return usage
        place = self.prepared(subject, scenario.kind, scenario.templates)
        if scenario.phase == "no change":
            return self._synchronise(scenario, subject, place)
        copied = self.databases.copy(place)
        usage = self._synchronise(scenario, subject, copied)
        self.databases.drop(copied)
        return usage

    def prepared(self, subject: Subject, kind: str, templates: int) -> Place:
        """Give the database as it is after a first run, made when first asked for."""
        key = subject, kind, templates
        if key not in self._prepared:
            self._prepared[key], _ = self._first(subject, kind, templates)
        return self._prepared[key]

    def command(self, command: list[str], templates: int = 0) -> Usage:
        """Measure one command of the project: without a database, or with one of so many templates."""
        if not templates:
            return run(command, environment(), self.databases.folder)
        place = self.prepared(PROJECT, "sqlite", templates)
        return run(command, environment(DATABASE_URL=place.url, SYNC_STALE_AFTER="7d"), place.folder)

    def warm(self, templates: int) -> Usage:
        """Measure one run of many in one process, as in the daemon."""
        place = self.prepared(PROJECT, "sqlite", templates)
        command = [sys.executable, str(BENCH / "warm.py"), f"{self.serve(templates)}/v1", place.url]
        said = subprocess.run(command, env=environment(CRUN_API_KEY=KEY), check=True, stdout=subprocess.PIPE, text=True)
        return Usage(**json.loads(said.stdout))

    def serve(self, templates: int, latency: int = 0) -> str:
        """Give the origin of a simulator, started when first asked for."""
        key = templates, latency
        if key not in self._served:
            self._served[key] = self._stack.enter_context(simulator(templates, latency))
        return self._served[key]

    def _first(self, subject: Subject, kind: str, templates: int) -> tuple[Place, Usage]:
        place = self.databases.new(kind)
        self.commands.create_tables(subject, place)
        command, variables = self.commands.synchronise(subject, f"{self.serve(templates)}/v1", place, 4)
        return place, run(command, variables, place.folder)

    def _synchronise(self, scenario: Scenario, subject: Subject, place: Place) -> Usage:
        base_url = f"{self.serve(scenario.templates, scenario.latency)}/{VERSIONS[scenario.phase]}"
        command, variables = self.commands.synchronise(subject, base_url, place, scenario.workers)
        return run(command, variables, place.folder)


@contextmanager
def simulator(templates: int, latency: int) -> Iterator[str]:
    """Serve a catalog from a process of its own; gives the origin."""
    command = [sys.executable, str(BENCH / "simulator.py"), "--templates", str(templates), "--latency-ms", str(latency)]
    with subprocess.Popen(command, env=environment(), cwd=Path("/"), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
