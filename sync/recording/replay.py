"""Replay a recording: the same responses to the same requests, in the recorded order for each request."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.recording.format import MOST_BYTES, read_recording

if TYPE_CHECKING:
    from sync.recording.format import RecordedResponse, RecordedRun

_Request = frozenset[tuple[str, str]]


class Replay:
    """The responses of a recording by request. Safe from any thread.

    Attributes:
        run: the recorded run.
        count: number of responses.
    """

    def __init__(self, run: RecordedRun, responses: list[RecordedResponse]) -> None:
        self.run, self.count = run, len(responses)
        self._turn = Lock()
        self._left: dict[_Request, list[RecordedResponse]] = {}
        for response in reversed(responses):
            self._left.setdefault(frozenset(response.params.items()), []).append(response)

    def next_response(self, query: str) -> RecordedResponse | None:
        """Return the next response to this request, at the end the last one repeatedly; None if the request was not recorded."""
        with self._turn:
            left = self._left.get(frozenset(parse_qsl(query, keep_blank_values=True)))
            if left is None:
                return None
            return left.pop() if len(left) > 1 else left[0]


def open_recording(file: str | Path) -> Replay:
    """Read a recording from a file.

    Raises:
        UsageError: the file cannot be read, is too large, or is not a recording.
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
