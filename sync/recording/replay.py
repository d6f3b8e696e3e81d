"""A recording, served again: the same answers to the same questions, for each question in the order in which they came."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.recording.format import MOST_BYTES, read_recording

if TYPE_CHECKING:
    from sync.recording.format import RecordedResponse, RecordedRun

_Asked = frozenset[tuple[str, str]]


class Replay:
    """What was recorded, by question. Safe from any thread.

    Attributes:
        run: what the run was.
        count: of answers.
    """

    def __init__(self, run: RecordedRun, answers: list[RecordedResponse]) -> None:
        self.run, self.count = run, len(answers)
        self._turn = Lock()
        self._left: dict[_Asked, list[RecordedResponse]] = {}
        for answer in reversed(answers):
            self._left.setdefault(frozenset(answer.params.items()), []).append(answer)

    def answer(self, query: str) -> RecordedResponse | None:
        """Give what came next for this question, the last answer again and again; None for what was never asked."""
        with self._turn:
            left = self._left.get(frozenset(parse_qsl(query, keep_blank_values=True)))
            if left is None:
                return None
            return left.pop() if len(left) > 1 else left[0]


def open_recording(file: str | Path) -> Replay:
    """Read a recording from a file.

    Raises:
        UsageError: it cannot be read, is too large, or is none.
    """
    try:
        with Path(file).open("rb") as source:
            content = source.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{file} has more than {MOST_BYTES} bytes.")
    try:
        return Replay(*read_recording(content.splitlines()))
    except ValueError as error:
        raise UsageError(f"{file} is not a recording: {error}.", hint="`template-sync run --record FILE` writes one.") from None
