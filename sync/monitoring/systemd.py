"""The part of systemd's notification protocol that a service needs: notify, and the watchdog interval."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


_TIMEOUT = 0.5  # seconds; the service continues if systemd does not read the message


def notify(message: str, *, address: str | None) -> None:
    """Send a message to systemd, such as `READY=1`; never raise, and do nothing without systemd.

    Args:
        message: one assignment per line; line breaks in a value would start another assignment.
        address: value of NOTIFY_SOCKET: a path, or @ and a name in Linux's abstract namespace.
    """
    if not address or address[0] not in "/@":
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(_TIMEOUT)  # a datagram to a full queue would block
            line.connect("\0" + address[1:] if address[0] == "@" else address)
            line.send(message.encode("utf-8", "replace"))
    except (OSError, ValueError):
        return  # the service must work without notifications


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds between two `WATCHDOG=1` messages, None without a watchdog.

    It is half of the timeout, as sd_watchdog_enabled(3) advises.

    Args:
        environ: environment variables.
        pid: the process id; WATCHDOG_PID names the process that the watchdog monitors, so that a child does not send messages.
    """
    limit = environ.get("WATCHDOG_USEC", "")
    if not limit.isdecimal() or int(limit) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(limit) / 1_000_000 / 2
