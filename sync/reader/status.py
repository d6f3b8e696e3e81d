"""Read the runs, their rejected records, the overview for `status` and `health`, and when a template was last verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.catalog.run_record import Run, Status, from_row
from sync.errors import SyncError, UnknownRun
from sync.store import lease as leases
from sync.store.engine import reading
from sync.store.schema import reading_current
from sync.store.server_hosts import Standby, standby
from sync.store.state import ATTEMPTED, WALKED, read_planned_run
from sync.store.tables import held_removals, rejected_templates, sync_runs, sync_state, templates, unconfirmed_removals
from sync.text import MAX_CLOCK_SKEW

if TYPE_CHECKING:
    from datetime import datetime

    from sync.store.engine import Source


def runs(engine: sa.Engine, most: int) -> list[Run]:
    """Read the newest runs, newest first."""
    with reading_current(engine) as connection:
        found = connection.execute(sa.select(sync_runs).order_by(sync_runs.c.run_id.desc()).limit(most))
        return [from_row(dict(row)) for row in found.mappings()]


def rejected(engine: sa.Engine, run_id: int) -> list[dict[str, Any]]:
    """Read the records that a run rejected."""
    with reading_current(engine) as connection:
        query = sa.select(rejected_templates).where(rejected_templates.c.run_id == run_id).order_by(rejected_templates.c.ordinal)
        return [dict(row) for row in connection.execute(query).mappings()]


def require_run(engine: sa.Engine, run_id: int) -> None:
    """Raise UnknownRun if a run does not exist."""
    with reading_current(engine) as connection:
        if connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.run_id == run_id)) is None:
            raise UnknownRun(f"There is no run {run_id}.", hint="`template-sync runs` lists the runs.")


@dataclass(frozen=True, slots=True)
class Overview:
    """What `status` and the metrics show.

    Attributes:
        last_attempt: the newest run, without refreshes, that was not skipped; it may still be active.
        last_result: the newest one of those that has ended.
        last_success: the newest one that succeeded and walked the catalog.
    """

    last_attempt: Run | None
    last_result: Run | None
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
    """Read everything that `status` shows, in one snapshot."""
    with reading_current(source) as connection:
        state = connection.execute(sa.select(sync_state)).one()
        attempt = result = _newest(connection, ATTEMPTED)
        if attempt and attempt.status is Status.RUNNING:
            result = _newest(connection, ATTEMPTED, sync_runs.c.status != str(Status.RUNNING))
        return Overview(
            last_attempt=attempt,
            last_result=result,
            last_success=_newest(connection, WALKED),
            last_change_at=connection.scalar(sa.select(sa.func.max(templates.c.changed_at))),
            next_run_at=read_planned_run(connection, attempt.started_at if attempt else None),
            present=connection.scalar(sa.select(sa.func.count()).where(templates.c.removed_at.is_(None))) or 0,
            held=connection.scalar(sa.select(sa.func.count()).select_from(held_removals)) or 0,
            unconfirmed=connection.scalar(sa.select(sa.func.count()).select_from(unconfirmed_removals)) or 0,
            holder=leases.current_holder(connection),
            feed_epoch=state.feed_epoch,
            oldest_seq=state.oldest_seq,
            last_seq=state.last_seq,
            cursor=state.last_cursor,
            standby=standby(connection),
        )


def overview_if_available(engine: sa.Engine) -> Overview | None:
    """Return the overview; None if the database cannot be queried."""
    try:
        return overview(engine)
    except SyncError:
        return None


def last_success(engine: sa.Engine) -> Run | None:
    """Return the newest successful run that walked the catalog."""
    with reading_current(engine) as connection:
        return _newest(connection, WALKED)


def _newest(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Run | None:
    query = sa.select(sync_runs).where(*which).order_by(sync_runs.c.run_id.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return from_row(dict(row)) if row else None


def verified_at(source: Source, template_id: str) -> datetime | None:
    """Return the start of the newest run that was served a template; None if there is none.

    That is the last successful walk, unless the template was missing from it or its record was rejected, its last refresh, or the
    run of its last change. The start is used, because the template may have been fetched first.
    """
    runs = sync_runs.c
    with reading_current(source) as connection:
        changed = connection.execute(
            sa.select(runs.started_at)
            .select_from(templates)
            .outerjoin(sync_runs, templates.c.changed_run_id == runs.run_id)
            .where(templates.c.template_id == template_id)
        ).one_or_none()
        if changed is None:
            return None
        refreshed = last_refresh(connection, template_id)
        times = (changed.started_at, refreshed.at if refreshed and refreshed.found else None, _walked_at(connection, template_id))
    return max((time for time in times if time is not None), default=None)


def _walked_at(connection: sa.Connection, template_id: str) -> datetime | None:
    """Return the start of the last successful walk; None if there is none, or it did not serve a valid record of the template."""
    runs, rejections, missing = sync_runs.c, rejected_templates.c, unconfirmed_removals.c
    is_rejected = sa.exists().where(rejections.run_id == runs.run_id, rejections.template_id == template_id)
    is_missing = sa.exists().where(missing.since_run_id <= runs.run_id, missing.template_id == template_id)
    walks = sa.select(runs.started_at, sa.or_(is_rejected, is_missing).label("lacks")).where(WALKED)
    last: Any = connection.execute(walks.order_by(runs.run_id.desc()).limit(1)).one_or_none()
    return None if last is None or last.lacks else last.started_at


class LastRefresh(NamedTuple):
    """The start of a successful refresh, and whether the catalog had the template."""

    at: datetime
    found: bool


def last_refresh(source: Source, template_id: str) -> LastRefresh | None:
    """Return the newest successful refresh of a template; None if there is none."""
    runs = sync_runs.c
    query = sa.select(runs.started_at, runs.seen).where(runs.template_id == template_id, runs.status == str(Status.SUCCEEDED))
    with reading(source) as connection:
        row = connection.execute(query.order_by(runs.run_id.desc()).limit(1)).one_or_none()
    return None if row is None else LastRefresh(row.started_at, row.seen > 0)


def is_stale(last_success: datetime | None, now: datetime, budget: float) -> bool:
    """Return whether the last success is older than the budget, in seconds, or missing.

    A success in the future also counts as stale: it was dated by a clock that was ahead, so its age is unknown.
    """
    return last_success is None or not -MAX_CLOCK_SKEW <= (now - last_success).total_seconds() <= budget
