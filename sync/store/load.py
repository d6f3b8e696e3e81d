"""Load the state before a run: wire hashes, held and unconfirmed removals, and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.parsing import complete_document
from sync.catalog.removals import HeldRemoval, SyncState, Unconfirmed
from sync.errors import DatabaseError
from sync.store.bulk import batches
from sync.store.tables import held_removals, sync_state, template_versions, templates, unconfirmed_removals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.document import Document


def load_previous(connection: sa.Connection) -> tuple[dict[str, str | None], SyncState]:
    """Return the wire hash of each present template by its id, and the state that runs keep."""
    present = sa.select(templates.c.template_id, templates.c.wire_hash).where(templates.c.removed_at.is_(None))
    stored: dict[str, str | None] = dict(map(tuple, connection.execute(present)))
    state = connection.execute(sa.select(sync_state)).one()
    held = {row.template_id: HeldRemoval(row.runs, row.since_at) for row in connection.execute(sa.select(held_removals))}
    unconfirmed = {
        row.template_id: Unconfirmed(row.reason, row.answered) for row in connection.execute(sa.select(unconfirmed_removals))
    }
    mismatch = state.unreconciled_ids, state.unreconciled_runs, state.unreconciled_since
    return stored, SyncState(held, unconfirmed, *mismatch, state.origin)


def load_documents(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Document]:
    """Return the documents of some present templates, by id."""
    found: dict[str, Document] = {}
    versions = template_versions
    for batch in batches(ids):
        current = sa.and_(versions.c.until_run_id.is_(None), versions.c.template_id.in_(batch))
        query = sa.select(versions.c.template_id, versions.c.document).where(current)
        found |= {row.template_id: _complete(row.template_id, row.document) for row in connection.execute(query)}
    return found


def _complete(template_id: str, written: Any) -> Document:
    """Return a document; refuse one that was modified by hand, because a comparison with it would report false changes."""
    document = complete_document(written)
    if document is None:
        raise DatabaseError(
            f"template_versions holds an incomplete document of template {template_id}.",
            hint="Restore a backup; nothing was applied.",
        )
    return document
