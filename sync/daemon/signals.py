"""Signals that stop or reload the daemon, and its notifications to systemd.

SIGTERM, SIGINT and SIGHUP write to a pipe, because a signal handler that takes a lock can deadlock.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


STOP, RELOAD = b"!", b"r"
"""What a signal handler writes to the pipe."""


class SignalPipe:
    """A pipe from signal handlers to the main thread."""

    def __init__(self) -> None:
        self._wake_r, self._wake_w = os.pipe()
        self._stop_signals = 0

    def install(self) -> None:
        """Handle SIGTERM and SIGINT as a stop, SIGHUP as a reload; a second SIGTERM or SIGINT ends the process at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGHUP, lambda _number, _frame: os.write(self._wake_w, RELOAD))

    def _on_stop_signal(self, number: int, _frame: Any) -> None:
        self._stop_signals += 1
        if self._stop_signals > 1:
            os._exit(128 + number)
        self.request_stop()

    def request_stop(self) -> None:
        """Make `wait` return STOP. Takes no lock, so it is safe in a signal handler."""
        os.write(self._wake_w, STOP)

    def wait(self, seconds: float) -> bytes | None:
        """Return STOP or RELOAD, STOP first, as soon as one was requested; None after `seconds`."""
        if not select.select([self._wake_r], [], [], seconds)[0]:
            return None
        return STOP if STOP in os.read(self._wake_r, 4096) else RELOAD


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
