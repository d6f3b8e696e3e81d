"""PURE. How far an endpoint has been told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.catalog.feed_chain import Cursor

if TYPE_CHECKING:
    from datetime import datetime

GONE = "gone"
"""Paused because the endpoint said 410: it wants to hear no more."""
LOST = "lost"
"""Paused because the feed no longer has what the endpoint has yet to hear; a colon and the reason follow, as in CursorLost."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far one endpoint has been told, and how its last attempt went.

    Attributes:
        cursor: it has been told everything up to here that it wants to hear.
        behind: changes in the feed after that; how many of those it wants is not known before they are looked at.
        at_end: whether nothing waits; one that is not behind may still stand in another past than this feed's.
        attempts: in vain, of the next message.
        failing_since: when the first of those was.
        next_attempt_at: when the next one is due; None is at once.
        last_status: of the last answer; None if none came.
        last_answer: what it said, or why none came.
        paused: `gone`, or `lost:` and a reason; None if it is not.
    """

    name: str
    cursor: str
    behind: int
    at_end: bool
    attempts: int
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_answer: str | None
    paused: str | None

    @property
    def seq(self) -> int:
        """The number of the last change that it has been told of, or did not want to hear of."""
        found = Cursor.read(self.cursor)
        return found.seq if found else 0
