"""Validate a cursor: check that this database has the history that the reader has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.feed_chain import LARGEST_NUMBER, Cursor
from sync.errors import CursorLost, TryLater, UsageError
from sync.store.connecting import is_standby
from sync.store.engine import reading
from sync.store.tables import sync_state, template_changes

if TYPE_CHECKING:
    from collections.abc import Mapping


def validate_cursor(connection: sa.Connection, since: str | int) -> int:
    """Return the `seq` after which the reader continues; read the changes in the same transaction.

    Args:
        connection: in a transaction with one snapshot.
        since: a cursor, or a `seq`, of which only the range is checked.

    Raises:
        UsageError: it is not a cursor.
        CursorLost: it is not of this feed, or changes after it were pruned or lost.
        TryLater: it is ahead of a standby that lags.
    """
    state = dict(connection.execute(sa.select(sync_state)).mappings().one())
    given = parse_position(since)
    if given is None:
        raise UsageError(
            f"{str(since)[:80]!r} is not a cursor of the feed.", hint="`template-sync status` shows the current cursor."
        )
    if given.epoch and given.epoch != state["feed_epoch"]:
        raise _lost(
            state, "other-feed", "The cursor belongs to another feed: this database was created again, or is another one."
        )
    if given.seq > state["last_seq"]:
        if is_standby(connection):
            raise TryLater(
                f"The cursor is ahead of this standby, which has replayed up to seq {state['last_seq']}.",
                hint="Wait until it has caught up, or use its primary.",
            )
        end = f"the feed ends at {state['last_seq']}: the database lost later changes"
        raise _lost(state, "ahead", f"The cursor is at seq {given.seq}, but {end}.")
    if given.seq < state["oldest_seq"] - 1:
        gone = f"changes {given.seq + 1} to {state['oldest_seq'] - 1} were pruned"
        raise _lost(state, "pruned", f"The feed begins at seq {state['oldest_seq']}: {gone}, which the cursor has not passed.")
    if given.epoch and str(given) not in _valid_cursors(connection, state, given.seq):
        diverged = f"The cursor's history differs from that of this database up to seq {given.seq}, as after a restore."
        raise _lost(state, "diverged", diverged)
    return given.seq


def last_cursor(engine: sa.Engine) -> str | None:
    """Return the cursor of the end of the feed."""
    with reading(engine) as connection:
        found: str | None = connection.scalar(sa.select(sync_state.c.last_cursor))
    return found


def parse_position(since: object) -> Cursor | None:
    """Parse a cursor, or a `seq`, which has no epoch; return None if it is neither."""
    if isinstance(since, str) and since.isascii() and since.isdecimal() and len(since) <= len(str(LARGEST_NUMBER)):
        since = int(since)
    if isinstance(since, int) and not isinstance(since, bool):
        return Cursor("", since, "") if 0 <= since <= LARGEST_NUMBER else None
    return Cursor.parse(since) if isinstance(since, str) else None


def _valid_cursors(connection: sa.Connection, state: Mapping[str, Any], seq: int) -> set[str | None]:
    """Return the valid cursors at a position: of its change, and those stored for the start and the end of the feed."""
    found = {connection.scalar(sa.select(template_changes.c.cursor).where(template_changes.c.seq == seq))}
    if seq == state["last_seq"]:
        found.add(state["last_cursor"])
    if seq == state["oldest_seq"] - 1:
        found.add(state["pruned_cursor"])
    if seq == 0:
        found.add(str(Cursor.start(state["feed_epoch"])))
    return found


def _lost(state: Mapping[str, Any], reason: str, message: str) -> CursorLost:
    return CursorLost(
        message, reason=reason, oldest_seq=state["oldest_seq"], last_seq=state["last_seq"], cursor=state["last_cursor"]
    )
