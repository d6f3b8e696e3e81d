"""One endpoint is told what waits for it, in order, until nothing waits or it says no.

At least once: what was sent is written down after it was taken, so that a process which dies in between sends it again, with the
same id. Nothing here raises for a failure of the endpoint's: that is written down beside its position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.errors import CursorLost
from sync.webhooks import state
from sync.webhooks.outbox import steps
from sync.webhooks.position import GONE, LOST
from sync.webhooks.schedule import is_due, next_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.webhooks.configuration import Armed
    from sync.webhooks.messages import Message
    from sync.webhooks.outbox import Step
    from sync.webhooks.position import Position
    from sync.webhooks.send import Reply
    from sync.webhooks.state import Claim


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of one visit to an endpoint.

    Attributes:
        result: `done`, nothing waits any more; `failed`, this attempt was in vain; `waits`, for its next attempt's time;
            `paused`; `busy`, somebody else delivers; `stopped`, as asked.
        messages: how many were taken.
        error: why the last attempt failed, or why it is paused.
        refused: whether the last attempt was in vain.
    """

    name: str
    result: str
    messages: int = 0
    error: str = ""
    refused: bool = False


def deliver(
    engine: Engine,
    armed: Armed,
    *,
    send: Callable[[Armed, Message, datetime], Reply],
    clock: Callable[[], datetime],
    random: Callable[[], float],
    stopping: Callable[[], bool] = lambda: False,
) -> Delivered:
    """Tell one endpoint all that waits for it.

    Args:
        engine: the database.
        armed: the endpoint.
        send: makes one attempt; never raises for what the endpoint does.
        clock: the wall clock, UTC.
        random: a source of numbers from 0 to 1, for jitter.
        stopping: asked before each message.

    Raises:
        LeaseLost: another deliverer took over.
        DatabaseError: in plain words; what was not written down is sent again.
    """
    name = armed.endpoint.name
    with state.claimed(engine, name) as claim:
        if claim is None:
            return Delivered(name, "busy")
        if claim.position.paused:
            return Delivered(name, "paused", error=claim.position.paused)
        if not is_due(claim.position.next_attempt_at, clock()):
            return Delivered(name, "waits", error=claim.position.last_answer or "")
        try:
            return _tell(engine, armed, claim, send=send, clock=clock, random=random, stopping=stopping)
        except CursorLost as lost:
            state.record(engine, claim, paused=f"{LOST}:{lost.reason}")
            return Delivered(name, "paused", error=str(lost))


def _tell(
    engine: Engine,
    armed: Armed,
    claim: Claim,
    *,
    send: Callable[[Armed, Message, datetime], Reply],
    clock: Callable[[], datetime],
    random: Callable[[], float],
    stopping: Callable[[], bool],
) -> Delivered:
    """Tell what waits, message by message; each is written down before the next one leaves."""
    told = 0
    for step in steps(engine, armed.endpoint, claim.position.cursor):
        if stopping():
            return Delivered(armed.endpoint.name, "stopped", told)
        if step.message is None:
            state.record(engine, claim, position=step.cursor, **_NO_FAILURE)
            continue
        reply = send(armed, step.message, clock())
        before = claim.position if told == 0 else None
        state.record(engine, claim, **_outcome(reply, step, before, clock(), random))
        if not reply.taken:
            return Delivered(armed.endpoint.name, "paused" if reply.gone else "failed", told, reply.in_words, refused=True)
        told += 1
    return Delivered(armed.endpoint.name, "done", told)


_NO_FAILURE: Mapping[str, Any] = {"attempts": 0, "failing_since": None, "next_attempt_at": None}


def _outcome(reply: Reply, step: Step, before: Position | None, now: datetime, random: Callable[[], float]) -> dict[str, Any]:
    """Say what is to be remembered of an attempt; `before` is None once a message was taken in this visit."""
    seen = {"last_attempt_at": now, "last_status": reply.status, "last_answer": reply.said}
    if reply.taken:
        return {**seen, "position": step.cursor, **_NO_FAILURE}
    failures = (before.attempts if before else 0) + 1
    since = (before.failing_since if before else None) or now
    when = next_attempt(failures, slow=reply.slow, asked=reply.asked, now=now, random=random)
    paused = GONE if reply.gone else None
    return {**seen, "attempts": failures, "failing_since": since, "next_attempt_at": when, "paused": paused}
