"""The outbox of each endpoint: its position in the feed, its pending messages, and the lease of the process that delivers them.

The feed is the outbox, so only the position is stored. A lease per endpoint, with a fencing token, keeps messages in order across
processes and hosts, and a slow endpoint delays no other.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.catalog.feed_chain import Cursor
from sync.errors import CursorLost, DatabaseError, LeaseBusy, LeaseLost, UsageError
from sync.reader.feed import changes
from sync.store import lease as leases
from sync.store import process
from sync.store.engine import reading, writing
from sync.store.feed_seq import last_cursor
from sync.store.schema import require_current
from sync.store.tables import sync_state, webhook_endpoints
from sync.webhooks.position import Position
from sync.webhooks.sign_and_send import message_of_change, message_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, Row

    from sync.webhooks.endpoints import Endpoint
    from sync.webhooks.sign_and_send import Message


BATCH_SIZE = 200
"""Maximum number of changes read at once and sent in one message; each attempt reads the same ones."""


class Step(NamedTuple):
    """A step through the feed: the cursor after it, and its message; None if no change matches the rules."""

    cursor: str
    message: Message | None


def steps(engine: Engine, endpoint: Endpoint, cursor: str, batch_size: int = BATCH_SIZE) -> Iterator[Step]:
    """Yield the steps from a position to the end of the feed, without an open transaction between two steps.

    Raises:
        CursorLost: the position is not valid in this feed, or changes after it were pruned.
    """
    while True:
        batch = changes(engine, since=cursor, limit=batch_size)
        step = None
        for step in _batch_steps(endpoint, batch, whole=len(batch) < batch_size):
            yield step
        if step is None:  # a short batch is not the end, because changes may have been added meanwhile
            return
        cursor = step.cursor


def _batch_steps(endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool) -> Iterator[Step]:
    passed: Step | None = None
    for part, message in _messages(endpoint, batch, whole=whole):
        passed = Step(part[-1]["cursor"], message)
        if message is not None:
            yield passed
            passed = None
    if passed is not None:  # changes that do not match are skipped in one step
        yield passed


def _messages(
    endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool
) -> Iterator[tuple[list[dict[str, Any]], Message | None]]:
    """Split a batch into the changes of each message: one change, or those of a run."""
    if endpoint.per == "change":
        for change in batch:
            yield [change], message_of_change(change) if endpoint.rules.matches(change) else None
        return
    runs = [list(group) for _run_id, group in itertools.groupby(batch, key=lambda change: change["run_id"])]
    if not whole and len(runs) > 1:
        runs.pop()  # it may continue after the batch, so the next batch begins with it
    for run in runs:
        wanted = [change for change in run if endpoint.rules.matches(change)]
        yield run, message_of_run(wanted, run[0]["run_id"], run[-1]["cursor"]) if wanted else None


CLAIM_TTL = 120.0
"""Seconds until the claim of a dead process expires; it is renewed after each attempt, which takes less than half of it."""
_END = sa.select(sync_state.c.last_seq, sync_state.c.last_cursor)


@dataclass(frozen=True, slots=True)
class Claim:
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
    claim = _claim(engine, name)
    try:
        yield claim
    finally:
        if claim is not None:
            with suppress(DatabaseError), writing(engine) as connection:  # otherwise the claim expires
                free = {"expires": 0, "holder": None, "process": None}
                connection.execute(sa.update(webhook_endpoints).where(*_same_claim(claim)).values(free))


def save_attempt(engine: Engine, claim: Claim, **values: Any) -> None:
    """Store the result of an attempt, or a new position, and renew the claim.

    Raises:
        LeaseLost: another process claimed the endpoint.
    """
    with writing(engine) as connection:
        expires = leases.database_clock(connection) + CLAIM_TTL
        written = connection.execute(sa.update(webhook_endpoints).where(*_same_claim(claim)).values(**values, expires=expires))
        if written.rowcount != 1:
            raise LeaseLost("Another process delivers to this endpoint now.", hint="It continues from the same position.")


def feed_end(engine: Engine) -> str:
    """Return the cursor of the end of the feed."""
    with writing(engine) as connection:
        leases.current_holder(connection, lock=True)
        return str(last_cursor(connection))


def _claim(engine: Engine, name: str) -> Claim | None:
    with writing(engine) as connection:
        left = (webhook_endpoints.c.expires - leases.database_clock(connection)).label("left")
        query = sa.select(webhook_endpoints, left).where(webhook_endpoints.c.name == name).with_for_update()
        row = connection.execute(query).one_or_none()
        # A remaining time above the TTL means that the clock was ahead.
        if row is None or (0 < row.left <= CLAIM_TTL + 1 and not process.is_dead(row.process)):
            return None
        claim = Claim(_position(row, connection.execute(_END).one()), row.fence + 1)
        taken = {"fence": claim.fence, "holder": process.name(), "process": process.mark()}
        expires = leases.database_clock(connection) + CLAIM_TTL
        connection.execute(sa.update(webhook_endpoints).where(webhook_endpoints.c.name == name).values(**taken, expires=expires))
        return claim


def _same_claim(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    # The holder is compared too, because after a failover the same fencing token can be assigned again.
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
    """Make an endpoint due at once; return a sentence about it.

    Args:
        engine: the database.
        endpoint: the endpoint.
        skip: skip the next message.

    Raises:
        UsageError: it has no position yet.
        LeaseBusy: a delivery is active.
    """
    if endpoint.name not in {position.name for position in positions(engine)}:
        raise UsageError(
            f"Endpoint {endpoint.name} has no position yet.",
            hint="It gets one at the first delivery while the feed is not empty.",
        )
    with claim_endpoint(engine, endpoint.name) as claim:
        if claim is None:
            raise LeaseBusy(f"A delivery to endpoint {endpoint.name} is active.", hint="Retry in a few seconds.")
        cursor, text = _move(engine, endpoint, claim.position.cursor, skip=skip)
        fresh = {"attempts": 0, "failing_since": None, "next_attempt_at": None, "paused": None}
        save_attempt(engine, claim, position=cursor, **fresh)
    return text


def _move(engine: Engine, endpoint: Endpoint, cursor: str, *, skip: bool) -> tuple[str, str]:
    """Return the new position, and a sentence about it."""
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
