"""What the tests of backup and restore share: two states of a database, and processes that die on the way."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sync.store.engine import open_engine
from tests.builders import Database
from tests.faults import anomalies, kill_myself

if TYPE_CHECKING:
    from collections.abc import Callable


OLD, NEW = {"1", "2", "3", "4", "5"}, {"1", "2", "3", "4", "6"}
SIDE_FILES = ("-wal", "-shm", "-journal")
FEW = 20
"""Pages at a time: so few that these small databases take several steps."""


def opened(file: Path) -> Database:
    url = f"sqlite:///{file}"
    return Database("sqlite", url, open_engine(url))


def present(file: Path) -> set[str]:
    """Open a database as the next run would, and give what it holds; nothing in it may be wrong."""
    database = opened(file)
    assert anomalies(database) == []
    found = database.present
    database.engine.dispose()
    return found


def file_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def kill_at(number: int) -> Callable[[str], None]:
    steps = itertools.count(1)
    return lambda _name: kill_myself() if next(steps) == number else None


def write_and_die(file: str, mode: str = "WAL") -> None:
    """Leave a transaction half-way in `-wal` or `-journal`, and the files of a killed process beside the database."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE templates SET title = title || hex(randomblob(5000))")
    kill_myself()


def commit_and_die(file: str) -> None:
    """Leave a committed transaction in `-wal` that is not yet in the file itself."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("UPDATE templates SET title = title || hex(randomblob(5000))")
    kill_myself()


def read_and_die(file: str) -> None:
    """Leave a reader in the middle of its transaction, with the write-ahead log that it reads."""
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        reader = sqlite3.connect(file, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM templates").fetchone()
        writer.execute("UPDATE templates SET title = title")
        reader.execute("SELECT count(*) FROM templates").fetchone()
        kill_myself()


def side_files(file: Path) -> list[str]:
    return [side for side in SIDE_FILES if Path(f"{file}{side}").exists()]
