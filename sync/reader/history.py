"""Read the versions and prices of a template, and the difference between two times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.diff import net_changes
from sync.reader.catalog import find_template
from sync.reader.past import live_after, newest_run, run_of
from sync.reader.stored_templates import normalize_document
from sync.reader.values import PricePeriod
from sync.store.engine import reading
from sync.store.schema import reading_current
from sync.store.tables import price_periods, sync_runs, template_versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sync.reader.stored_templates import Stored
    from sync.store.engine import Source


@dataclass(frozen=True, slots=True)
class Difference:
    """The net changes between the catalogs after two runs, in the form of the feed, with the templates they concern."""

    before_run: int
    after_run: int
    changes: list[dict[str, Any]]
    before: Mapping[str, Stored]
    after: Mapping[str, Stored]


def versions(source: Source, template_id: str) -> list[dict[str, Any]]:
    """Read all versions of a template, oldest first."""
    with reading_current(source) as connection:
        query = sa.select(template_versions).where(template_versions.c.template_id == template_id)
        found = connection.execute(query.order_by(template_versions.c.from_run_id)).mappings().all()
    return [{**row, "document": normalize_document(row["document"])} for row in found]


def difference(source: Source, before: int | datetime, after: int | datetime | None, now: datetime) -> Difference:
    """Compare the catalogs of two times; only templates that differ are read.

    Args:
        source: the database.
        before: a run, or an aware time.
        after: likewise; None: the present.
        now: the present time; later times are refused.

    Raises:
        CatalogError: as `sync.reader.past.run_of`.
    """
    with reading_current(source) as connection:
        first = run_of(connection, before, now)
        second = newest_run(connection) if after is None else run_of(connection, after, now)
        old = {each.document["template_id"]: each for each in live_after(connection, first, but_not_after=second)}
        new = {each.document["template_id"]: each for each in live_after(connection, second, but_not_after=first)}
    changes = net_changes(*({key: each.document for key, each in side.items()} for side in (old, new)))
    return Difference(first, second, changes, old, new)


def periods(source: Source, template_id: str, *, after_run: int | None = None) -> list[PricePeriod]:
    """Read the prices of a template and their validity, oldest first; `after_run`: as known after that run.

    Raises:
        UnknownTemplate: it was never seen, or not by that run.
    """
    with reading(source) as connection:
        find_template(connection, template_id, after_run=after_run)
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
    """Return whether a price was still valid after a run; by time, if an old version did not store the run that ended it."""
    if after_run is None or row.valid_until is None:
        return False
    if row.until_run_id is not None:
        return bool(row.until_run_id > after_run)
    return ended_at is not None and bool(row.valid_until > ended_at)
