"""State beside the runs: the end of the feed, the recorded origin of the catalog, and the next run of each host."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.feed import Cursor, breaking, price_moves
from sync.config.addresses import origin_of, require_same_origin
from sync.errors import DatabaseError
from sync.store.bulk import insert_rows
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.lease import block_commits, host_name
from sync.store.schema import reading_current, require_current
from sync.store.tables import planned_runs, price_changes, sync_state, template_changes
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

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


def recorded_origin(engine: Engine) -> str | None:
    """Return the recorded origin; None before the first verified run."""
    with reading_current(engine) as connection:
        return connection.scalar(sa.select(sync_state.c.origin))


def require_origin(engine: Engine, base_url: str) -> None:
    """Refuse a database whose catalog has another origin than a base URL, with OtherOrigin."""
    require_same_origin(recorded_origin(engine), origin_of(base_url))


def accept_origin(engine: Engine, base_url: str) -> str | None:
    """Replace the recorded origin by that of a base URL, and return the old one; a run in progress applies nothing."""

    def write() -> str | None:
        with writing(engine) as connection:
            require_current(connection)
            block_commits(connection)
            before: str | None = connection.scalar(sa.select(sync_state.c.origin))
            connection.execute(sa.update(sync_state).values(origin=origin_of(base_url)))
        return before

    return Retry()(write)


def save_planned_run(engine: Engine, moment: datetime | None) -> None:
    """Store when the next run of this host is due; None deletes the row.

    Each host has a row of its own, so that on a cluster an idle daemon does not conflict with the run of another host. A planned
    run that did not happen for a week is deleted, because its daemon no longer exists.
    """
    me, planned = host_name(), planned_runs.c

    def write() -> None:
        with writing(engine) as connection:
            if moment is None:
                connection.execute(sa.delete(planned_runs).where(planned.host == me))
                return
            mine = sa.update(planned_runs).where(planned.host == me).values(next_run_at=moment)
            if connection.execute(mine).rowcount == 0:
                connection.execute(sa.delete(planned_runs).where(planned.next_run_at < moment - timedelta(days=7)))
                connection.execute(sa.insert(planned_runs).values(host=me, next_run_at=moment))

    Retry()(write)


def read_planned_run(connection: sa.Connection, last_attempt: datetime | None) -> datetime | None:
    """Return when the next run is due: the first planned time of any host after the last attempt, else the last planned time.

    A daemon that was killed leaves its row; that time is soon before the attempts of other hosts.
    """
    planned = [*connection.scalars(sa.select(planned_runs.c.next_run_at))]
    ahead = [each for each in planned if last_attempt is None or each >= last_attempt]
    return min(ahead) if ahead else max(planned, default=None)
