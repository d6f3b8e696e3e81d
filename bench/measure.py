"""Run whole processes, start-up included, and read what they took from the operating system."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took: seconds by the clock, seconds of CPU (threads and its own children included), peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Usage:
    """Run a process to its end.

    Raises:
        SystemExit: it failed; what it said stands on stderr.
    """
    spawner = _spawner()
    assert spawner.stdin is not None  # noqa: S101 - both are pipes
    assert spawner.stdout is not None  # noqa: S101
    spawner.stdin.write(json.dumps([list(command), dict(environment), str(folder)]) + "\n")
    spawner.stdin.flush()
    took = json.loads(spawner.stdout.readline())
    if took.pop("status"):
        raise SystemExit(f"{' '.join(command)} failed")
    return Usage(**took)


@cache
def _spawner() -> subprocess.Popen[str]:
    """Start the small process that starts all others; it ends with this one's pipe."""
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("spawn.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def environment(**variables: str) -> dict[str, str]:
    """Give an environment in which no setting of the project is set but those named, and byte code may be kept."""
    dropped = ("SYNC_", "CRUN_", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPROFILEIMPORTTIME")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | variables


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Write a median with the least and the most beside it."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def machine(servers: Mapping[str, str]) -> list[str]:
    """Describe what this was measured on.

    Args:
        servers: kind -> the version that a database server says it is.
    """
    cpu = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine()
    )
    memory = next((int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    libraries = ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "httpcore", "msgspec", "structlog", "alembic"))
    databases = ", ".join(f"{kind} {said}" for kind, said in {"sqlite": sqlite3.sqlite_version, **servers}.items())
    system = f"{platform.system()} {platform.release()}"
    return [
        f"{os.cpu_count()} cores, {cpu}, {memory:.0f} GiB; {system}; load {os.getloadavg()[0]:.1f}",
        f"Python {platform.python_version()}; {libraries}; {databases}; {revision()}",
    ]


def revision() -> str:
    """Give the revision measured, and whether the tree differs from it."""
    root = Path(__file__).parent.parent
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607
        changed = subprocess.run(["git", "status", "--porcelain", "sync"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return "no revision"
    return f"revision {head.stdout.strip()}{' and what is not committed' if changed.stdout else ''}"


def tell(sentence: str) -> None:
    """Say on stderr what goes on."""
    print(sentence, file=sys.stderr, flush=True)


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []
