"""Measure whole processes, start-up included; each subject has its own database and folder, all use one simulator."""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import venv
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import sqlalchemy as sa

from sync.store.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BENCH = Path(__file__).parent
KEY = "ak_00000000000000000000000000000000"
ENGINES = ("sqlite", "postgresql", "mariadb")
SERVERS = {"postgresql": "SYNC_TEST_POSTGRES_URL", "mariadb": "SYNC_TEST_MARIADB_URL"}
VERSIONS = {"first run": "v1", "no change": "v1", "changed": "v2", "none removed": "v4", "signed anew": "v3"}
"""Phase -> version of the catalog that is served then, see records.py. Before it, but for a first run, the database holds v1."""
SCRIPTS = {  # subject -> its script, the engines that it can use
    "project": ("", ENGINES),
    "before": ("", ENGINES),
    "floor": ("floor.py", ("sqlite", "postgresql")),
    "sqlite-utils": ("peers/sqlite_utils_script.py", ("sqlite",)),
    "dlt scd2": ("peers/dlt_scd2.py", ("sqlite", "postgresql")),
    "ORM script": ("peers/orm_script.py", ENGINES),
}
"""`before` is the project in another checkout, named by --before."""
OWN_PACKAGES = ("sqlite-utils", "dlt scd2")
"""Subjects with an environment of their own, made once from the .txt beside the script."""


class Case(NamedTuple):
    """What is measured: a phase of a synchronisation, or a command's name, with the size of the catalog; latency in ms."""

    phase: str
    templates: int
    engine: str = "sqlite"
    latency: int = 0

    def __str__(self) -> str:
        at = f" at {self.latency} ms" if self.latency else ""
        return f"{self.phase}, {grouped(self.templates)}{at}{'' if self.engine == 'sqlite' else f', {self.engine}'}"


class Usage(NamedTuple):
    """What a process took: seconds by the clock, seconds of CPU with its threads and children, peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


class Place(NamedTuple):
    """A folder and a database of one subject."""

    engine: str
    folder: Path
    url: str


class Lab:
    """Servers, databases and environments of one measurement; all databases are dropped at the end."""

    def __init__(self, cache: Path, before: Path | None = None) -> None:
        self.cache, self.before = cache, before
        self.servers = {kind: os.environ[name] for kind, name in SERVERS.items() if os.environ.get(name)}
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sync-bench-")))
        self._numbers = itertools.count(1)
        self._made: list[Place] = []
        self._served: dict[tuple[int, int], str] = {}
        self._prepared: dict[tuple[str, int, str], Place] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for place in list(self._made):
            self.drop(place)
        self._stack.close()

    def can(self, case: Case, subject: str) -> bool:
        """Return whether a subject can be measured in a case here."""
        reachable = case.engine == "sqlite" or case.engine in self.servers
        return reachable and case.engine in SCRIPTS[subject][1] and (subject != "before" or self.before is not None)

    def measure(self, case: Case, subject: str) -> Usage:
        """Synchronise once. A phase that changes the database gets a copy of it."""
        if case.phase == "first run":
            place, usage = self._first_run(case, subject)
            self.drop(place)
            return usage
        place = self.prepared(case, subject)
        if case.phase == "no change":
            return self._synchronise(case, subject, place)
        copied = self._copy(place)
        usage = self._synchronise(case, subject, copied)
        self.drop(copied)
        return usage

    def measure_command(self, case: Case, command: Sequence[str]) -> Usage:
        """Run a command of the project where a first run of so many templates was made."""
        place = self.prepared(case, "project")
        settings = environment(CRUN_API_KEY=KEY, DATABASE_URL=place.url, SYNC_STALE_AFTER="7d", SYNC_RATE="0")
        settings["CRUN_BASE_URL"] = f"{self.serve(case.templates)}/v1"
        return run([sys.executable, *command], settings, place.folder)

    def prepared(self, case: Case, subject: str) -> Place:
        """Return the database as it is after a first run, which is made when it is first needed."""
        key = subject, case.templates, case.engine
        if key not in self._prepared:
            self._prepared[key], _ = self._first_run(case, subject)
        return self._prepared[key]

    def serve(self, templates: int, latency: int = 0) -> str:
        """Return the origin of a simulator, which is started when it is first needed."""
        if (templates, latency) not in self._served:
            self._served[templates, latency] = self._stack.enter_context(simulator(templates, latency))
        return self._served[templates, latency]

    def drop(self, place: Place) -> None:
        """Delete a database and its folder."""
        self._made.remove(place)
        shutil.rmtree(place.folder)
        if place.engine != "sqlite":
            self._on_server(place.engine, f"DROP DATABASE {place.folder.name}")

    def machine(self) -> str:
        """Describe what is measured, and on what."""
        versions = {engine: self._on_server(engine, "SELECT version()") for engine in self.servers}
        return machine({engine: found[0] for engine, text in versions.items() if (found := re.search(r"\d+(\.\d+)+", text))})

    def _first_run(self, case: Case, subject: str) -> tuple[Place, Usage]:
        place = self._place(case.engine)
        place.folder.mkdir()
        if case.engine != "sqlite":
            self._on_server(case.engine, f"CREATE DATABASE {place.folder.name}")
        if not SCRIPTS[subject][0] and case.engine != "sqlite":
            run([self._python(subject), "-m", "sync", "db", "upgrade"], environment(DATABASE_URL=place.url), place.folder)
        return place, self._synchronise(Case("first run", case.templates, case.engine), subject, place)

    def _synchronise(self, case: Case, subject: str, place: Place) -> Usage:
        base_url = f"{self.serve(case.templates, case.latency)}/{VERSIONS[case.phase]}"
        python, script, in_flight = self._python(subject), SCRIPTS[subject][0], str(8 if case.latency else 4)
        if not script:
            settings = environment(
                CRUN_API_KEY=KEY, CRUN_BASE_URL=base_url, DATABASE_URL=place.url, SYNC_RATE="0", SYNC_CONCURRENCY=in_flight,
                SYNC_DEADLINE="2h", SYNC_LOG_LEVEL="error",
            )  # fmt: skip
            return run([python, "-m", "sync", "run"], settings, place.folder)
        # dlt requires a password, even if the server does not.
        url = re.sub(r"^(postgresql://[^:/@]+)@", r"\1:none@", place.url)
        more = {"floor": ["--workers", in_flight], "dlt scd2": [str(place.folder)]}
        return run([python, str(BENCH / script), base_url, url, *more.get(subject, [])], environment(), place.folder)

    def _copy(self, place: Place) -> Place:
        copied = self._place(place.engine)
        shutil.copytree(place.folder, copied.folder)
        if place.engine == "postgresql":
            self._on_server("postgresql", f"CREATE DATABASE {copied.folder.name} TEMPLATE {place.folder.name}")
        return copied

    def _place(self, engine: str) -> Place:
        name = f"sync_bench_{os.getpid()}_{next(self._numbers)}"
        url = f"sqlite:///{self._folder / name}/templates.db"
        if engine != "sqlite":
            url = sa.make_url(self.servers[engine]).set(database=name, query={}).render_as_string(hide_password=False)
        place = Place(engine, self._folder / name, url)
        self._made.append(place)
        return place

    def _on_server(self, engine: str, statement: str) -> str:
        opened = open_engine(self.servers[engine])
        with opened.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            result = connection.execute(sa.text(statement))
            value = str(result.scalar()) if result.returns_rows else ""
        opened.dispose()
        return value

    def _python(self, subject: str) -> str:
        """Return the interpreter, with the subject's packages installed."""
        if subject == "before":
            return str(self.before / ".venv" / "bin" / "python" if self.before else "")
        if subject not in OWN_PACKAGES:
            return sys.executable
        requirements = (BENCH / SCRIPTS[subject][0]).with_suffix(".txt")
        folder = self.cache / requirements.stem
        done = folder / requirements.name
        if not done.exists() or done.read_text() != requirements.read_text():
            log(f"installing {subject} into {folder}")
            venv.create(folder, clear=True, with_pip=True)
            subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-qq", "-r", requirements], check=True)
            done.write_text(requirements.read_text())
        return str(folder / "bin" / "python")


def run(command: Sequence[str], variables: Mapping[str, str], folder: Path) -> Usage:
    """Run a process to its end, or raise SystemExit if it fails."""
    spawner = _spawner()
    assert spawner.stdin is not None  # noqa: S101 - pipes
    assert spawner.stdout is not None  # noqa: S101
    spawner.stdin.write(json.dumps([list(command), dict(variables), str(folder)]) + "\n")
    spawner.stdin.flush()
    took = json.loads(spawner.stdout.readline())
    if took.pop("status"):
        raise SystemExit(f"{' '.join(command)} failed")
    return Usage(**took)


@cache
def _spawner() -> subprocess.Popen[str]:
    """Start the small process that starts all others: a child's peak memory begins with that of its parent."""
    command = [sys.executable, "-I", "-S", str(BENCH / "spawn.py")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextmanager
def simulator(templates: int, latency: int = 0) -> Iterator[str]:
    """Serve a catalog from another process; yield the origin."""
    command = [sys.executable, str(BENCH / "simulator.py"), "--templates", str(templates), "--latency-ms", str(latency)]
    with subprocess.Popen(command, env=environment(), cwd=Path("/"), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without the project's settings, except those named, and with byte code."""
    dropped = ("SYNC_", "CRUN_", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPROFILEIMPORTTIME")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | variables


def machine(servers: Mapping[str, str]) -> str:
    """Describe the machine, the libraries and the revision, in two lines."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "httpx", "msgspec", "structlog", "alembic"))
    databases = ", ".join(f"{kind} {number}" for kind, number in {"sqlite": sqlite3.sqlite_version, **servers}.items())
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=BENCH, capture_output=True, text=True, check=False)  # noqa: S607
    return (
        f"{os.cpu_count()} cores, {cpu[1] if cpu else platform.machine()}, {memory:.0f} GiB; {platform.system()} "
        f"{platform.release()}; load {os.getloadavg()[0]:.1f}\n"
        f"Python {platform.python_version()}; {libraries}; {databases}; revision {revision.stdout.strip() or 'unknown'}"
    )


def spread(values: Sequence[float]) -> str:
    """Write the median, with the least and the most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def grouped(number: int) -> str:
    """Write a number with a space between thousands."""
    return f"{number:,}".replace(",", " ")


def log(sentence: str) -> None:
    """Write progress on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def default_cache() -> Path:
    """Return the folder for the peers' environments, as the XDG convention has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crun-template-sync-bench"
