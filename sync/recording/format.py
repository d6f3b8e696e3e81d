"""PURE. The format of recordings: one line for the run, then one per response, see docs/operations.md."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sync.text import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FORMAT = "template-sync-recording"
VERSION = 1
MOST_BYTES = 256 * 2**20
"""Bytes of a recording; a catalog of 280 templates takes 0.3 MB."""
HEADERS = ("content-type", "content-encoding", "content-length", "date", "location", "retry-after", "server")
"""Recorded headers: those that a run reads, and those that identify the server. Cookies are excluded."""
_HEADER = re.compile(r"[^\x00\r\n\x0b\x0c\u0100-\U0010ffff]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_STATUSES = range(200, 1000)
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?")
SETTINGS = ("page_size", "concurrency", "max_removed", "hold")
"""Settings that determine the requests and the decisions."""


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


def first_line(run: RecordedRun) -> str:
    """Return the header line of the file."""
    data = {"program": run.program, "started_at": run.started_at, "settings": run.settings, "seed": run.seed}
    return json_text({"format": FORMAT, "version": VERSION, **data})


def line_of(response: RecordedResponse, redact: Callable[[str], str]) -> str:
    """Return a response as one line, with secrets removed from every string, because a server may echo the key."""
    text = redact(response.body.decode("utf-8", "surrogateescape"))
    body: dict[str, Any]
    if _is_binary(response.body):
        body = {"body": "", "left_out": len(response.body)}
    elif _is_utf_8(text):
        body = {"body": text}
    else:
        body = {"body_base64": b64encode(text.encode("utf-8", "surrogateescape")).decode()}
    data = {
        "question": {redact(name): redact(value) for name, value in response.params.items()},
        "at": round(response.at, 4),
        "took": round(response.took, 4),
        "status": response.status,
        "headers": {name: redact(value) for name, value in response.headers.items()},
        **body,
    }
    return json_text(data | ({"trouble": response.trouble} if response.trouble else {}))


def _is_binary(body: bytes) -> bool:
    """Return whether a body is binary (compressed twice, UTF-16), so that a key in it would not be found."""
    return b"\0" in body or (_CONTROL.search(body) is not None and not _is_utf_8(body.decode("utf-8", "surrogateescape")))


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
        raise _InvalidLine("a header holds a character that none may hold")
    status = data["status"]
    if status is not None and (type(status) is not int or status not in _STATUSES):
        raise _InvalidLine("its status is none of HTTP")
    body = b64decode(data["body_base64"], validate=True) if "body_base64" in data else data["body"].encode()
    return RecordedResponse(params, float(data["at"]), float(data["took"]), status, headers, body, str(data.get("trouble", "")))
