"""The feed's numbers: gap-free, given out inside the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.store.batches import batches, insert_rows
from sync.store.tables import sync_state, template_changes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sync.catalog.diff import Change


def append_to_feed(connection: sa.Connection, changes: Sequence[Change], last_seq: int, run_id: int, at: datetime) -> None:
    """Append to the feed. The numbers come from a row that this transaction holds, not from a sequence: those leave gaps."""
    seq = last_seq
    for batch in batches(changes):
        rows = [
            {
                "seq": seq + place, "run_id": run_id, "at": at, "template_id": change.template_id, "kind": change.kind,
                "fields": list(change.fields) or None, "evidence": change.evidence,
            }
            for place, change in enumerate(batch, 1)
        ]  # fmt: skip
        insert_rows(connection, template_changes, rows)
        seq += len(rows)
    if changes:
        connection.execute(sa.update(sync_state).values(last_seq=seq))
