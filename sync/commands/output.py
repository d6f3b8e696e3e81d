"""The one door to the terminal: whatever a command says passes here.

Data goes to stdout, messages go to stderr. In messages secrets are hidden; in both, control characters are shown and never sent,
whoever wrote them. An output that fails (a reader that left, a full disk) changes nothing about what a command does: it is
noticed here, and told at the end.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from sync.config.redaction import Redactor
from sync.errors import ConfigurationError
from sync.terminal.tables import render
from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.errors import SyncError


def open_closed_streams() -> None:
    """Open /dev/null in place of standard streams that the caller closed (`template-sync run 2>&-`).

    Else the database's file would get their number, and whatever writes an error message would write it there.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - for the rest of the process
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - likewise


def flush_streams() -> None:
    """Write out what is left. What fails now would make Python leave with 120, whatever the command's verdict was."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _drop_the_rest(stream)


class Output:
    """What one command says.

    Attributes:
        failure: why stdout could not be written, if it could not; what comes after that is dropped.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.failure: OSError | None = None
        self.secrets: tuple[str, ...] = ()
        self._stdout = stdout
        self._stderr = stderr
        self._environ = environ
        self._redact = Redactor(())

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these values, too, in every message from now on."""
        self.secrets = (*self.secrets, *(secret for secret in secrets if secret not in self.secrets))
        self._redact = Redactor(self.secrets)

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines of text, which may be painted."""
        colored = self._colored()
        self.data("".join(f"{render(line, colored=colored)}\n" for line in lines))

    def json(self, value: Any) -> None:
        """Print a value as JSON, readable on a terminal, on one line elsewhere. Every form is documented in docs/json.md."""
        from sync.text import json_text

        self.data(json_text(value, 2 if self._stdout.isatty() else None) + "\n")

    def data(self, text: str) -> None:
        """Print text that is safe as it is; whoever calls has seen to that."""
        if self.failure is None:
            try:
                self._stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
                self._stdout.buffer.flush()
            except OSError as failure:
                self.failure = failure
                _drop_the_rest(self._stdout)

    def message(self, text: str, *, reveal: bool = False) -> None:
        """Say something to a person; `reveal` shows even what is a secret."""
        shown = text if reveal else self._redact(text)
        with suppress(OSError):  # nobody listens; that is no reason to stop
            self._stderr.write("\n".join(map(escape_control_characters, shown.split("\n"))) + "\n")
            self._stderr.flush()

    def error(self, error: SyncError) -> None:
        """Say what happened, and on a line of its own what to do."""
        for problem in error.problems if isinstance(error, ConfigurationError) else [str(error)]:
            self.message(f"error: {problem}")
        if error.hint:
            self.message(f"  → {error.hint}")

    def progress(self, text: str) -> None:
        """Show a line that the next one overwrites; an empty one takes it away."""
        with suppress(OSError):
            self._stderr.write(f"\r\x1b[K{escape_control_characters(text)}\r")
            self._stderr.flush()

    @property
    def width(self) -> int | None:
        """The terminal's width in columns; None for a pipe, where nothing is cut."""
        if not self._stdout.isatty():
            return None
        import shutil

        return shutil.get_terminal_size().columns

    @property
    def on_terminal(self) -> bool:
        """Whether a person reads stdout as it comes."""
        return self._stdout.isatty()

    def _colored(self) -> bool:
        """Whether stdout takes colours: on a terminal, unless NO_COLOR or TERM=dumb; FORCE_COLOR asks for them anyway."""
        if self._environ.get("NO_COLOR"):
            return False
        return bool(self._environ.get("FORCE_COLOR")) or (self._stdout.isatty() and self._environ.get("TERM") != "dumb")


def _drop_the_rest(stream: TextIO) -> None:
    """Let what Python still holds for a stream go nowhere: it would try once more at the end, and fail with 120."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
