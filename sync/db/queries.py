"""What readers ask. Each question is one transaction that sees the database at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.db import lease as leases
from sync.db.engine import reading
from sync.db.schema import require_current
from sync.db.tables import (
    held_removals,
    rejected_templates,
    sync_runs,
    sync_state,
    template_changes,
    template_versions,
    templates,
)
from sync.errors import UsageError
from sync.runs import Run, Status, from_row
from sync.snapshot import Document, document, from_document, iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

_TOLD = ("field", "old", "new", "gained", "lost", "absent")
_VERSION_OF_CHANGE = sa.and_(
    template_versions.c.template_id == template_changes.c.template_id,
    template_versions.c.from_run_id == template_changes.c.run_id,
    template_changes.c.kind != "removed",
)


@dataclass(frozen=True, slots=True)
class Overview:
    """What `status` shows."""

    last_attempt: Run | None
    last_success: Run | None
    last_change_at: datetime | None
    next_run_at: datetime | None
    present: int
    held: int
    holder: leases.Holder
    oldest_seq: int
    last_seq: int


def overview(engine: sa.Engine) -> Overview:
    """Look at everything that `status` shows."""
    with reading(engine) as connection:
        require_current(connection)
        state = connection.execute(sa.select(sync_state)).one()
        return Overview(
            last_attempt=_newest(connection, sync_runs.c.status != str(Status.SKIPPED)),
            last_success=_newest(connection, sync_runs.c.status == str(Status.SUCCEEDED), sync_runs.c.pages > 0),
            last_change_at=connection.scalar(sa.select(sa.func.max(templates.c.changed_at))),
            next_run_at=state.next_run_at,
            present=connection.scalar(sa.select(sa.func.count()).where(templates.c.removed_at.is_(None))) or 0,
            held=connection.scalar(sa.select(sa.func.count()).select_from(held_removals)) or 0,
            holder=leases.look(connection),
            oldest_seq=state.oldest_seq,
            last_seq=state.last_seq,
        )


def last_success(engine: sa.Engine) -> datetime | None:
    """Give the end of the newest success that walked the catalog."""
    with reading(engine) as connection:
        require_current(connection)
        run = _newest(connection, sync_runs.c.status == str(Status.SUCCEEDED), sync_runs.c.pages > 0)
    return run.finished_at if run else None


def has_runs_besides(engine: sa.Engine, trigger: str) -> bool:
    """Tell whether anything but this trigger ever ran."""
    with reading(engine) as connection:
        require_current(connection)
        return connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.trigger != trigger).limit(1)) is not None


def refuse_sample_catalog(engine: sa.Engine) -> None:
    """Keep a real catalog out of a database that holds the demo's: all of the sample would look like templates that are gone.

    Raises:
        UsageError: saying what to do.
    """
    with reading(engine) as connection:
        found = connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.trigger == "demo").limit(1))
    if found is not None:
        raise UsageError(
            "This database holds the demo's sample catalog.",
            hint="Name another one in DATABASE_URL, or delete this one; the demo makes it again.",
        )


def runs(engine: sa.Engine, most: int) -> list[Run]:
    """Give the newest runs, newest first."""
    with reading(engine) as connection:
        require_current(connection)
        found = connection.execute(sa.select(sync_runs).order_by(sync_runs.c.run_id.desc()).limit(most))
        return [from_row(dict(row)) for row in found.mappings()]


def catalog(engine: sa.Engine) -> list[Document]:
    """Give the present catalog, by id in code-point order, which is the same on every engine."""
    with reading(engine) as connection:
        require_current(connection)
        present = sa.select(template_versions.c.document).where(template_versions.c.until_run_id.is_(None))
        return sorted(map(_ordered, connection.scalars(present)), key=lambda each: str(each["template_id"]))


def template(engine: sa.Engine, template_id: str) -> dict[str, Any]:
    """Give one template: its newest document, and when it was first seen, changed, removed.

    Raises:
        UsageError: it was never seen.
    """
    with reading(engine) as connection:
        require_current(connection)
        row = connection.execute(sa.select(templates).where(templates.c.template_id == template_id)).one_or_none()
        if row is None:
            raise UsageError(
                f"No template {template_id!r} was ever seen.", hint="`template-sync list` shows those that there are."
            )
        newest = (
            sa.select(template_versions.c.document)
            .where(template_versions.c.template_id == template_id)
            .order_by(template_versions.c.from_run_id.desc())
            .limit(1)
        )
        written = connection.scalar(newest)
    moments = {name: getattr(row, name) for name in ("first_seen_at", "changed_at", "removed_at")}
    return {**_ordered(written), **{name: None if moment is None else iso(moment) for name, moment in moments.items()}}


def changes(
    engine: sa.Engine,
    *,
    since: int | None = None,
    run_id: int | None = None,
    template_id: str | None = None,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """Give the feed, oldest first: every change with the document after it; for a removal, the last one before it.

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
    """Give the removals that are held: id, since which run, how many runs agree, and the document."""
    with reading(engine) as connection:
        require_current(connection)
        query = (
            sa.select(held_removals, template_versions.c.document)
            .join(template_versions, template_versions.c.template_id == held_removals.c.template_id)
            .where(template_versions.c.until_run_id.is_(None))
            .order_by(held_removals.c.template_id)
        )
        return [{**row, "document": _ordered(row["document"])} for row in connection.execute(query).mappings()]


def rejected(engine: sa.Engine, run_id: int) -> list[dict[str, Any]]:
    """Give the records that a run could not read."""
    with reading(engine) as connection:
        require_current(connection)
        query = sa.select(rejected_templates).where(rejected_templates.c.run_id == run_id).order_by(rejected_templates.c.ordinal)
        return [dict(row) for row in connection.execute(query).mappings()]


def versions(engine: sa.Engine, template_id: str) -> list[dict[str, Any]]:
    """Give every version of a template, oldest first."""
    with reading(engine) as connection:
        require_current(connection)
        query = sa.select(template_versions).where(template_versions.c.template_id == template_id)
        found = connection.execute(query.order_by(template_versions.c.from_run_id)).mappings().all()
    return [{**row, "document": _ordered(row["document"])} for row in found]


def catalog_after(engine: sa.Engine, run_id: int) -> dict[str, Document]:
    """Give the catalog as it stood after a run.

    Raises:
        UsageError: there is no such run, or its history is pruned.
    """
    with reading(engine) as connection:
        require_current(connection)
        _require_run(connection, run_id)
        first_kept = connection.scalar(sa.select(sa.func.min(template_changes.c.run_id)))
        state = connection.execute(sa.select(sync_state)).one()
        if state.oldest_seq > 1 and (first_kept is None or run_id < first_kept - 1):
            raise UsageError(f"The history before run {first_kept or 'now'} was pruned.", hint="Ask for a later run.")
        live = sa.and_(
            template_versions.c.from_run_id <= run_id,
            sa.or_(template_versions.c.until_run_id.is_(None), template_versions.c.until_run_id > run_id),
        )
        rows = connection.execute(sa.select(template_versions.c.template_id, template_versions.c.document).where(live)).all()
    return {row.template_id: _ordered(row.document) for row in rows}


def require_run(engine: sa.Engine, run_id: int) -> None:
    """Refuse a run that is not on record.

    Raises:
        UsageError: saying so.
    """
    with reading(engine) as connection:
        require_current(connection)
        _require_run(connection, run_id)


def _require_run(connection: sa.Connection, run_id: int) -> None:
    if connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.run_id == run_id)) is None:
        raise UsageError(f"There is no run {run_id}.", hint="`template-sync runs` shows those that there are.")


def _newest(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Run | None:
    row = (
        connection.execute(sa.select(sync_runs).where(*which).order_by(sync_runs.c.run_id.desc()).limit(1))
        .mappings()
        .one_or_none()
    )
    return from_row(dict(row)) if row else None


def _refuse_pruned(connection: sa.Connection, since: int) -> None:
    oldest = connection.scalar(sa.select(sync_state.c.oldest_seq)) or 1
    if since + 1 < oldest:
        raise UsageError(
            f"The feed begins at seq {oldest}: changes {since + 1} to {oldest - 1} were pruned.",
            hint=f"Start anew from `template-sync export`, then go on with --since {oldest - 1} or later.",
        )


def _add_last_documents(connection: sa.Connection, removed: Sequence[dict[str, Any]]) -> None:
    """Give removals the document that the template had until then, for its title."""
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


def _ordered(written: Any) -> Document:
    """Put a document's keys into the one order: PostgreSQL keeps them in another."""
    return {**document(from_document(written)), "extra": _sorted(written["extra"])}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in sorted(value.items())}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


def follow(engine: sa.Engine, since: int, *, pause: Iterator[None]) -> Iterator[dict[str, Any]]:
    """Give changes as they come, each once, in order. `pause` is drawn from before each look."""
    for _ in pause:
        for change in changes(engine, since=since):
            since = change["seq"]
            yield change
