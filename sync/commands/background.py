"""The output of a service: a thread writes stderr, so that a reader that stops reading blocks neither a run nor a stop."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from sync.commands.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.errors import SyncError

MAX_WAITING = 2000
"""Texts, mostly log lines, that wait for a slow reader; later ones are dropped and counted."""

DRAIN_SECONDS = 1.0
"""How long the end of the process waits for the last lines to be written."""


class BackgroundStream(io.TextIOBase):
    """A text stream whose writers never wait.

    The thread writes to the descriptor itself: a thread that is blocked inside Python's buffered stream holds its lock, and the
    interpreter cannot end.

    Args:
        stream: where the texts go.
        most: texts that wait at most.
    """

    def __init__(self, stream: TextIO, most: int = MAX_WAITING) -> None:
        self._stream = stream
        self._most = most
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._writing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="stderr", daemon=True).start()

    def write(self, text: str, /) -> int:
        """Queue a text; drop it if too many wait."""
        with self._changed:
            if len(self._waiting) < self._most:
                self._waiting.append(text)
                self._changed.notify_all()
            else:
                self._dropped += 1
        return len(text)

    def drain(self, timeout: float = DRAIN_SECONDS) -> None:
        """Wait until everything is written, at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._writing, timeout)

    def isatty(self) -> bool:
        """Whether the texts go to a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor to which the texts go."""
        return self._stream.fileno()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                text, self._writing = self._waiting.popleft(), True
                dropped, self._dropped = self._dropped, 0
            _write(self._stream.fileno(), text.encode("utf-8", "backslashreplace"))
            if dropped:
                _report_dropped(dropped)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # another program made the pipe non-blocking
            select.select([], [descriptor], [])
        except OSError:
            return  # a closed reader must not stop the service


def _report_dropped(count: int) -> None:
    from sync.logs import get_logger

    get_logger().warning(
        "log_lines_dropped", count=count, hint="The reader of stderr was too slow; the service did not wait for it."
    )


@contextmanager
def background_stderr() -> Iterator[None]:
    """Put a BackgroundStream in the place of `sys.stderr` for a block; drain it at the end."""
    direct = sys.stderr
    with suppress(RuntimeError):  # no thread is available; what needs one next reports it
        sys.stderr = BackgroundStream(direct)
    try:
        yield
    finally:
        drain_stderr()
        sys.stderr = direct


def drain_stderr() -> None:
    """Wait briefly for the last lines; for an exit that unwinds nothing."""
    if isinstance(sys.stderr, BackgroundStream):
        sys.stderr.drain()


class ServiceOutput(Output):
    """Report messages as log events, because stderr of a service with JSON logs holds nothing else."""

    def message(self, text: str, *, reveal: bool = False) -> None:  # noqa: ARG002 - a log masks every secret
        """Log a message."""
        self._log().info("message", message=text)

    def warning(self, text: str) -> None:
        """Log a warning."""
        self._log().warning("warning", message=text)

    def error(self, error: SyncError) -> None:
        """Log an error that ends the command."""
        self._log().error("command_failed", error=str(error), hint=error.hint, exit_code=error.exit_code)

    def _log(self) -> Any:
        from sync.logs import configure, get_logger

        configure(style="json", level="info", secrets=self.secrets)  # the settings may be what is wrong
        return get_logger()
