"""The output of every command: data to stdout, messages to stderr.

Secrets are masked in messages, and control characters are escaped in both, because the catalog's text could otherwise control the
terminal. A write that fails (a closed pipe, a full disk) does not stop a command; `Output.failure` reports it at the end.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from sync.config.redaction import Redactor
from sync.errors import ConfigurationError
from sync.terminal.lines import render
from sync.text import escape_control_characters, json_parts, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sync.errors import SyncError

PROGRESS_DELAY = 2.0
"""Seconds after which a walk shows its progress."""
_CHUNK = 2**18
"""Characters that are written at once."""
MAX_WAITING = 2000
"""Texts, mostly log lines, that wait for a slow reader of a service's stderr; later ones are dropped and counted."""
DRAIN_SECONDS = 1.0
"""How long the end of the process waits for the last lines to be written."""


def open_closed_streams() -> None:
    """Open /dev/null for streams that the caller closed (`run 2>&-`): the database would get the descriptor, and the messages."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest free number, this one. A write to stdout fails, so that lost data is reported.
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - for the rest of the process
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - likewise


def flush_streams() -> None:
    """Flush stdout and stderr. A failure in the interpreter's own flush would replace the exit code by 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard_buffer(stream)


class Output:
    """The output of one command; `failure` is the first error of a write to stdout, after which output is discarded."""

    def __init__(self, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.failure: OSError | None = None
        self.secrets: tuple[str, ...] = ()
        self._stdout, self._stderr, self._environ = stdout, stderr, environ
        self._redact = Redactor(())

    def hide(self, secrets: Iterable[str]) -> None:
        """Add values that are masked in every later message."""
        self.secrets = (*dict.fromkeys((*self.secrets, *secrets)),)
        self._redact = Redactor(self.secrets)

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines of text, which may contain colour marks."""
        environ = self._environ
        wanted = environ.get("FORCE_COLOR") or (self.on_terminal and environ.get("TERM") != "dumb")
        colored = bool(wanted) and not environ.get("NO_COLOR")
        self.data("".join(f"{render(line, colored=colored)}\n" for line in lines))

    def table(self, rows: Sequence[Sequence[str]], *, whole: Sequence[str] = (), omit: Sequence[str] = ()) -> None:
        """Print rows as a table, the first as its heading; see `sync.terminal.tables.table`."""
        from sync.terminal.tables import table

        self.lines(table(rows, self.width, whole=whole, omit=omit))

    def json(self, value: Any) -> None:
        """Print a value as JSON: indented on a terminal, otherwise on one line. docs/json.md documents every form."""
        self.data(json_text(value, 2 if self.on_terminal else None) + "\n")

    def json_parts(self, value: Any, items: Iterable[Any]) -> None:
        """Print a value whose last member is an empty list, with these items in it; only some of them are in memory at a time."""
        self.parts(chain(json_parts(value, items, 2 if self.on_terminal else None), "\n"))

    def parts(self, parts: Iterable[str]) -> None:
        """Print text in chunks. After a failure no further part is made."""
        chunk, size = [], 0
        for part in parts:
            chunk.append(part)
            size += len(part)
            if size > _CHUNK:
                self.data("".join(chunk))
                chunk, size = [], 0
            if self.failure is not None:
                return
        self.data("".join(chunk))

    def data(self, text: str) -> None:
        """Print text unchanged; the caller has escaped it."""
        if self.failure is None:
            try:
                self._stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
                self._stdout.buffer.flush()
            except OSError as failure:
                self.failure = failure
                _discard_buffer(self._stdout)

    def message(self, text: str, *, reveal: bool = False) -> None:
        """Print a message to stderr; `reveal` does not mask secrets."""
        shown = text if reveal else self._redact(text)
        with suppress(OSError):  # a closed stderr must not stop the command
            self._stderr.write("\n".join(map(escape_control_characters, shown.split("\n"))) + "\n")
            self._stderr.flush()

    def note(self, text: str) -> None:
        """Print a message on one line, also if text from outside in it has line breaks, which could imitate a second message."""
        self.message(text.replace("\n", "\\n"))

    def warning(self, text: str) -> None:
        """Print a warning to stderr."""
        self.note(f"warning: {text}")

    def error(self, error: SyncError) -> None:
        """Print an error, and its hint on a separate line."""
        for problem in error.problems if isinstance(error, ConfigurationError) else [str(error)]:
            self.note(f"error: {problem}")
        if error.hint:
            self.message(f"  → {error.hint}")

    def progress(self, text: str) -> None:
        """Show a line that the next one overwrites; an empty text erases it."""
        with suppress(OSError):
            self._stderr.write(f"\r\x1b[K{escape_control_characters(text)}\r")
            self._stderr.flush()

    @property
    def width(self) -> int | None:
        """The terminal's width in columns; None for a pipe, where lines are not truncated."""
        import shutil

        return shutil.get_terminal_size().columns if self.on_terminal else None

    @property
    def on_terminal(self) -> bool:
        """Whether stdout is a terminal."""
        return self._stdout.isatty()


def progress_on_terminal(out: Output, what: str = "page") -> Callable[[int, int | None], None] | None:
    """Return a function that shows how much of a long task is done on a terminal; None without a terminal."""
    if not sys.stderr.isatty():
        return None
    began = time.monotonic()

    def show(pages: int, expected: int | None) -> None:
        if time.monotonic() - began > PROGRESS_DELAY:
            out.progress(f"{what} {pages} of {expected or '?'}" if pages != expected else "")

    return show


def _discard_buffer(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, so that the interpreter's flush of its buffer at the end does not fail with 120."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class BackgroundStream(io.TextIOBase):
    """The stderr of a service, whose writers never wait: a reader that stops reading blocks neither a run nor a stop.

    A thread writes to the descriptor itself: a thread that is blocked inside Python's buffered stream holds its lock, and the
    interpreter cannot end. At most `most` texts wait.
    """

    def __init__(self, stream: TextIO, most: int = MAX_WAITING) -> None:
        self._stream, self._most = stream, most
        self._waiting: deque[str] = deque()
        self._dropped, self._writing = 0, False
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
                from sync.logs import get_logger

                hint = "The reader of stderr was too slow; the service did not wait for it."
                get_logger().warning("log_lines_dropped", count=dropped, hint=hint)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # another program made the pipe non-blocking
            select.select([], [descriptor], [])
        except OSError:
            return  # a closed reader must not stop the service


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
