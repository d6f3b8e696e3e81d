"""Cut prices into periods: `valid_from` and `valid_until` of each price of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from sync.store.bulk import insert_rows
from sync.store.column_types import UtcDateTime, exact_decimal
from sync.store.tables import price_periods

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sync.catalog.document import Document


def cut_price_periods(
    connection: sa.Connection, documents: Sequence[Document], stored: Sequence[str], run_id: int, at: datetime
) -> None:
    """End the periods of prices that changed, and begin new ones, for one batch of templates.

    Only templates whose id is in `stored` can have open periods.
    """
    periods = price_periods
    still = periods.c.valid_until.is_(None)
    now = {
        (document["template_id"], price["resolution"]): exact_decimal(price["credit"])
        for document in documents
        for price in document["consume_items"]
    }
    before: dict[tuple[str, str], Any] = {}
    if stored:
        query = sa.select(periods.c.template_id, periods.c.resolution, periods.c.credit)
        found = connection.execute(query.where(periods.c.template_id.in_(stored), still))
        before = {(row.template_id, row.resolution): row.credit for row in found}
    if ended := [{"key": key, "size": size} for (key, size), credit in before.items() if now.get((key, size)) != credit]:
        which = sa.and_(periods.c.template_id == bindparam("key"), periods.c.resolution == bindparam("size"), still)
        connection.execute(sa.update(periods).where(which).values(_ended(run_id, at)), ended)
    begun = [
        {"template_id": key, "resolution": size, "credit": credit, "from_run_id": run_id, "valid_from": at}
        for (key, size), credit in now.items()
        if before.get((key, size)) != credit
    ]
    insert_rows(connection, periods, begun)


def end_price_periods(connection: sa.Connection, ids: Sequence[str], run_id: int, at: datetime) -> None:
    """End all open periods of removed templates, one batch."""
    still = sa.update(price_periods).where(price_periods.c.template_id.in_(ids), price_periods.c.valid_until.is_(None))
    connection.execute(still.values(_ended(run_id, at)))


def _ended(run_id: int, at: datetime) -> dict[str, Any]:
    """Return the values that end a period, never before its start, because the clock may have been set back."""
    began, ends = price_periods.c.valid_from, sa.literal(at, UtcDateTime())
    return {"valid_until": sa.case((began > ends, began), else_=ends), "until_run_id": run_id}
