"""Faults on demand: which of the next requests get an error or a short page, and which tasks fail."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.sandbox.responses import ERRORS, error

if TYPE_CHECKING:
    from collections.abc import Iterable

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
