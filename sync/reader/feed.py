"""The feed, as readers ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import UsageError
from sync.reader.documents import _ordered, _sorted
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import held_removals, sync_state, template_changes, template_versions
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_TOLD = ("field", "old", "new", "gained", "lost", "absent")


_VERSION_OF_CHANGE = sa.and_(
    template_versions.c.template_id == template_changes.c.template_id,
    template_versions.c.from_run_id == template_changes.c.run_id,
    template_changes.c.kind != "removed",
)


def changes(
    engine: sa.Engine,
    *,
    since: int | None = None,
    run_id: int | None = None,
    template_id: str | None = None,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """Read the feed, oldest first: every change with the document after it; for a removal, the last one before it.

    Args:
        engine: the database.
        since: only changes with a `seq` above this one.
        run_id: only this run's.
        template_id: only this template's.
        most: only so many, the newest.

    Raises:
        UsageError: the feed no longer reaches back to `since`.
    """
    with reading(engine) as connection:
        require_current(connection)
        if since is not None:
            _refuse_pruned(connection, since)
        wanted = [
            column == value
            for column, value in ((template_changes.c.run_id, run_id), (template_changes.c.template_id, template_id))
            if value is not None
        ]
        if since is not None:
            wanted.append(template_changes.c.seq > since)
        query = sa.select(template_changes, template_versions.c.document).outerjoin(template_versions, _VERSION_OF_CHANGE)
        query = query.where(*wanted).order_by(template_changes.c.seq.desc()).limit(most)
        found = [dict(row) for row in connection.execute(query).mappings()]
        _add_last_documents(connection, [row for row in found if row["kind"] == "removed"])
    return [_change(row) for row in reversed(found)]


def pending(engine: sa.Engine) -> list[dict[str, Any]]:
    """Read the removals that are held: id, since which run, how many runs agree, and the document."""
    with reading(engine) as connection:
        require_current(connection)
        query = (
            sa.select(held_removals, template_versions.c.document)
            .join(template_versions, template_versions.c.template_id == held_removals.c.template_id)
            .where(template_versions.c.until_run_id.is_(None))
            .order_by(held_removals.c.template_id)
        )
        return [{**row, "document": _ordered(row["document"])} for row in connection.execute(query).mappings()]


def _refuse_pruned(connection: sa.Connection, since: int) -> None:
    oldest = connection.scalar(sa.select(sync_state.c.oldest_seq)) or 1
    if since + 1 < oldest:
        raise UsageError(
            f"The feed begins at seq {oldest}: changes {since + 1} to {oldest - 1} were pruned.",
            hint=f"Start anew from `template-sync export`, then go on with --since {oldest - 1} or later.",
        )


def _add_last_documents(connection: sa.Connection, removed: Sequence[dict[str, Any]]) -> None:
    """Add to removals the document that the template had until then, for its title."""
    for row in removed:
        last = sa.select(template_versions.c.document).where(
            template_versions.c.template_id == row["template_id"], template_versions.c.until_run_id == row["run_id"]
        )
        row["before"] = connection.scalar(last)


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq": row["seq"],
        "run_id": row["run_id"],
        "at": iso(row["at"]),
        "template_id": row["template_id"],
        "kind": row["kind"],
        "fields": [{name: _sorted(told[name]) for name in _TOLD if name in told} for told in row["fields"] or ()],
        "evidence": row["evidence"],
        "document": None if row["document"] is None else _ordered(row["document"]),
        "before": None if row.get("before") is None else _ordered(row["before"]),
    }


def follow(engine: sa.Engine, since: int, *, pause: Iterator[None]) -> Iterator[dict[str, Any]]:
    """Yield changes as they come, each once, in order. `pause` is drawn from before each look."""
    for _ in pause:
        for change in changes(engine, since=since):
            since = change["seq"]
            yield change
