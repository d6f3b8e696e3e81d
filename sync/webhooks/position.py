"""PURE. The position of an endpoint in the feed, and the wait before the next attempt: from seconds to one day, forever.

No message is dropped. Waits have jitter, so that endpoints behind one broken server are not retried together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sync.catalog.feed_chain import Cursor
from sync.retry_policy import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


GONE = "gone"
"""Paused because the endpoint answered 410."""
LOST = "lost"
"""Paused because undelivered changes are no longer in the feed; followed by a colon and the reason of CursorLost."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of one endpoint, and its last attempt.

    Attributes:
        cursor: all matching changes up to it were delivered.
        behind: number of changes after it, matching or not.
        at_end: whether no changes are pending; a cursor of a lost history can be at no distance and not at the end.
        attempts: failed attempts of the next message.
        failing_since: time of the first of them.
        next_attempt_at: when the next one is due; None: at once.
        last_status: status of the last response; None without one.
        last_answer: the response, or why there was none.
        paused: `gone`, or `lost:` and a reason; None if not paused.
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
        """The number of the last delivered or skipped change."""
        found = Cursor.parse(self.cursor)
        return found.seq if found else 0


_HOUR = 3600.0
POLICY = RetryPolicy(
    waits=(5.0, 300.0, 1800.0, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
    jitter=(1.0, 1.1),
    longest_asked=24 * _HOUR,
)
"""Retries of deliveries: without end, at last once a day."""
SLOW_DOWN = 60.0
"""Minimum wait in seconds if the server is overloaded or timed out."""
OVERLOADED = frozenset({429, 502, 503, 504})
_MAX_WAIT = POLICY.waits[-1] * POLICY.jitter[1] + 1  # seconds
FAILING_AFTER = timedelta(hours=1)
"""Failures for longer than this are reported."""


def next_attempt(failures: int, *, slow: bool, retry_after: float | None, now: datetime, random: Callable[[], float]) -> datetime:
    """Return the time of the next attempt after the n-th consecutive failure of a message.

    Args:
        failures: their number.
        slow: whether the server is overloaded, or timed out.
        retry_after: seconds that the response requires.
        now: the time.
        random: returns a number from 0 to 1.
    """
    least = max(SLOW_DOWN if slow else 0.0, min(retry_after or 0.0, POLICY.longest_asked))
    return now + timedelta(seconds=POLICY.wait(failures, random, at_least=least) or 0.0)


def is_due(moment: datetime | None, now: datetime) -> bool:
    """Return whether a time has come; one further ahead than any wait was stored by a clock that was ahead."""
    return moment is None or moment <= now or moment - now > timedelta(seconds=_MAX_WAIT)
