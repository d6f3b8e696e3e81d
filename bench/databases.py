"""Databases that are made, copied and dropped again: a folder with a SQLite file, or one on a server."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.store.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVERS = {"postgresql": "SYNC_TEST_POSTGRES_URL", "mariadb": "SYNC_TEST_MARIADB_URL"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where one subject works: a folder of its own, and a database, as it is written in DATABASE_URL."""

    kind: str
    folder: Path
    url: str


def available() -> dict[str, str]:
    """Give the kinds of databases there are, each server with its URL."""
    return {"sqlite": ""} | {kind: os.environ[name] for kind, name in SERVERS.items() if os.environ.get(name)}


@dataclass
class Databases:
    """Makes databases in a folder and on the servers; all of them are dropped at the end."""

    folder: Path
    servers: dict[str, str]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _made: list[Place] = field(default_factory=list)

    def new(self, kind: str) -> Place:
        """Make an empty one."""
        place = self._place(kind)
        place.folder.mkdir()
        if kind != "sqlite":
            self._on_server(kind, f"CREATE DATABASE {_name(place)}")
        return place

    def copy(self, place: Place) -> Place:
        """Make another one with the same contents. MariaDB cannot."""
        copied = self._place(place.kind)
        shutil.copytree(place.folder, copied.folder)
        if place.kind == "postgresql":
            self._on_server("postgresql", f"CREATE DATABASE {_name(copied)} TEMPLATE {_name(place)}")
        return copied

    def drop(self, place: Place) -> None:
        """Drop one."""
        self._made.remove(place)
        shutil.rmtree(place.folder)
        if place.kind != "sqlite":
            self._on_server(place.kind, f"DROP DATABASE {_name(place)}")

    def drop_all(self) -> None:
        """Drop whatever is left."""
        for place in list(self._made):
            self.drop(place)

    def versions(self) -> dict[str, str]:
        """Ask every server for its version."""
        said = {kind: self._on_server(kind, "SELECT version()") for kind in self.servers}
        return {kind: found[0] for kind, text in said.items() if (found := re.search(r"\d+(\.\d+)+", text))}

    def _place(self, kind: str) -> Place:
        name = f"sync_bench_{os.getpid()}_{next(self._numbers)}"
        folder = self.folder / name
        url = f"sqlite:///{folder}/templates.db"
        if kind != "sqlite":
            url = open_engine(self.servers[kind]).url.set(database=name).render_as_string(hide_password=False)
            url = f"{kind}://{url.split('://', 1)[1].split('?')[0]}"
        place = Place(kind, folder, url)
        self._made.append(place)
        return place

    def _on_server(self, kind: str, statement: str) -> str:
        engine = open_engine(self.servers[kind])
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            result = connection.execute(sa.text(statement))
            said = str(result.scalar()) if result.returns_rows else ""
        engine.dispose()
        return said


@contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """Give what makes databases; drops all of them at the end."""
    made = Databases(folder, {kind: url for kind, url in available().items() if url})
    try:
        yield made
    finally:
        made.drop_all()


def _name(place: Place) -> str:
    return place.folder.name
