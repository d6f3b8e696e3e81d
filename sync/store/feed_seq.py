"""Append changes to the feed: `seq` and cursor of each change, without gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.feed import Cursor, breaking, price_moves
from sync.errors import DatabaseError
from sync.store.bulk import insert_rows
from sync.store.tables import price_changes, sync_state, template_changes
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sync.catalog.diff import Change


def last_cursor(connection: sa.Connection) -> Cursor:
    """Return the cursor of the end of the feed. The caller holds the row of the lease, so nothing is appended meanwhile.

    Raises:
        DatabaseError: the last number and the last cursor disagree.
    """
    state = connection.execute(sa.select(sync_state.c.last_seq, sync_state.c.last_cursor)).one()
    end = Cursor.parse(state.last_cursor or "")
    if end is None or end.seq != state.last_seq:
        raise DatabaseError(
            f"sync_state says that the feed ends at seq {state.last_seq}, but its last cursor is {state.last_cursor}.",
            hint="Restore a backup, or correct last_seq.",
        )
    return end


class Feed:
    """The end of the feed, to which one transaction appends.

    The numbers come from a row that this transaction has locked, because a database sequence leaves gaps.
    """

    def __init__(self, connection: sa.Connection, run_id: int, at: datetime) -> None:
        self._connection = connection
        self._run_id = run_id
        self._at = at
        self._began = self._cursor = last_cursor(connection)

    def append(self, changes: Sequence[tuple[Change, str]]) -> None:
        """Append a batch of changes, each with the content hash of its document."""
        rows = [self._next(change, content_hash) for change, content_hash in changes]
        insert_rows(self._connection, template_changes, rows)
        insert_price_changes(self._connection, rows)

    def close(self) -> None:
        """Store the new end of the feed."""
        if self._cursor != self._began:
            end = {"last_seq": self._cursor.seq, "last_cursor": str(self._cursor)}
            self._connection.execute(sa.update(sync_state).values(end))

    def _next(self, change: Change, document_hash: str) -> dict[str, Any]:
        row = {
            "seq": self._cursor.seq + 1, "run_id": self._run_id, "at": iso(self._at), "template_id": change.template_id,
            "kind": change.kind, "fields": list(change.fields) or None, "evidence": change.evidence,
            "document_hash": document_hash,
        }  # fmt: skip
        self._cursor = self._cursor.after(row)
        return {**row, "at": self._at, "breaking": breaking(change.kind, change.fields), "cursor": str(self._cursor)}


def insert_price_changes(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the price changes that rows of the feed contain."""
    moves = [
        {"seq": row["seq"], "resolution": size, "template_id": row["template_id"], "old_credit": old, "new_credit": new}
        for row in rows
        for size, old, new in price_moves(row["fields"] or ())
    ]
    insert_rows(connection, price_changes, moves)
