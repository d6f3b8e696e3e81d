"""Delete old history (retention); the feed marks where it begins, and the present catalog is unchanged."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.store import lease as leases
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.schema import require_current_schema
from sync.store.state import ATTEMPTED, WALKED
from sync.store.tables import (
    price_changes,
    price_periods,
    rejected_templates,
    sync_runs,
    sync_state,
    template_changes,
    template_versions,
    templates,
)


def prune(engine: sa.Engine, *, before: datetime | None, keep_runs: int | None, dry_run: bool = False) -> dict[str, int]:
    """Delete what ended before a time, or before the `keep_runs` newest runs; `dry_run` only counts.

    Return the number of deleted rows by kind, and the new `oldest_seq`. Open versions and prices, the last version of removed
    templates, and the runs that `status` shows are kept. It is one transaction, which locks rows in the same order as a run.
    """
    require_current_schema(engine)
    return Retry()(lambda: _prune(engine, before, keep_runs, dry_run=dry_run))


def _prune(engine: sa.Engine, before: datetime | None, keep_runs: int | None, *, dry_run: bool) -> dict[str, int]:
    with writing(engine) as connection:
        # The lock comes first, so that the following reads see the result of the last run.
        leases.current_holder(connection, lock=True) if dry_run else leases.block_commits(connection)
        cutoff = _cutoff(connection, before, keep_runs)
        old = {
            "changes": (template_changes, template_changes.c.run_id < cutoff),
            "versions": (template_versions, sa.and_(template_versions.c.until_run_id < cutoff, ~_last_of_a_removed())),
            "prices": (price_periods, _ended_before(connection, cutoff)),
            "rejected records": (rejected_templates, rejected_templates.c.run_id < cutoff),
            "runs": (sync_runs, sa.and_(sync_runs.c.run_id < cutoff, sync_runs.c.run_id.not_in(_runs_of_status(connection)))),
        }
        counts = {
            what: connection.scalar(sa.select(sa.func.count()).select_from(table).where(which)) or 0
            for what, (table, which) in old.items()
        }
        state = connection.execute(sa.select(sync_state)).one()
        kept = sa.select(sa.func.min(template_changes.c.seq)).where(template_changes.c.run_id >= cutoff)
        oldest = max(state.oldest_seq, connection.scalar(kept) or state.last_seq + 1)
        if not dry_run:
            before_it = sa.select(template_changes.c.cursor).where(template_changes.c.seq == oldest - 1)
            pruned = connection.scalar(before_it) or state.pruned_cursor  # it stays valid, because no change after it is deleted
            for table, which in old.values():
                connection.execute(sa.delete(table).where(which))
            connection.execute(sa.delete(price_changes).where(price_changes.c.seq < oldest))
            since = max(cutoff - 1, state.oldest_run_id or 0)
            connection.execute(sa.update(sync_state).values(oldest_seq=oldest, oldest_run_id=since, pruned_cursor=pruned))
    return {**counts, "oldest_seq": oldest}


def _cutoff(connection: sa.Connection, before: datetime | None, keep_runs: int | None) -> int:
    """Return the first run whose history is kept, at most the first active run."""
    runs = sync_runs.c
    if keep_runs is not None:
        newest = list(connection.scalars(sa.select(runs.run_id).order_by(runs.run_id.desc()).limit(keep_runs)))
        cutoff = min(newest) if len(newest) == keep_runs else 0
    else:
        beyond = sa.select(sa.func.coalesce(sa.func.max(runs.run_id), 0) + 1).scalar_subquery()
        first = sa.select(sa.func.coalesce(sa.func.min(runs.run_id), beyond)).where(runs.finished_at >= before)
        cutoff = connection.scalar(first) or 0
    at_work = connection.scalar(sa.select(sa.func.min(runs.run_id)).where(runs.status == str(Status.RUNNING)))
    return cutoff if at_work is None else min(cutoff, at_work)


def _ended_before(connection: sa.Connection, cutoff: int) -> sa.ColumnElement[bool]:
    """Return the condition for prices that an old run ended, by the number of the run because clocks are not reliable.

    Old versions did not store the run that ended a price; there the time decides.
    """
    ended = sa.select(sa.func.max(sync_runs.c.finished_at)).where(sync_runs.c.run_id < cutoff)
    last = connection.scalar(ended) or datetime.min.replace(tzinfo=UTC)
    periods = price_periods.c
    return sa.or_(periods.until_run_id < cutoff, sa.and_(periods.until_run_id.is_(None), periods.valid_until <= last))


def _last_of_a_removed() -> sa.ColumnElement[bool]:
    """Return the condition for the last version of a removed template, which `show` needs."""
    same = templates.c.template_id == template_versions.c.template_id
    return sa.exists().where(same, templates.c.removed_run_id == template_versions.c.until_run_id)


def _runs_of_status(connection: sa.Connection) -> list[int]:
    """Return the runs that `status` shows: the newest, the newest attempt, and the newest success of a walk."""
    kinds = [sa.true(), ATTEMPTED, WALKED]
    newest = [connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)).where(kind)) for kind in kinds]
    return [run_id for run_id in newest if run_id is not None]
