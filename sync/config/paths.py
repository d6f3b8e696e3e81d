"""The guard of all paths: a file that one setting or command writes is not a file that another setting names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; its content belongs to the database."""


def files_in_use(database_url: str, named: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the files that must not be replaced, each with a description.

    Args:
        database_url: DATABASE_URL; only SQLite has files.
        named: a variable, or another description, -> the file that it names.
    """
    used = [(f"the file of {name}", path) for name, path in named.items()]
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", database_url, re.IGNORECASE)
    if found is None:
        return used
    database = unquote(found[1].removeprefix("file:")) if found[1].startswith("file:") else found[1]
    used.append(("the database", database))
    # SQLite places side files beside the file that a link leads to.
    names = {database, _real(database)}
    return used + [("a side file of the database", f"{name}{side}") for name in sorted(names) for side in SIDE_FILES]


def owner_of(path: str, used: list[tuple[str, str]]) -> str | None:
    """Return what a path already is; None if it may be written. Links and spellings of the same path count as one."""
    return next((owner for owner, other in used if _is_same(path, other)), None)


def _is_same(one: str, other: str) -> bool:
    if _real(one) == _real(other):
        return True
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def _real(path: str) -> str:
    return os.path.realpath(path.replace("\0", ""))
