"""Delete old history without breaking what is left: the feed from its marked beginning, and the present catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.db import lease as leases
from sync.db.engine import writing
from sync.db.schema import require_current
from sync.db.tables import price_periods, rejected_templates, sync_runs, sync_state, template_changes, template_versions
from sync.runs import Status

if TYPE_CHECKING:
    from datetime import datetime


def prune(engine: sa.Engine, *, before: datetime | None, keep_runs: int | None, dry_run: bool = False) -> dict[str, int]:
    """Delete the history of old runs; give how many rows went from where, and the feed's new `oldest_seq`.

    What is true now stays: open versions and prices, and the newest run and the newest success. One transaction, in the
    same order of locks as a run's own, so the two never meet half-way.

    Args:
        engine: the database.
        before: delete what ended before this moment; or
        keep_runs: keep the newest so many runs.
        dry_run: count only.
    """
    with writing(engine) as connection:
        require_current(connection)
        leases.look(connection, lock=True)
        cutoff = _cutoff(connection, before, keep_runs)
        old = {
            "changes": (template_changes, template_changes.c.run_id < cutoff),
            "versions": (template_versions, template_versions.c.until_run_id < cutoff),
            "prices": (price_periods, price_periods.c.valid_until < _began(cutoff)),
            "rejected records": (rejected_templates, rejected_templates.c.run_id < cutoff),
            "runs": (sync_runs, sa.and_(sync_runs.c.run_id < cutoff, sync_runs.c.run_id.not_in(_newest(connection)))),
        }
        # Changes without a run to tell them from go first, the runs themselves last: the cutoff is read off them.
        counts = {
            what: connection.scalar(sa.select(sa.func.count()).select_from(table).where(which)) or 0
            for what, (table, which) in old.items()
        }
        state = connection.execute(sa.select(sync_state)).one()
        kept = sa.select(sa.func.min(template_changes.c.seq)).where(template_changes.c.run_id >= cutoff)
        oldest: int = connection.scalar(kept) or state.last_seq + 1
        oldest = max(state.oldest_seq, oldest)
        if not dry_run:
            for table, which in old.values():
                connection.execute(sa.delete(table).where(which))
            connection.execute(sa.update(sync_state).values(oldest_seq=oldest))
    return {**counts, "oldest_seq": oldest}


def _cutoff(connection: sa.Connection, before: datetime | None, keep_runs: int | None) -> int:
    """Give the first run whose history is kept."""
    runs = sa.select(sync_runs.c.run_id).order_by(sync_runs.c.run_id.desc())
    if keep_runs is not None:
        newest = list(connection.scalars(runs.limit(keep_runs)))
        return min(newest, default=0) if len(newest) == keep_runs else 0
    young = sa.select(sa.func.min(sync_runs.c.run_id)).where(
        sa.or_(sync_runs.c.finished_at >= before, sync_runs.c.status == str(Status.RUNNING))
    )
    last = sa.select(sa.func.max(sync_runs.c.run_id))
    return connection.scalar(young) or (connection.scalar(last) or 0) + 1


def _began(run_id: int) -> sa.ScalarSelect[datetime | None]:
    return sa.select(sa.func.min(sync_runs.c.started_at)).where(sync_runs.c.run_id >= run_id).scalar_subquery()


def _newest(connection: sa.Connection) -> list[int]:
    """Name the runs that `status` needs: the newest, and the newest success."""
    newest = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)))
    success = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)).where(sync_runs.c.status == str(Status.SUCCEEDED)))
    return [run_id for run_id in (newest, success) if run_id is not None]
