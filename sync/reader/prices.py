"""What templates cost, and cost before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.reader.catalog import known
from sync.reader.values import PricePeriod
from sync.store.engine import reading
from sync.store.tables import price_periods, sync_runs

if TYPE_CHECKING:
    from datetime import datetime

    from sync.store.engine import Source


def periods(source: Source, template_id: str, *, after_run: int | None = None) -> list[PricePeriod]:
    """Read a template's prices and when each held, oldest first; `after_run`: as they were known after that run.

    Raises:
        UnknownTemplate: it was never seen, or not by then.
    """
    with reading(source) as connection:
        known(connection, template_id, after_run=after_run)
        query = sa.select(price_periods).where(price_periods.c.template_id == template_id)
        ended_at = None
        if after_run is not None:
            query = query.where(price_periods.c.from_run_id <= after_run)
            ended_at = connection.scalar(sa.select(sync_runs.c.finished_at).where(sync_runs.c.run_id == after_run))
        rows = connection.execute(query.order_by(price_periods.c.from_run_id, price_periods.c.resolution)).all()
    return [
        PricePeriod(
            template_id=row.template_id,
            resolution=row.resolution,
            credit=row.credit,
            valid_from=row.valid_from,
            valid_until=None if _ended_later(row, after_run, ended_at) else row.valid_until,
        )
        for row in rows
    ]


def _ended_later(row: Any, after_run: int | None, ended_at: datetime | None) -> bool:
    """Tell whether a price still held after a run. Where the run that ended it was not noted, only the time is left to go by."""
    if after_run is None or row.valid_until is None:
        return False
    if row.until_run_id is not None:
        return bool(row.until_run_id > after_run)
    return ended_at is not None and bool(row.valid_until > ended_at)
