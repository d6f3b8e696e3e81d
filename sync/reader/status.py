"""How things stand: what `status` and `health` ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.run_record import Run, Status, from_row
from sync.store import lease as leases
from sync.store.engine import reading
from sync.store.next_run import next_run
from sync.store.schema import require_current
from sync.store.server_role import Standby, standby
from sync.store.tables import held_removals, sync_runs, sync_state, templates, unconfirmed_removals

if TYPE_CHECKING:
    from datetime import datetime

    from sync.store.engine import Source


@dataclass(frozen=True, slots=True)
class Overview:
    """What `status` shows."""

    last_attempt: Run | None
    last_success: Run | None
    last_change_at: datetime | None
    next_run_at: datetime | None
    present: int
    held: int
    unconfirmed: int
    holder: leases.Holder
    feed_epoch: str
    oldest_seq: int
    last_seq: int
    cursor: str
    standby: Standby | None


def overview(source: Source) -> Overview:
    """Look at everything that `status` shows."""
    with reading(source) as connection:
        require_current(connection)
        state = connection.execute(sa.select(sync_state)).one()
        attempt = _newest(connection, sync_runs.c.status != str(Status.SKIPPED))
        return Overview(
            last_attempt=attempt,
            last_success=_newest(connection, sync_runs.c.status == str(Status.SUCCEEDED), sync_runs.c.pages > 0),
            last_change_at=connection.scalar(sa.select(sa.func.max(templates.c.changed_at))),
            next_run_at=next_run(connection, attempt.started_at if attempt else None),
            present=connection.scalar(sa.select(sa.func.count()).where(templates.c.removed_at.is_(None))) or 0,
            held=connection.scalar(sa.select(sa.func.count()).select_from(held_removals)) or 0,
            unconfirmed=connection.scalar(sa.select(sa.func.count()).select_from(unconfirmed_removals)) or 0,
            holder=leases.look(connection),
            feed_epoch=state.feed_epoch,
            oldest_seq=state.oldest_seq,
            last_seq=state.last_seq,
            cursor=state.last_cursor,
            standby=standby(connection),
        )


def last_success(engine: sa.Engine) -> Run | None:
    """Read the newest success that walked the catalog."""
    with reading(engine) as connection:
        require_current(connection)
        return _newest(connection, sync_runs.c.status == str(Status.SUCCEEDED), sync_runs.c.pages > 0)


def _newest(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Run | None:
    row = (
        connection.execute(sa.select(sync_runs).where(*which).order_by(sync_runs.c.run_id.desc()).limit(1))
        .mappings()
        .one_or_none()
    )
    return from_row(dict(row)) if row else None
