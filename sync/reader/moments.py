"""From "as it was then" to the run after which it was so.

A run's catalog holds from the moment at which the run ended, that moment included, until the next run that was applied has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import NoSuchPast, Pruned, UnknownRun
from sync.run_record import Status
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import sync_runs, sync_state, template_changes
from sync.text import iso

if TYPE_CHECKING:
    from datetime import datetime

    from sync.store.engine import Source

_APPLIED = sync_runs.c.status.in_([str(status) for status in (Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE)])
_ENDED = sync_runs.c.status.not_in([str(Status.RUNNING), str(Status.SKIPPED)])
"""Those after which there is a catalog; it is the one before, if nothing was applied."""


def run_of(source: Source, when: int | datetime, now: datetime) -> int:
    """Find the run after which the catalog was as it was then; 0 where nothing had been applied yet.

    Args:
        source: the database.
        when: a run, or an aware instant.
        now: the time by which an instant is still to come.

    Raises:
        UnknownRun: no such run is on record.
        NoSuchPast: the run is at work; the instant is before the first run, or still to come.
        Pruned: what was then is no longer kept.
    """
    with reading(source) as connection:
        require_current(connection)
        run_id = _by_number(connection, when) if isinstance(when, int) else _by_instant(connection, when, now)
        _refuse_pruned(connection, run_id)
    return run_id


def newest_run(source: Source) -> int:
    """Find the run after which the catalog is as it is now; 0 if none was applied."""
    with reading(source) as connection:
        require_current(connection)
        return _newest_applied(connection) or 0


def _by_number(connection: sa.Connection, run_id: int) -> int:
    _refuse_pruned(connection, run_id)
    run: Any = connection.execute(sa.select(sync_runs).where(sync_runs.c.run_id == run_id)).one_or_none()
    if run is None:
        _refuse_pruned(connection, run_id - 1)  # the past begins after a run whose own record went with what was before it
        raise UnknownRun(f"There is no run {run_id}.", hint="`template-sync runs` lists the runs.")
    if run.status == Status.RUNNING:
        raise NoSuchPast(f"Run {run_id} is active: its catalog is not available yet.", hint="Use an earlier run, or wait.")
    if run.status == Status.SKIPPED:  # the run that it found at work has a lower number, and ended after it
        return _newest_applied(connection, sync_runs.c.run_id < run_id, sync_runs.c.finished_at <= run.finished_at) or 0
    return run_id


def _by_instant(connection: sa.Connection, instant: datetime, now: datetime) -> int:
    if instant > now:
        raise NoSuchPast(f"{iso(instant)} is in the future; the time is {iso(now)}.", hint="Use a time in the past.")
    found = _newest_applied(connection, sync_runs.c.finished_at <= instant)
    oldest = _oldest_kept(connection)
    if oldest is not None and (found is None or found < oldest):
        return _idle_since(connection, oldest, instant)
    if found is not None:
        return found
    first = connection.scalar(sa.select(sa.func.min(sync_runs.c.finished_at)).where(_APPLIED))
    begins = "nothing was applied yet" if first is None else f"the first run ended at {iso(first)}"
    raise NoSuchPast(f"There is no catalog of {iso(instant)}: {begins}.", hint="`template-sync runs` shows when runs ended.")


def _idle_since(connection: sa.Connection, oldest: int, instant: datetime) -> int:
    """Find the newest run by then that is kept, where none of those had been applied: what it left as it was is known."""
    kept = sa.and_(_ENDED, sync_runs.c.run_id >= oldest, sync_runs.c.finished_at <= instant)
    newest: int | None = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)).where(kept))
    if newest is None:
        raise _pruned(connection, oldest)
    return newest


def _newest_applied(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int | None:
    """The newest by number, not by time: clocks are set back, numbers are in the order of commits."""
    newest: int | None = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)).where(_APPLIED, *which))
    return newest


def _refuse_pruned(connection: sa.Connection, run_id: int) -> None:
    oldest = _oldest_kept(connection)
    if oldest is not None and run_id < oldest:
        raise _pruned(connection, oldest)


def _pruned(connection: sa.Connection, oldest: int) -> Pruned:
    """Say what can be asked for: the oldest run on record, as the one after which the past begins may have gone itself."""
    kept = sa.select(sync_runs).where(sync_runs.c.run_id >= oldest, _ENDED).order_by(sync_runs.c.run_id).limit(1)
    run: Any = connection.execute(kept).one_or_none()
    if run is None:
        return Pruned("The history of that time was pruned.", hint="Use the current catalog.")
    return Pruned(
        f"The history before the end of run {run.run_id} was pruned.",
        hint=f"The oldest available run is {run.run_id}, which ended at {iso(run.finished_at)}.",
    )


def _oldest_kept(connection: sa.Connection) -> int | None:
    """Find the run after whose end the past can be told; None: from the beginning."""
    state = connection.execute(sa.select(sync_state)).one()
    if state.oldest_run_id is None and state.oldest_seq > 1:  # pruned by a version that did not note where the past begins
        return (connection.scalar(sa.select(sa.func.min(template_changes.c.run_id))) or _beyond(connection)) - 1
    oldest: int | None = state.oldest_run_id or None  # 0: there was a `prune`, and nothing was old enough
    return oldest


def _beyond(connection: sa.Connection) -> int:
    """With no change left, only what is now can be told: after the newest run."""
    newest = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)))
    return (newest or 0) + 1
