"""Files of settings: the file of a secret, read with limits; and which files a setting or command must not replace."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sync.config.addresses import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO

_PIPE_SECONDS = 5.0
_SECRET_FILE_LIMIT = 4096  # bytes; a key or a URL is shorter
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; its content belongs to the database."""


def files_in_use(database_url: str, named: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the files that must not be replaced, each with a description.

    `database_url` counts only for SQLite; `named` maps a variable, or another description, to the file that it names.
    """
    used = [(f"the file of {name}", path) for name, path in named.items()]
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", database_url, re.IGNORECASE)
    if found is None:
        return used
    database = sqlite_path(unquote(found[1]))  # decoded, as SQLAlchemy reads it
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


def secret_file(name: str, path: str | Path, warnings: list[str]) -> str:
    """Return the one line of a file, or a pipe, that contains a secret; a ValueError says what is expected of it.

    `name` is the setting that names the file. `warnings` gets a sentence if every user of the machine can read the file, or if it
    was replaced.
    """
    try:
        # With an opener, `open` closes the descriptor also if the path is a directory.
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            content = _read_in_time(file, _SECRET_FILE_LIMIT + 1)
        text = content.decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"a readable file in {name} ({path}: {reason})") from None
    if not text:
        raise ValueError(f"a non-empty file in {name} ({path} is empty)")
    if len(content) > _SECRET_FILE_LIMIT:
        raise ValueError(f"one line of at most {_SECRET_FILE_LIMIT} bytes in {name} ({path})")
    if stat.S_IMODE(found.st_mode) & stat.S_IROTH:
        warnings.append(f"{name} ({path}) can be read by every user of this machine; chmod 600 it.")
    # A file without a name can only be opened by a path if it is a mount: its name on the host belongs to another file now.
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and not str(path).startswith(("/dev/", "/proc/")):
        warnings.append(f"{name} ({path}) is mounted, and was replaced or deleted on the host; restart the container to read it.")
    return text


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read_in_time(file: FileIO, most: int) -> bytes:
    """Read a file, or a pipe such as `<(pass show crun)`, for at most _PIPE_SECONDS."""
    if not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        return file.read(most) or b""
    content, gives_up = b"", time.monotonic() + _PIPE_SECONDS
    while time.monotonic() < gives_up:
        more = file.read(most - len(content))  # None: no data yet; empty: no writer, or the end
        if more:
            content += more
        elif more is not None and content:
            return content
        else:
            time.sleep(0.01)  # not `select`, for which a writer that closed a pipe without data is the end
    if not content:
        raise OSError(0, "no data within the time limit")
    return content
