"""PURE. How far an endpoint has been told.

When a message that was not taken is tried again: soon, then ever more slowly, then once a day for ever.

Nothing is dropped: the feed is kept, so a receiver that comes back after a month gets everything, in order. Waits are stretched
by up to a tenth, so that many endpoints behind one broken server do not come back in step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.catalog.feed_chain import Cursor
from sync.retry_policy import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
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
        found = Cursor.parse(self.cursor)
        return found.seq if found else 0


_HOUR = 3600.0
POLICY = RetryPolicy(
    waits=(5.0, 300.0, 1800.0, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
    jitter=(1.0, 1.1),
    longest_asked=24 * _HOUR,
)
"""How deliveries are retried: for ever, at last once a day."""
SLOW_DOWN = 60.0
"""Seconds at least, behind a server that is overloaded or hangs."""
OVERLOADED = frozenset({429, 502, 503, 504})
_MAX_WAIT = POLICY.waits[-1] * POLICY.jitter[1] + 1  # seconds
FAILING_AFTER = timedelta(hours=1)
"""Failures for longer than this are worth a person's look."""


def next_attempt(failures: int, *, slow: bool, retry_after: float | None, now: datetime, random: Callable[[], float]) -> datetime:
    """Choose when to try again.

    Args:
        failures: of this message in a row, this one included.
        slow: whether the server is overloaded, or did not answer in time.
        retry_after: seconds that the answer retry_after us to wait.
        now: the time.
        random: a source of numbers from 0 to 1.
    """
    least = max(SLOW_DOWN if slow else 0.0, min(retry_after or 0.0, POLICY.longest_asked))
    return now + timedelta(seconds=POLICY.wait(failures, random, at_least=least) or 0.0)


def is_due(moment: datetime | None, now: datetime) -> bool:
    """Whether it is time. A time further ahead than any wait says that the clock was ahead when it was written."""
    return moment is None or moment <= now or moment - now > timedelta(seconds=_MAX_WAIT)
