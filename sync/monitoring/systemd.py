"""The two halves of systemd's notification protocol that a service needs: saying how it is, and how often it must."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


_TIMEOUT = 0.5  # seconds; systemd empties its queue at once, and where it does not, the service goes on without it


def notify(message: str, *, address: str | None) -> None:
    """Tell systemd something, such as `READY=1`; never raises, and does nothing where nobody listens.

    Args:
        message: one assignment per line. A text that holds line breaks would be read as further assignments.
        address: the value of NOTIFY_SOCKET: a path, or @ and a name in Linux's abstract namespace.
    """
    if not address or address[0] not in "/@":
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(_TIMEOUT)  # a datagram to a full queue would wait for ever
            line.connect("\0" + address[1:] if address[0] == "@" else address)
            line.send(message.encode("utf-8", "replace"))
    except (OSError, ValueError):
        return  # a service that works is worth more than one that reports that it does


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Read from the environment the seconds between two `WATCHDOG=1`, or None where systemd does not watch this process.

    Half of the limit, as sd_watchdog_enabled(3) advises: one late message is no reason for a restart.

    Args:
        environ: the process's environment.
        pid: the process's id; WATCHDOG_PID names the one that is meant, so that a child does not answer for its parent.
    """
    limit = environ.get("WATCHDOG_USEC", "")
    if not limit.isdecimal() or int(limit) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(limit) / 1_000_000 / 2
