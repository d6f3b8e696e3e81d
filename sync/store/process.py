"""Which process this is, told so that another one on the same machine can see that it is dead.

Without this a run that was killed keeps the next one out until its lease expires. A process number alone proves nothing:
numbers are reused, and two containers each have a process 1. So the mark also names the boot, the container's own count
of processes (its pid namespace) and the moment at which the process started.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def name() -> str:
    """Name this process for people: host and process number."""
    return f"{host()} (pid {os.getpid()})"


def host() -> str:
    """Name this host."""
    return socket.gethostname()[:200]


def mark() -> str | None:
    """Write this process's mark; None where the system does not tell (not Linux)."""
    try:
        return f"{_here()}:{os.getpid()}:{_state_and_start(os.getpid())[1]}"
    except OSError:
        return None


def is_dead(other: str | None) -> bool:
    """Tell whether the process of a mark has surely ended. False whenever that cannot be known from here."""
    if other is None or mark() is None:
        return False
    here, pid, started = other.rsplit(":", 2)
    if here != _here():
        return False
    try:
        state, began = _state_and_start(int(pid))
    except OSError:  # there is none, or another user's are hidden from us (hidepid, ProtectProc=invisible)
        return not _exists(int(pid))
    return state == "Z" or began != started


def _here() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{boot}:{namespace}"


def _state_and_start(pid: int) -> tuple[str, str]:
    # The command's name, in brackets, may hold spaces; the start is the 22nd field of the line, the 20th after it.
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
