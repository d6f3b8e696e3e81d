"""Signals that stop or reload the daemon: SIGTERM, SIGINT and SIGHUP.

They write to a pipe, because a signal handler that takes a lock can deadlock.
"""

from __future__ import annotations

import os
import select
import signal
from typing import Any

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
