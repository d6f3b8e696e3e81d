"""A file that holds a secret: small, and never waited on for ever."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

_PIPE_SECONDS = 5.0
_SECRET_FILE_LIMIT = 4096  # bytes; a key or a URL is shorter, a wrong path may be anything


def secret_file(name: str, path: str | Path, warnings: list[str]) -> str:
    """Read the one line of a file that holds a secret.

    Args:
        name: of the setting that names the file.
        path: the file, or a pipe.
        warnings: gets a sentence where everybody on this machine can read it.

    Raises:
        ValueError: saying what was expected.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123 - a pipe may be named, too
            mode = os.fstat(file.fileno()).st_mode
            content = _read_in_time(file, _SECRET_FILE_LIMIT + 1)
        text = content.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"a readable file in {name} ({path}: {reason})") from None
    if not text:
        raise ValueError(f"a non-empty file in {name} ({path} is empty)")
    if len(content) > _SECRET_FILE_LIMIT:
        raise ValueError(f"one line of at most {_SECRET_FILE_LIMIT} bytes in {name} ({path})")
    if stat.S_IMODE(mode) & stat.S_IROTH:
        warnings.append(f"{name} ({path}) can be read by every user of this machine; chmod 600 it.")
    return text


def _read_in_time(file: FileIO, most: int) -> bytes:
    """Read a file, or a pipe such as `<(pass show crun)`; one that nobody writes to is not waited on for ever."""
    if not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        return file.read(most) or b""
    content, gives_up = b"", time.monotonic() + _PIPE_SECONDS
    while time.monotonic() < gives_up:
        more = file.read(most - len(content))  # None while its writer has nothing; nothing while there is none, or after its end
        if more:
            content += more
        elif more is not None and content:
            return content
        else:
            time.sleep(0.01)
    if not content:
        raise OSError(0, "no data within the time limit")
    return content
