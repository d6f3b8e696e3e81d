"""The catalog as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import UsageError
from sync.reader.documents import _ordered
from sync.reader.runs import _require_run
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import sync_state, template_changes, template_versions

if TYPE_CHECKING:
    from sync.catalog.template import Document


def versions(engine: sa.Engine, template_id: str) -> list[dict[str, Any]]:
    """Read every version of a template, oldest first."""
    with reading(engine) as connection:
        require_current(connection)
        query = sa.select(template_versions).where(template_versions.c.template_id == template_id)
        found = connection.execute(query.order_by(template_versions.c.from_run_id)).mappings().all()
    return [{**row, "document": _ordered(row["document"])} for row in found]


def catalog_after(engine: sa.Engine, run_id: int) -> dict[str, Document]:
    """Read the catalog as it stood after a run.

    Raises:
        UsageError: there is no such run, or its history is pruned.
    """
    with reading(engine) as connection:
        require_current(connection)
        _require_run(connection, run_id)
        _refuse_pruned(connection, run_id)
        live = sa.and_(
            template_versions.c.from_run_id <= run_id,
            sa.or_(template_versions.c.until_run_id.is_(None), template_versions.c.until_run_id > run_id),
        )
        rows = connection.execute(sa.select(template_versions.c.template_id, template_versions.c.document).where(live)).all()
    return {row.template_id: _ordered(row.document) for row in rows}


def _refuse_pruned(connection: sa.Connection, run_id: int) -> None:
    state = connection.execute(sa.select(sync_state)).one()
    oldest = state.oldest_run_id
    if oldest is None and state.oldest_seq > 1:  # pruned by a version that did not note where the past begins
        oldest = (connection.scalar(sa.select(sa.func.min(template_changes.c.run_id))) or run_id + 2) - 1
    if oldest is not None and run_id < oldest:
        raise UsageError(f"What was before the end of run {oldest} was pruned.", hint="Ask for a later run.")
