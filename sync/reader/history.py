"""How templates changed: the versions of one, and the catalogs of two moments beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.net_changes import net_changes
from sync.reader.documents import _ordered
from sync.reader.moments import newest_run, run_of
from sync.reader.past import live_after
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import template_versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sync.reader.stored import Stored
    from sync.store.engine import Source


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between the catalogs after two runs: the changes, net, in the form of the feed, and what they tell of."""

    before_run: int
    after_run: int
    changes: list[dict[str, Any]]
    before: Mapping[str, Stored]
    after: Mapping[str, Stored]


def versions(source: Source, template_id: str) -> list[dict[str, Any]]:
    """Read every version of a template, oldest first."""
    with reading(source) as connection:
        require_current(connection)
        query = sa.select(template_versions).where(template_versions.c.template_id == template_id)
        found = connection.execute(query.order_by(template_versions.c.from_run_id)).mappings().all()
    return [{**row, "document": _ordered(row["document"])} for row in found]


def difference(source: Source, before: int | datetime, after: int | datetime | None, now: datetime) -> Difference:
    """Compare the catalogs of two moments; only what is not the same in both is read.

    Args:
        source: the database.
        before: a run, or an aware instant.
        after: likewise; None: the present.
        now: the time by which an instant is still to come.

    Raises:
        CatalogError: as `sync.reader.moments.run_of`.
    """
    with reading(source) as connection:
        require_current(connection)
        first = run_of(connection, before, now)
        second = newest_run(connection) if after is None else run_of(connection, after, now)
        old = {each.document["template_id"]: each for each in live_after(connection, first, but_not_after=second)}
        new = {each.document["template_id"]: each for each in live_after(connection, second, but_not_after=first)}
    changes = net_changes(*({key: each.document for key, each in side.items()} for side in (old, new)))
    return Difference(first, second, changes, old, new)
