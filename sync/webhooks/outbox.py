"""The outbox of each endpoint: its position in the feed, its pending messages, and the lease of the process that delivers them.

The feed is the outbox, so only the position is stored. A lease per endpoint, with a fencing token, keeps messages in order across
processes and hosts, and a slow endpoint delays no other.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.catalog.feed import Cursor
from sync.errors import CursorLost, DatabaseError, LeaseBusy, LeaseLost, UsageError
from sync.reader.feed import changes
from sync.store import lease as leases
from sync.store.engine import reading, writing
from sync.store.feed_seq import last_cursor
from sync.store.schema import require_current
from sync.store.tables import sync_state, webhook_endpoints
from sync.webhooks.endpoints import Position
from sync.webhooks.sign_and_send import message_of_change, message_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Engine, Row

    from sync.webhooks.endpoints import Endpoint
    from sync.webhooks.sign_and_send import Message


BATCH_SIZE = 200
"""Maximum number of changes read at once and sent in one message; each attempt reads the same ones."""
CLAIM_TTL = 120.0
"""Seconds until the claim of a dead process expires; it is renewed after each attempt, which takes less than half of it."""
NO_FAILURE: Mapping[str, Any] = {"attempts": 0, "failing_since": None, "next_attempt_at": None}
"""Columns of an endpoint whose next message was not tried."""
_END = sa.select(sync_state.c.last_seq, sync_state.c.last_cursor)


class Step(NamedTuple):
    """A step through the feed: the cursor after it, and its message; None if no change matches the rules."""

    cursor: str
    message: Message | None


def steps(engine: Engine, endpoint: Endpoint, cursor: str, batch_size: int = BATCH_SIZE) -> Iterator[Step]:
    """Yield the steps from a position to the end of the feed, without an open transaction between two steps.

    Raise CursorLost if the position is not valid in this feed, or changes after it were pruned.
    """
    while batch := changes(engine, since=cursor, limit=batch_size):  # a short batch is not the end: changes may follow
        step = Step(cursor, None)
        for step in _steps_of(endpoint, batch, whole=len(batch) < batch_size):
            if step.message is not None:
                yield step
        if step.message is None:  # changes that do not match are skipped in one step
            yield step
        cursor = step.cursor


def _steps_of(endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool) -> Iterator[Step]:
    """Split a batch into a step for each change, or for each run."""
    if endpoint.per == "change":
        for change in batch:
            yield Step(change["cursor"], message_of_change(change) if endpoint.rules.matches(change) else None)
        return
    runs = [list(group) for _run_id, group in itertools.groupby(batch, key=lambda change: change["run_id"])]
    if not whole and len(runs) > 1:
        runs.pop()  # it may continue after the batch, so the next batch begins with it
    for run in runs:
        cursor = run[-1]["cursor"]
        wanted = [change for change in run if endpoint.rules.matches(change)]
        yield Step(cursor, message_of_run(wanted, run[0]["run_id"], cursor) if wanted else None)


class Claim(NamedTuple):
    """The claim of an endpoint, with the position at that time."""

    position: Position
    fence: int


def positions(engine: Engine) -> list[Position]:
    """Return the position of every endpoint that has one, by name."""
    with reading(engine) as connection:
        require_current(connection)
        end = connection.execute(_END).one()
        rows = connection.execute(sa.select(webhook_endpoints).order_by(webhook_endpoints.c.name)).all()
    return [_position(row, end) for row in rows]


def register(engine: Engine, name: str, *, from_start: bool) -> None:
    """Store the first position of a new endpoint: the end of the feed, or its oldest change.

    With an empty feed there is no end yet; otherwise the first run would be delivered template by template.
    """
    with writing(engine) as connection:
        leases.current_holder(connection, lock=True)  # so that only one host does it, and no run appends meanwhile
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
    """Claim an endpoint for the block; None if another process has it, or it has no position."""
    with writing(engine) as connection:
        left = (webhook_endpoints.c.expires - leases.database_clock(connection)).label("left")
        query = sa.select(webhook_endpoints, left).where(webhook_endpoints.c.name == name).with_for_update()
        row = connection.execute(query).one_or_none()
        claim = None
        # A remaining time above the TTL means that the clock was ahead.
        if row is not None and (not 0 < row.left <= CLAIM_TTL + 1 or leases.is_dead(row.process)):
            claim = Claim(_position(row, connection.execute(_END).one()), row.fence + 1)
            taken = {"fence": claim.fence, "holder": leases.process_name(), "process": leases.process_mark()}
            expires = leases.database_clock(connection) + CLAIM_TTL
            connection.execute(
                sa.update(webhook_endpoints).where(webhook_endpoints.c.name == name).values(**taken, expires=expires)
            )
    try:
        yield claim
    finally:
        if claim is not None:
            with suppress(DatabaseError), writing(engine) as connection:  # otherwise the claim expires
                connection.execute(sa.update(webhook_endpoints).where(*_same_claim(claim)).values(leases.FREE))


def save_attempt(engine: Engine, claim: Claim, **values: Any) -> None:
    """Store the result of an attempt, or a new position, and renew the claim; raise LeaseLost if another process has it."""
    with writing(engine) as connection:
        expires = leases.database_clock(connection) + CLAIM_TTL
        written = connection.execute(sa.update(webhook_endpoints).where(*_same_claim(claim)).values(**values, expires=expires))
        if written.rowcount != 1:
            raise LeaseLost("Another process delivers to this endpoint now.", hint="It continues from the same position.")


def _same_claim(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    # The holder is compared too, because after a failover the same fencing token can be assigned again.
    mine = webhook_endpoints.c.holder == leases.process_name()
    return webhook_endpoints.c.name == claim.position.name, webhook_endpoints.c.fence == claim.fence, mine


def _position(row: Row[Any], end: Row[Any, Any]) -> Position:
    found = Cursor.parse(row.position)
    seq, behind = (found.seq, max(0, end.last_seq - found.seq)) if found else (0, 0)
    stored = {name: getattr(row, name) for name in Position.__slots__ if name in webhook_endpoints.c}
    return Position(cursor=row.position, seq=seq, behind=behind, at_end=row.position == end.last_cursor, **stored)


def resume(engine: Engine, endpoint: Endpoint, *, skip: bool = False) -> str:
    """Make an endpoint due at once, after the next message if `skip`; return a sentence about it."""
    if endpoint.name not in {position.name for position in positions(engine)}:
        raise UsageError(
            f"Endpoint {endpoint.name} has no position yet.",
            hint="It gets one at the first delivery while the feed is not empty.",
        )
    with claim_endpoint(engine, endpoint.name) as claim:
        if claim is None:
            raise LeaseBusy(f"A delivery to endpoint {endpoint.name} is active.", hint="Retry in a few seconds.")
        cursor, text = _resumption(engine, endpoint, claim.position.cursor, skip=skip)
        save_attempt(engine, claim, position=cursor, paused=None, **NO_FAILURE)
    return text


def _resumption(engine: Engine, endpoint: Endpoint, cursor: str, *, skip: bool) -> tuple[str, str]:
    """Return the new position, and a sentence about it."""
    try:
        for step in steps(engine, endpoint, cursor):
            if step.message is not None:
                break
            cursor = step.cursor  # no change up to here matches
        else:
            return cursor, f"{endpoint.name} resumes; no messages are pending."
    except CursorLost as lost:
        with writing(engine) as connection:
            leases.current_holder(connection, lock=True)
            end = str(last_cursor(connection))
        return end, f"{endpoint.name} resumes at the end of the feed ({end}), because its undelivered changes are lost: {lost}"
    message = f"{step.message.kind} of {step.message.about} ({step.message.id})"
    if not skip:
        return cursor, f"{endpoint.name} resumes with {message}."
    return step.cursor, f"{endpoint.name} skips {message} and resumes after it."
