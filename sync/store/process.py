"""Identify a process, so that another process on the same host can see that the holder of a lease is dead.

Otherwise the lease of a killed run blocks the next one until it expires. A pid alone is not enough: pids are reused, and each
container has a process 1. The mark also has the boot id, the pid namespace and the start time of the process.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def name() -> str:
    """Return the host name and pid, for messages."""
    return f"{host()} (pid {os.getpid()})"


def host() -> str:
    """Return the host name."""
    return socket.gethostname()[:200]


def mark() -> str | None:
    """Return the mark of this process; None on systems without /proc."""
    try:
        return f"{_here()}:{os.getpid()}:{_state_and_start(os.getpid())[1]}"
    except OSError:
        return None


def is_dead(other: str | None) -> bool:
    """Return whether the process of a mark has certainly ended; False if that is unknown."""
    if other is None or mark() is None:
        return False
    here, pid, started = other.rsplit(":", 2)
    if here != _here():
        return False
    try:
        state, began = _state_and_start(int(pid))
    except OSError:  # no such process, or processes of other users are hidden (hidepid, ProtectProc=invisible)
        return not _exists(int(pid))
    return state == "Z" or began != started


def _here() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{boot}:{namespace}"


def _state_and_start(pid: int) -> tuple[str, str]:
    # The command name, in parentheses, may contain spaces; the start time is field 22, the 20th after it.
    state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state, rest[18]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
