"""The responses of the API: its envelope, its errors, its pages and look-ups; and faults on demand."""

from __future__ import annotations

import re
import sys
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sync.sandbox.catalog import Record

ERRORS = {
    401: "Authentication credentials are missing or invalid",
    402: "The account has insufficient credits",
    404: "The requested resource or endpoint does not exist",
    422: "The request parameters failed validation checks",
    429: "The rate limit was exceeded",
    455: "The service is under maintenance",
    500: "The server encountered an internal error",
    501: "The generation failed",
    505: "The feature is disabled",
}
"""The documented codes; the messages are not documented."""


def envelope(code: int, message: str, **more: Any) -> dict[str, Any]:
    """Return a response; `more` are its keys beside code and message."""
    return {"code": code, "message": message, **more}


def success(data: dict[str, Any]) -> dict[str, Any]:
    """Return a response with data."""
    return envelope(200, "success", data=data)


def error(code: int, errors: Sequence[str] = ()) -> dict[str, Any]:
    """Return the response of a documented error; `errors` are sentences."""
    return envelope(code, ERRORS[code], **({"errors": list(errors)} if errors else {}))


def list_templates(catalog: Sequence[Record], query: Mapping[str, str], *, short: bool = False) -> dict[str, Any]:
    """Return the response, which may be an error, to a query with a valid key; `short` leaves out the last template of a page."""
    if wanted := query.get("template_id"):
        found = [record for record in catalog if record.get("TemplateId") == wanted][:1]
        return success({"total": len(found), "templates": found})
    page = _number(query.get("page", "1"))
    size = _number(query.get("page_size", "20"), most=50)
    if page is None or size is None:
        errors = ["page: must be an integer, 1 or more"] * (page is None)
        return error(422, errors + ["page_size: must be an integer from 1 to 50"] * (size is None))
    found = list(catalog[(page - 1) * size : page * size])
    return success({"total": len(catalog), "templates": found[:-1] if short else found})


def _number(text: str, most: int = sys.maxsize) -> int | None:
    # int() alone accepts "1_0" and " 1", and is slow for a million digits.
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) and 1 <= int(text) <= most else None


SHORT, FAILED = "short", "failed"
"""A page without its last template; a task that is accepted and fails."""
CODES = tuple(map(str, ERRORS))
"""Error responses, by their code."""


class Fault(NamedTuple):
    """A kind of fault, and the number of requests that it applies to; None: all."""

    kind: str
    requests: int | None = None

    def __str__(self) -> str:
        return self.kind if self.requests is None else f"{self.kind}:{self.requests}"


def parse_faults(text: str) -> list[Fault]:
    """Parse a list such as `429:3,short`; an empty text is an empty list.

    Raises:
        ValueError: it is invalid; the message says what is expected.
    """
    faults = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([a-z0-9]+)(?::([1-9][0-9]{0,8}))?", each)
        if match is None or match[1] not in (*CODES, SHORT, FAILED):
            raise ValueError(f"KIND or KIND:COUNT, such as 429:3, where KIND is {', '.join(CODES)}, {SHORT} or {FAILED}")
        faults.append(Fault(match[1], int(match[2]) if match[2] else None))
    return faults


class Faults:
    """The faults that are left. A request takes the first one that applies to it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._left = list(faults)
        self._changing = Lock()

    def answer(self, body: bytes | None) -> dict[str, Any]:
        """Return the response to a request that replaces the faults by those in its body; None: the body cannot be read."""
        try:
            faults = parse_faults("unknown" if body is None else body.decode("utf-8", "replace"))
        except ValueError as expected:
            return error(422, [f"the body: expected a list of {expected}"])
        with self._changing:
            self._left = faults
        return {"faults": self.as_json()}

    def take(self, *kinds: str) -> str | None:
        """Return the kind of the first fault that is one of `kinds`, and count it down; None if there is none."""
        with self._changing:
            for place, (kind, left) in enumerate(self._left):
                if kind in kinds:
                    if left is not None:
                        self._left[place : place + 1] = [Fault(kind, left - 1)] if left > 1 else []
                    return kind
        return None

    def as_json(self) -> list[str]:
        """Return what is left, each in the form that `parse_faults` takes."""
        with self._changing:
            return [str(fault) for fault in self._left]
