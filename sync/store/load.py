"""What the database holds before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.diff import Previous
from sync.catalog.removals import HeldRemoval, Unconfirmed
from sync.catalog.sync_state import SyncState
from sync.catalog.template import LISTS, SCALARS
from sync.errors import DatabaseError
from sync.run_record import Status
from sync.store.batches import batches, plain_rows
from sync.store.tables import held_removals, sync_runs, sync_state, template_versions, templates, unconfirmed_removals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.template import Document


_COLUMNS = {"template_id", "extra", *SCALARS.values(), *LISTS}


def load_previous(connection: sa.Connection) -> tuple[Previous, SyncState]:
    """Read what is present, by the hash of its bytes, and what runs remember."""
    present = sa.select(templates.c.template_id, templates.c.wire_hash).where(templates.c.removed_at.is_(None))
    known: dict[str, str | None] = dict(plain_rows(connection, present))
    if _written_by_0_1_0(connection):
        known = dict.fromkeys(known)
    state = connection.execute(sa.select(sync_state)).one()
    fields = None if state.wire_fields is None else frozenset(state.wire_fields)
    previous = Previous(known, wire_fields=fields, absent_fields=frozenset(state.absent_fields or ()))
    held = {row.template_id: HeldRemoval(row.runs, row.since_at) for row in connection.execute(sa.select(held_removals))}
    unconfirmed = {
        row.template_id: Unconfirmed(row.reason, row.answered) for row in connection.execute(sa.select(unconfirmed_removals))
    }
    mismatch = state.unreconciled_ids, state.unreconciled_runs, state.unreconciled_since
    return previous, SyncState(held, unconfirmed, *mismatch)


def _written_by_0_1_0(connection: sa.Connection) -> bool:
    """Tell whether the last run that was applied was one of 0.1.0's: its daemon looks at the schema only when it starts.

    It wrote new rows and left the old hashes of bytes beside them: what they name is not what is stored.
    """
    applied = sync_runs.c.status.in_([str(Status.SUCCEEDED), str(Status.HELD), str(Status.INCOMPLETE)])
    return connection.scalar(sa.select(sync_runs.c.version).where(applied).order_by(sync_runs.c.run_id.desc()).limit(1)) is None


def load_documents(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Document]:
    """Read some of the present templates whole."""
    found: dict[str, Document] = {}
    versions = template_versions
    for batch in batches(ids):
        current = sa.and_(versions.c.until_run_id.is_(None), versions.c.template_id.in_(batch))
        query = sa.select(versions.c.template_id, versions.c.document).where(current)
        found |= {row.template_id: _whole(row.template_id, row.document) for row in connection.execute(query)}
    return found


def _whole(template_id: str, written: Any) -> Document:
    """Refuse a document that somebody has changed by hand into none: comparing with it would make things up."""
    if not isinstance(written, dict) or not written.keys() >= _COLUMNS:
        raise DatabaseError(
            f"template_versions holds a document of template {template_id} that is not whole.",
            hint="Restore a backup; nothing was applied.",
        )
    return written


def load_content_hash(connection: sa.Connection, template_id: str) -> str:
    """Read the hash of what one present template means."""
    query = sa.select(templates.c.content_hash).where(templates.c.template_id == template_id)
    return str(connection.execute(query).scalar_one())
