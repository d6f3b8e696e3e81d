"""What is measured: the project, the floor, the peers; each a command that synchronises once."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measure import environment, run, tell

if TYPE_CHECKING:
    from databases import Place

BENCH = Path(__file__).parent
KEY = "ak_00000000000000000000000000000000"
ALL = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that synchronises.

    Attributes:
        name: as it stands in the tables.
        script: below bench/; None for the project itself.
        kinds: of databases that it can write.
        own_packages: whether it needs packages that the project does not have; they are named in a .txt beside its script.
    """

    name: str
    script: str | None
    kinds: tuple[str, ...] = ALL
    own_packages: bool = False


PROJECT = Subject("project", None)
FLOOR = Subject("floor", "floor.py", ("sqlite", "postgresql"))
SQLITE_UTILS = Subject("sqlite-utils", "peers/sqlite_utils_script.py", ("sqlite",), own_packages=True)
DLT = Subject("dlt scd2", "peers/dlt_scd2.py", ("sqlite", "postgresql"), own_packages=True)
ORM = Subject("ORM script", "peers/orm_script.py")
SUBJECTS = (PROJECT, FLOOR, SQLITE_UTILS, DLT, ORM)


@dataclass(frozen=True, slots=True)
class Commands:
    """Makes the commands.

    Attributes:
        cache: where peers' environments are made, once.
        peers_python: an interpreter that has all peers' packages, in place of those.
    """

    cache: Path
    peers_python: str | None = None

    def synchronise(self, subject: Subject, base_url: str, place: Place, workers: int) -> tuple[list[str], dict[str, str]]:
        """Give the command that synchronises once, and its environment."""
        if subject.script is None:
            settings = environment(
                CRUN_API_KEY=KEY, CRUN_BASE_URL=base_url, DATABASE_URL=place.url, SYNC_RATE="0", SYNC_CONCURRENCY=str(workers),
                SYNC_DEADLINE="2h", SYNC_LOG_LEVEL="error",
            )  # fmt: skip
            return [sys.executable, "-m", "sync", "run"], settings
        command = [self.python(subject), str(BENCH / subject.script), base_url, _with_password(place.url)]
        if subject is FLOOR:
            command += ["--workers", str(workers)]
        elif subject is DLT:
            command.append(str(place.folder))
        return command, environment()

    def create_tables(self, subject: Subject, place: Place) -> None:
        """Do what has to be done once before the first run: a server's tables, for the project."""
        if subject is PROJECT and place.kind != "sqlite":
            run([sys.executable, "-m", "sync", "db", "upgrade"], environment(DATABASE_URL=place.url), place.folder)

    def python(self, subject: Subject) -> str:
        """Give the interpreter, with the subject's packages installed."""
        if not subject.own_packages or subject.script is None:
            return sys.executable
        if self.peers_python is not None:
            return self.peers_python
        requirements = (BENCH / subject.script).with_suffix(".txt")
        folder = self.cache / requirements.stem
        python, done = folder / "bin" / "python", folder / requirements.name
        if not done.exists() or done.read_text() != requirements.read_text():
            tell(f"installing {subject.name} into {folder}")
            venv.create(folder, clear=True, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-qq", "-r", requirements], check=True)
            done.write_text(requirements.read_text())
        return str(python)


def _with_password(url: str) -> str:
    """Put a password into a server's URL that has none: dlt asks for one even where the server does not."""
    user, at, rest = url.removeprefix("postgresql://").partition("@")
    return url if url == user or not at or ":" in user else f"postgresql://{user}:none@{rest}"


def default_cache() -> Path:
    """Give the folder for environments, as the XDG convention has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crun-template-sync-bench"
