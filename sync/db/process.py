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
    """Give what a person reads: host and process number."""
    return f"{socket.gethostname()[:200]} (pid {os.getpid()})"


def mark() -> str | None:
    """Give this process's mark; None where the system does not tell (not Linux)."""
    return _mark(os.getpid())


def is_dead(other: str | None) -> bool:
    """Tell whether the process of a mark has surely ended. False whenever that cannot be known from here."""
    if other is None or (mine := mark()) is None:
        return False
    *here, pid, _started = other.split(":")
    return here == mine.split(":")[:-2] and _mark(int(pid)) != other


def _mark(pid: int) -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
        # The command's name, in brackets, may hold spaces; the start is the 22nd field of the line, the 20th after it.
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else f"{boot}:{namespace}:{pid}:{rest[18]}"
