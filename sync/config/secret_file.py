"""Read a file that contains a secret, with limits on size and time."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

_PIPE_SECONDS = 5.0
_SECRET_FILE_LIMIT = 4096  # bytes; a key or a URL is shorter


def secret_file(name: str, path: str | Path, warnings: list[str]) -> str:
    """Return the one line of a file that contains a secret.

    Args:
        name: setting that names the file.
        path: the file, or a pipe.
        warnings: a sentence is appended if every user of the machine can read the file, or if it has been replaced.

    Raises:
        ValueError: the file is invalid; the message says what is expected.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123 - it may be a pipe
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
            time.sleep(0.01)
    if not content:
        raise OSError(0, "no data within the time limit")
    return content
