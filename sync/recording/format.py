"""PURE. The form of a recording: a line for the run, then one for each answer; docs/operations.md describes it."""

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
"""Of a whole recording; a catalog of 280 templates takes 0.3 MB."""
HEADERS = ("content-type", "content-encoding", "content-length", "date", "location", "retry-after", "server")
"""The ones that matter: those that a run reads, and those that tell who answered. Cookies are not among them."""
_HEADER = re.compile(r"[^\x00\r\n\x0b\x0c\u0100-\U0010ffff]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_STATUSES = range(200, 1000)
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?")
SETTINGS = ("page_size", "concurrency", "max_removed")
"""Those that decide what is asked."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What a run was that was recorded.

    Attributes:
        program: the version that recorded it.
        started_at: ISO 8601, UTC.
        settings: the SETTINGS, each a number.
        seed: of its dice, which choose the controls of look-ups.
    """

    program: str
    started_at: str
    settings: dict[str, str]
    seed: int


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """One question and what came.

    Attributes:
        question: the query's names and values.
        at: seconds from the recording's begin to the question.
        took: seconds from the question to the end of the answer.
        status: of HTTP; None if nothing came.
        headers: the ones that matter, by lower-case name.
        body: decompressed. One that is no text is left out of the file, which says how many bytes it had.
        trouble: why it is not whole, one phrase; empty if it is.
    """

    params: dict[str, str]
    at: float = 0.0
    took: float = 0.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: str = ""


def first_line(run: RecordedRun) -> str:
    """Write the line that says what the file is."""
    said = {"program": run.program, "started_at": run.started_at, "settings": run.settings, "seed": run.seed}
    return json_text({"format": FORMAT, "version": VERSION, **said})


def line_of(answer: RecordedResponse, redact: Callable[[str], str]) -> str:
    """Write an answer as one line, in whose every text secrets are hidden: a server may quote the key, however spelt."""
    text = redact(answer.body.decode("utf-8", "surrogateescape"))
    body: dict[str, Any]
    if _may_hide_anything(answer.body):
        body = {"body": "", "left_out": len(answer.body)}
    elif _is_utf_8(text):
        body = {"body": text}
    else:
        body = {"body_base64": b64encode(text.encode("utf-8", "surrogateescape")).decode()}
    said = {
        "question": {redact(name): redact(value) for name, value in answer.params.items()},
        "at": round(answer.at, 4),
        "took": round(answer.took, 4),
        "status": answer.status,
        "headers": {name: redact(value) for name, value in answer.headers.items()},
        **body,
    }
    return json_text(said | ({"trouble": answer.trouble} if answer.trouble else {}))


def _may_hide_anything(body: bytes) -> bool:
    """Tell whether it is no text, as what was compressed twice or written in UTF-16 is not: a key in it would not be seen."""
    return b"\0" in body or (_CONTROL.search(body) is not None and not _is_utf_8(body.decode("utf-8", "surrogateescape")))


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_recording(lines: Iterable[bytes]) -> tuple[RecordedRun, list[RecordedResponse]]:
    """Read a recording.

    Raises:
        ValueError: it is none, or of a later version; says in which line and why.
    """
    run: RecordedRun | None = None
    answers: list[RecordedResponse] = []
    for number, line in enumerate(lines, 1):
        try:
            said = json.loads(line)
            if run is None:
                run = _run(said)
            else:
                answers.append(_answer(said))
        except RecursionError:
            raise ValueError(f"line {number} is nested too deeply") from None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            reason = error if isinstance(error, _Odd) else "it is not a line of a recording"
            raise ValueError(f"line {number}: {reason}") from None
    if run is None:
        raise ValueError("it is empty")
    return run, answers


class _Odd(ValueError):
    """Says in words of ours what is wrong with a line."""


def _run(said: Any) -> RecordedRun:
    if said["format"] != FORMAT:
        raise _Odd("it has no header of a recording")
    if said["version"] != VERSION:
        raise _Odd("a newer version of this program wrote it")
    settings = {name: str(said["settings"][name]) for name in SETTINGS if name in said["settings"]}
    if not all(map(_NUMBER.fullmatch, settings.values())):  # they are shown as a line for a shell
        raise _Odd("its settings are not numbers")
    return RecordedRun(str(said["program"]), str(said["started_at"]), settings, int(said["seed"]))


def _answer(said: Any) -> RecordedResponse:
    params = {str(name): str(value) for name, value in said["question"].items()}
    headers = {name: str(said["headers"][name]) for name in HEADERS if name in said["headers"]}
    if not all(map(_HEADER.fullmatch, headers.values())):
        raise _Odd("a header holds a character that none may hold")
    status = said["status"]
    if status is not None and (type(status) is not int or status not in _STATUSES):
        raise _Odd("its status is none of HTTP")
    body = b64decode(said["body_base64"], validate=True) if "body_base64" in said else said["body"].encode()
    return RecordedResponse(params, float(said["at"]), float(said["took"]), status, headers, body, str(said.get("trouble", "")))
