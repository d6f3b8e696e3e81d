"""The format of recordings, one line for the run, then one per response, see docs/operations.md; and their replay."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sync.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = "template-sync-recording"
VERSION = 1
MOST_BYTES = 256 * 2**20
"""Bytes of a recording; a catalog of 280 templates takes 0.3 MB."""
HEADERS = ("content-type", "content-encoding", "content-length", "date", "location", "retry-after", "server")
"""Recorded headers: those that a run reads, and those that identify the server. Cookies are excluded."""
_HEADER = re.compile(r"[^\x00\r\n\x0b\x0c\u0100-\U0010ffff]*")
_STATUSES = range(200, 1000)
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?")
SETTINGS = ("page_size", "concurrency", "max_removed", "hold")
"""Settings that determine the requests and the decision on removals."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The recorded run.

    Attributes:
        program: version of the program.
        started_at: ISO 8601, UTC.
        settings: name -> value of SETTINGS, each a number.
        seed: seed of its random numbers, which choose the controls of look-ups.
    """

    program: str
    started_at: str
    settings: dict[str, str]
    seed: int


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """One request and its response.

    Attributes:
        params: query parameters.
        at: seconds from the start of the recording to the request.
        took: seconds from the request to the end of the response.
        status: HTTP status; None if there was no response.
        headers: values of HEADERS by lower-case name.
        body: decompressed. A binary body is not written to the file, which has its size instead.
        trouble: why the response is incomplete, one phrase; empty if it is complete.
    """

    params: dict[str, str]
    at: float = 0.0
    took: float = 0.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: str = ""


class Replay:
    """The same responses to the same requests, in the recorded order for each request. Safe from any thread.

    Attributes:
        run: the recorded run.
        count: number of responses.
    """

    def __init__(self, run: RecordedRun, responses: list[RecordedResponse]) -> None:
        self.run, self.count = run, len(responses)
        self._turn = Lock()
        self._left: dict[frozenset[tuple[str, str]], list[RecordedResponse]] = {}
        for response in reversed(responses):
            self._left.setdefault(frozenset(response.params.items()), []).append(response)

    def next_response(self, query: str) -> RecordedResponse | None:
        """Return the next response to this request, at the end the last one repeatedly; None if the request was not recorded."""
        with self._turn:
            left = self._left.get(frozenset(parse_qsl(query, keep_blank_values=True)))
            if left is None:
                return None
            return left.pop() if len(left) > 1 else left[0]


def open_recording(file: str | Path, *, most: int = MOST_BYTES) -> Replay:
    """Read a recording from a file of at most so many bytes.

    Raises:
        UsageError: the file cannot be read, is too large, or is not a recording.
    """
    try:
        with Path(file).open("rb") as source:
            content = source.read(most + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(content) > most:
        raise UsageError(f"{file} has more than {most} bytes.")
    try:
        return Replay(*read_recording(content.splitlines()))
    except ValueError as error:
        raise UsageError(f"{file} is not a recording: {error}.", hint="`template-sync run --record FILE` writes one.") from None


def read_recording(lines: Iterable[bytes]) -> tuple[RecordedRun, list[RecordedResponse]]:
    """Parse a recording.

    Raises:
        ValueError: it is invalid or of a newer version; the message has the line and the reason.
    """
    run: RecordedRun | None = None
    responses: list[RecordedResponse] = []
    for number, line in enumerate(lines, 1):
        try:
            data = json.loads(line)
            if run is None:
                run = _run(data)
            else:
                responses.append(_response(data))
        except RecursionError:
            raise ValueError(f"line {number} is nested too deeply") from None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            reason = error if isinstance(error, _InvalidLine) else "it is not a line of a recording"
            raise ValueError(f"line {number}: {reason}") from None
    if run is None:
        raise ValueError("it is empty")
    return run, responses


class _InvalidLine(ValueError):
    """An invalid line; the message is printed."""


def _run(data: Any) -> RecordedRun:
    if data["format"] != FORMAT:
        raise _InvalidLine("it has no header of a recording")
    if data["version"] != VERSION:
        raise _InvalidLine("a newer version of this program wrote it")
    settings = {name: str(data["settings"][name]) for name in SETTINGS if name in data["settings"]}
    if not all(map(_NUMBER.fullmatch, settings.values())):  # they are printed as a shell command
        raise _InvalidLine("its settings are not numbers")
    return RecordedRun(str(data["program"]), str(data["started_at"]), settings, int(data["seed"]))


def _response(data: Any) -> RecordedResponse:
    params = {str(name): str(value) for name, value in data["question"].items()}
    headers = {name: str(data["headers"][name]) for name in HEADERS if name in data["headers"]}
    if not all(map(_HEADER.fullmatch, headers.values())):
        raise _InvalidLine("a header has an invalid character")
    status = data["status"]
    if status is not None and (type(status) is not int or status not in _STATUSES):
        raise _InvalidLine("its status is not an HTTP status")
    body = b64decode(data["body_base64"], validate=True) if "body_base64" in data else data["body"].encode()
    return RecordedResponse(params, float(data["at"]), float(data["took"]), status, headers, body, str(data.get("trouble", "")))
