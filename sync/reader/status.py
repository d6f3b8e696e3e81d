"""How things stand: what `status` and `health` ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.run_record import Run, Status, from_row
from sync.store import lease as leases
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import held_removals, sync_runs, sync_state, templates

if TYPE_CHECKING:
    from datetime import datetime


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
    """Read the end of the newest success that walked the catalog."""
    with reading(engine) as connection:
        require_current(connection)
        run = _newest(connection, sync_runs.c.status == str(Status.SUCCEEDED), sync_runs.c.pages > 0)
    return run.finished_at if run else None


def _newest(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Run | None:
    row = (
        connection.execute(sa.select(sync_runs).where(*which).order_by(sync_runs.c.run_id.desc()).limit(1))
        .mappings()
        .one_or_none()
    )
    return from_row(dict(row)) if row else None
