"""How far each webhook endpoint has been told, and who delivers to it: all that is kept beside the feed, which is the outbox.

Each endpoint has a lease of its own, with a fencing token as a run's: one dispatcher at a time, over processes and hosts, so that
messages leave in order; and none that waits for a slow endpoint keeps another from its own.

Go on with an endpoint that was paused or fails, at a person's word.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.feed_chain import Cursor
from sync.errors import CursorLost, DatabaseError, LeaseBusy, LeaseLost, UsageError
from sync.store import lease as leases
from sync.store import process
from sync.store.engine import reading, writing
from sync.store.feed_seq import last_cursor
from sync.store.schema import require_current
from sync.store.tables import sync_state, webhook_endpoints
from sync.webhooks.outbox import steps
from sync.webhooks.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, Row

    from sync.webhooks.endpoints import Endpoint


CLAIM_TTL = 120.0
"""Seconds that a silent dispatcher keeps others out; it speaks after every attempt, and none of those takes half as long."""
_END = sa.select(sync_state.c.last_seq, sync_state.c.last_cursor)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to deliver to one endpoint, and where it stood when that was taken."""

    position: Position
    fence: int


def positions(engine: Engine) -> list[Position]:
    """Read how far every endpoint that was ever delivered to has been told, by name."""
    with reading(engine) as connection:
        require_current(connection)
        end = connection.execute(_END).one()
        rows = connection.execute(sa.select(webhook_endpoints).order_by(webhook_endpoints.c.name)).all()
    return [_position(row, end) for row in rows]


def register(engine: Engine, name: str, *, from_start: bool) -> None:
    """Give a new endpoint its first position: the feed's end, or the beginning of what is kept of it.

    While the feed is empty there is none at its end yet: what fills it first would be told, template by template.
    """
    with writing(engine) as connection:
        leases.current_holder(connection, lock=True)  # so that two hosts do not both do it, and no run appends meanwhile
        if connection.execute(sa.select(webhook_endpoints.c.name).where(webhook_endpoints.c.name == name)).one_or_none():
            return
        end = last_cursor(connection)
        state = connection.execute(sa.select(sync_state)).one()
        if from_start:
            cursor = str(Cursor.start(end.epoch)) if state.oldest_seq == 1 else state.pruned_cursor or str(end)
        elif end.seq:
            cursor = str(end)
        else:
            return
        connection.execute(sa.insert(webhook_endpoints).values(name=name, position=cursor, attempts=0, fence=0, expires=0))


@contextmanager
def claim_endpoint(engine: Engine, name: str) -> Iterator[Claim | None]:
    """Hold the right to deliver to one endpoint; None if somebody else does, or it has no position yet."""
    claim = _claim(engine, name)
    try:
        yield claim
    finally:
        if claim is not None:
            with suppress(DatabaseError), writing(engine) as connection:  # all is written down; the claim ends by itself
                free = {"expires": 0, "holder": None, "process": None}
                connection.execute(sa.update(webhook_endpoints).where(*_same_claim(claim)).values(free))


def save_attempt(engine: Engine, claim: Claim, **values: Any) -> None:
    """Write down what came of an attempt, or how far the feed was looked through; it also prolongs the claim.

    Raises:
        LeaseLost: another dispatcher took over; what it does is right, and this one stops.
    """
    with writing(engine) as connection:
        expires = leases.database_clock(connection) + CLAIM_TTL
        written = connection.execute(sa.update(webhook_endpoints).where(*_same_claim(claim)).values(**values, expires=expires))
        if written.rowcount != 1:
            raise LeaseLost("Another process delivers to this endpoint now.", hint="It continues from the same position.")


def feed_end(engine: Engine) -> str:
    """Read where the feed ends."""
    with writing(engine) as connection:
        leases.current_holder(connection, lock=True)
        return str(last_cursor(connection))


def _claim(engine: Engine, name: str) -> Claim | None:
    with writing(engine) as connection:
        left = (webhook_endpoints.c.expires - leases.database_clock(connection)).label("left")
        query = sa.select(webhook_endpoints, left).where(webhook_endpoints.c.name == name).with_for_update()
        row = connection.execute(query).one_or_none()
        # A term longer than any: the clock was ahead when it was taken.
        if row is None or (0 < row.left <= CLAIM_TTL + 1 and not process.is_dead(row.process)):
            return None
        claim = Claim(_position(row, connection.execute(_END).one()), row.fence + 1)
        taken = {"fence": claim.fence, "holder": process.name(), "process": process.mark()}
        expires = leases.database_clock(connection) + CLAIM_TTL
        connection.execute(sa.update(webhook_endpoints).where(webhook_endpoints.c.name == name).values(**taken, expires=expires))
        return claim


def _same_claim(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    # The holder, too: after a fail-over that lost commits the fence counts the same number for another host.
    mine = webhook_endpoints.c.holder == process.name()
    return webhook_endpoints.c.name == claim.position.name, webhook_endpoints.c.fence == claim.fence, mine


def _position(row: Row[Any], end: Row[Any, Any]) -> Position:
    found = Cursor.parse(row.position)
    behind = max(0, end.last_seq - found.seq) if found else 0
    return Position(
        row.name,
        row.position,
        behind,
        row.position == end.last_cursor,
        row.attempts,
        row.failing_since,
        row.next_attempt_at,
        row.last_attempt_at,
        row.last_status,
        row.last_answer,
        row.paused,
    )


def resume(engine: Engine, endpoint: Endpoint, *, skip: bool = False) -> str:
    """Let an endpoint be tried at once; say what was done.

    Args:
        engine: the database.
        endpoint: which.
        skip: pass over the one message that waits.

    Raises:
        UsageError: it has no position yet.
        LeaseBusy: it is being delivered to.
    """
    if endpoint.name not in {position.name for position in positions(engine)}:
        raise UsageError(
            f"Endpoint {endpoint.name} has no position yet.",
            hint="It gets one at the first delivery while the feed is not empty.",
        )
    with claim_endpoint(engine, endpoint.name) as claim:
        if claim is None:
            raise LeaseBusy(f"A delivery to endpoint {endpoint.name} is active.", hint="Retry in a few seconds.")
        moved, told = _move(engine, endpoint, claim.position.cursor, skip=skip)
        fresh = {"attempts": 0, "failing_since": None, "next_attempt_at": None, "paused": None}
        save_attempt(engine, claim, position=moved, **fresh)
    return told


def _move(engine: Engine, endpoint: Endpoint, cursor: str, *, skip: bool) -> tuple[str, str]:
    """Choose where to go on, and say so."""
    try:
        step = next(steps(engine, endpoint, cursor), None)
    except CursorLost as lost:
        end = feed_end(engine)
        return end, f"{endpoint.name} resumes at the end of the feed ({end}), because its undelivered changes are lost: {lost}"
    waits = step.message if step else None
    if step is None or waits is None:
        return (step.cursor if step else cursor), f"{endpoint.name} resumes; no messages are pending."
    if not skip:
        return cursor, f"{endpoint.name} resumes with {waits.kind} of {waits.about} ({waits.id})."
    return step.cursor, f"{endpoint.name} skips {waits.kind} of {waits.about} ({waits.id}) and resumes after it."
