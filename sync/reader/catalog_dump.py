"""Read everything that the gallery shows in one transaction, and a hash that shows whether any of it changed."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.reader.past import documents_after
from sync.reader.present import WITH_DOCUMENTS, stored_of
from sync.reader.status import Overview, overview
from sync.store.engine import reading
from sync.store.schema import reading_current
from sync.store.tables import (
    held_removals,
    price_periods,
    rejected_templates,
    sync_runs,
    sync_state,
    template_changes,
    template_versions,
    templates,
)

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sync.reader.stored_templates import Stored
    from sync.store.engine import Source


MAX_REJECTED_SHOWN = 20  # number of rejected records; `runs --rejected` lists all of them


@dataclass(frozen=True, slots=True)
class Period:
    """A price and its validity; `until` is None while it is valid. `cut`: an earlier price may have been pruned."""

    resolution: str
    credit: Decimal
    since: datetime
    until: datetime | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A change of the feed; `fields` in the form of the feed."""

    seq: int
    run_id: int
    at: datetime
    template_id: str
    kind: str
    fields: tuple[dict[str, Any], ...]
    evidence: str | None
    breaking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RejectedRecords:
    """The number of records that the last walk rejected, and the id, if any, and reason of the first ones."""

    count: int = 0
    first: tuple[tuple[str | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogDump:
    """The catalog with its history.

    Attributes:
        stored: every template with a document, present and removed, by id.
        periods: the prices of each template, oldest first.
        events: the feed, oldest first.
        filled_run_id: the last run of the first fill, whose additions are not news: the first run that read the whole catalog.
        held: templates whose removal is held, with the run that held it first.
        rejected: the records that the last walk rejected.
        overview: as `status` shows it.
    """

    stored: tuple[Stored, ...]
    periods: dict[str, list[Period]]
    events: tuple[Event, ...]
    filled_run_id: int
    held: dict[str, int]
    rejected: RejectedRecords
    overview: Overview


def stamp(source: Source) -> str:
    """Return a hash of everything that `read_catalog_dump` returns, except the times of runs, and hardly read documents."""
    with reading_current(source) as connection:
        names = ["template_id", "content_hash", "wire_hash", "cover_url", "preview_video_url", "changed_run_id", "removed_run_id"]
        query = sa.select(*(templates.c[name] for name in names)).order_by(templates.c.template_id)
        state = sa.select(sync_state.c.feed_epoch, sync_state.c.last_cursor, sync_state.c.oldest_seq, sync_state.c.oldest_run_id)
        held = sa.select(held_removals.c.template_id, held_removals.c.since_run_id).order_by(held_removals.c.template_id)
        # Without a wire hash, only the document shows that the order of a list changed.
        unhashed = documents_after(None).join(templates).where(templates.c.wire_hash.is_(None)).order_by(templates.c.template_id)
        digest = hashlib.sha256()
        for rows in (state, held, query, unhashed):
            for row in connection.execute(rows):
                digest.update(json.dumps(list(row), sort_keys=True).encode() + b"\n")
        digest.update(repr(rejected_records(connection)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def read_catalog_dump(source: Source) -> CatalogDump:
    """Read the catalog with its history, in one snapshot."""
    with reading_current(source) as connection:
        last = sa.or_(
            template_versions.c.until_run_id.is_(None),
            template_versions.c.until_run_id == templates.c.removed_run_id,
        )
        # Sorted by code point here, so that the output has the same bytes on every engine.
        stored = map(stored_of, connection.execute(WITH_DOCUMENTS.where(last)))
        held = sa.select(held_removals.c.template_id, held_removals.c.since_run_id)
        now = overview(connection)
        return CatalogDump(
            stored=tuple(sorted(stored, key=lambda one: str(one.document["template_id"]))),
            periods=_periods(connection),
            events=tuple(map(_event, connection.execute(sa.select(template_changes).order_by(template_changes.c.seq)))),
            filled_run_id=_filled(connection, now),
            held=dict(sorted(tuple(row) for row in connection.execute(held))),
            rejected=rejected_records(connection),
            overview=now,
        )


def _periods(connection: sa.Connection) -> dict[str, list[Period]]:
    """Read the prices by template. One that began later than its template, in a pruned run, may have replaced a pruned price."""
    columns = price_periods.c
    pruned = connection.scalar(sa.select(sync_state.c.oldest_run_id)) or 0
    query = sa.select(price_periods, templates.c.first_seen_run_id).join(
        templates, templates.c.template_id == columns.template_id
    )
    periods: dict[str, list[Period]] = defaultdict(list)
    for row in connection.execute(query.order_by(columns.from_run_id, columns.resolution)):
        cut = row.first_seen_run_id < row.from_run_id <= pruned
        periods[row.template_id].append(Period(row.resolution, row.credit, row.valid_from, row.valid_until, cut))
    return dict(periods)


def _filled(connection: sa.Connection, now: Overview) -> int:
    """Return the run that completed the first fill; 0 if its changes were pruned. Earlier runs may have read a part of it."""
    if now.oldest_seq > 1:
        return 0
    whole = [str(Status.SUCCEEDED), str(Status.HELD)]
    runs = sync_runs.c
    first = connection.scalar(sa.select(sa.func.min(runs.run_id)).where(runs.status.in_(whole), runs.pages > 0))
    return first or connection.scalar(sa.select(sa.func.max(runs.run_id))) or 0


def rejected_records(source: Source) -> RejectedRecords:
    """Read the records that the last walk rejected; active runs, and runs without a catalog, are ignored."""
    read = [str(status) for status in (Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE)]
    last = sa.select(sync_runs.c.run_id, sync_runs.c.rejected).where(sync_runs.c.status.in_(read), sync_runs.c.pages > 0)
    columns = rejected_templates.c
    with reading(source) as connection:
        run = connection.execute(last.order_by(sync_runs.c.run_id.desc()).limit(1)).one_or_none()
        if run is None or not run.rejected:
            return RejectedRecords()
        query = sa.select(columns.template_id, columns.reason).where(columns.run_id == run.run_id)
        found = connection.execute(query.order_by(columns.ordinal).limit(MAX_REJECTED_SHOWN))
        return RejectedRecords(run.rejected, tuple((row.template_id, row.reason) for row in found))


def _event(row: Any) -> Event:
    fields = tuple(row.fields or ())
    return Event(row.seq, row.run_id, row.at, row.template_id, row.kind, fields, row.evidence, tuple(row.breaking))
