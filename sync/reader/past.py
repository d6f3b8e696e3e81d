"""The catalog as it was after a run, told from the versions: whole documents, so what is wanted is chosen from them here.

A version begins with a change. What is not a change (a new signature in a URL, another order of tags) is written into the version
that is open, so the past has it as it was last stored.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.page_order import place, sort_key
from sync.catalog.selection import matches
from sync.errors import DatabaseError, Pruned
from sync.reader.documents import _ordered
from sync.reader.stored import Stored
from sync.store.bulk import batches
from sync.store.tables import template_changes, template_versions, templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sync.catalog.selection import Selection
    from sync.catalog.template import Document

_OPENED = template_changes.alias("opened")
_VERSIONS = (
    sa.select(
        template_versions.c.template_id,
        template_versions.c.content_hash,
        template_versions.c.from_run_id,
        template_versions.c.until_run_id,
        _OPENED.c.at.label("opened_at"),
        templates.c.first_seen_at,
        templates.c.first_seen_run_id,
        templates.c.changed_at,
        templates.c.changed_run_id,
    )
    .select_from(template_versions)
    .join(templates, templates.c.template_id == template_versions.c.template_id)
    .outerjoin(
        _OPENED,
        sa.and_(_OPENED.c.run_id == template_versions.c.from_run_id, _OPENED.c.template_id == template_versions.c.template_id),
    )
)
_WHOLE = _VERSIONS.add_columns(template_versions.c.document)


def select_past(connection: sa.Connection, wanted: Selection, run_id: int) -> list[Stored]:
    """Read the templates that were present after a run and are wanted, in their order."""
    rows = (row for row in connection.execute(_WHOLE.where(_live(run_id))) if matches(row.document, wanted))
    placed = sorted(((sort_key(place(row.document, wanted.order)), row) for row in rows), key=itemgetter(0))
    if wanted.after is not None:
        start = sort_key(wanted.after)
        placed = [(key, row) for key, row in placed if key > start]
    return [_as_it_was(row, _ordered(row.document)) for _key, row in placed[: wanted.limit]]


def live_after(connection: sa.Connection, run_id: int, *, but_not_after: int) -> Iterator[Stored]:
    """Read what was present after a run and was not, or was not the same, after the other one; in no order."""
    only_then = _WHOLE.where(_live(run_id), ~_live(but_not_after))
    return (_as_it_was(row, _ordered(row.document)) for row in connection.execute(only_then))


def _live(run_id: int) -> sa.ColumnElement[bool]:
    until = template_versions.c.until_run_id
    return sa.and_(template_versions.c.from_run_id <= run_id, sa.or_(until.is_(None), until > run_id))


def select_one_of_then(connection: sa.Connection, template_id: str, run_id: int) -> Stored | None:
    """Read one template as it was after a run, present or removed by then; None if it had not been seen yet.

    Raises:
        Pruned: it had been seen and was gone, and what it had been is no longer kept.
    """
    versions = template_versions.c
    newest = _WHOLE.where(versions.template_id == template_id, versions.from_run_id <= run_id)
    row = connection.execute(newest.order_by(versions.from_run_id.desc()).limit(1)).one_or_none()
    if row is None:
        first = connection.scalar(sa.select(templates.c.first_seen_run_id).where(templates.c.template_id == template_id))
        if first is not None and first <= run_id:
            raise Pruned(f"The history of template {template_id!r} before run {run_id} was pruned.", hint="Use a later run.")
        return None
    if row.until_run_id is None or row.until_run_id > run_id:
        return _as_it_was(row, _ordered(row.document))
    at = sa.select(template_changes.c.at).where(
        template_changes.c.template_id == template_id, template_changes.c.run_id == row.until_run_id
    )
    removed: datetime = connection.scalar(at) or row.changed_at  # where that is pruned, it was the last change of all
    return _as_it_was(row, _ordered(row.document), removed)


def stored_at(connection: sa.Connection, changes: Sequence[Mapping[str, Any]]) -> Iterator[Stored]:
    """Tell, for each change of the feed, of the template after it; of a removed one, before it."""
    runs = [change["run_id"] for change in changes] or [0]
    first, last = min(runs), max(runs)
    versions = template_versions.c
    near = sa.or_(versions.from_run_id.between(first, last), versions.until_run_id.between(first, last))
    began: dict[tuple[str, int], Any] = {}
    ended: dict[tuple[str, int], Any] = {}
    for batch in batches(sorted({change["template_id"] for change in changes})):
        for version in connection.execute(_VERSIONS.where(versions.template_id.in_(batch), near)):
            began[version.template_id, version.from_run_id] = version
            ended[version.template_id, version.until_run_id] = version
    for change in changes:
        side, document = (ended, change["before"]) if change["kind"] == "removed" else (began, change["document"])
        row = side.get((change["template_id"], change["run_id"]))
        if row is None or document is None:
            raise DatabaseError(f"The document of change {change['seq']} is missing.", hint="Restore a backup.")
        yield _as_it_was(row, document)


def _as_it_was(row: Any, document: Document, removed: datetime | None = None) -> Stored:
    """Tell a version's moments. One that a pruned run opened has the first that is known for certain: it was there by then."""
    opened: datetime = row.opened_at or (row.changed_at if row.changed_run_id == row.from_run_id else row.first_seen_at)
    return Stored(
        document,
        row.content_hash,
        row.first_seen_at,
        removed or opened,
        removed,
        row.first_seen_run_id,
        row.from_run_id if removed is None else row.until_run_id,
        None if removed is None else row.until_run_id,
    )
