"""Write everything that one run changes: templates, lists, price periods, versions, the feed, and the state for the next run.

The run compared all records before, so only rows that differ are written, in batches. A run without changes writes one row.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.catalog.document import content_hash
from sync.catalog.fields import LISTS, SCALARS
from sync.config.addresses import require_same_origin
from sync.errors import DatabaseError
from sync.store.bulk import batches, insert_rows, update_rows
from sync.store.column_types import exact_decimal
from sync.store.feed_seq import Feed
from sync.store.price_periods import cut_price_periods, end_price_periods
from sync.store.tables import (
    consume_items,
    held_removals,
    rejected_templates,
    sync_runs,
    sync_state,
    tags,
    template_aspect_ratios,
    template_tags,
    template_versions,
    templates,
    unconfirmed_removals,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sync.catalog.diff import Change
    from sync.catalog.document import Document
    from sync.catalog.plan import Plan
    from sync.catalog.run_record import Run


class NewDocument(NamedTuple):
    """A change with the document that it leads to, and its content hash."""

    change: Change
    document: Document
    content_hash: str


def write_run(connection: sa.Connection, run_id: int, run: Run, plan: Plan) -> None:
    """Write everything that a run found, and its result."""
    changes, at = plan.changes, run.finished_at
    assert at is not None  # noqa: S101 - a finished run has an end
    state = connection.execute(sa.select(sync_state)).one()
    of_kind: dict[str, list[Change]] = {"added": [], "changed": [], "removed": [], "unpublished": []}
    for change in (*changes.changes, *changes.unpublished):
        of_kind[change.kind].append(change)
    feed = Feed(connection, run_id, at) if changes.changes else None
    writer = _Writer(connection, run_id, at)
    for kind, write in (("added", writer.add), ("changed", writer.change), ("unpublished", writer.rewrite)):
        for batch in batches(of_kind[kind]):
            new = [NewDocument(change, document := plan.document_of(change), content_hash(document)) for change in batch]
            writer.write_lists(new, stored=write(new))
            if feed and kind != "unpublished":
                feed.append([(each.change, each.content_hash) for each in new])
    for hashes in batches(list(changes.rehashed.items())):
        update_rows(connection, templates, [{"template_id": key, "wire_hash": hashed} for key, hashed in hashes])
    if feed:
        for batch in batches(of_kind["removed"]):
            feed.append(writer.remove(batch))
        feed.close()
    _save_sync_state(connection, state, plan, {"since_run_id": run_id, "since_at": run.started_at})
    rejected = [{"run_id": run_id, "ordinal": ordinal, **asdict(bad)} for ordinal, bad in enumerate(plan.rejected(), 1)]
    insert_rows(connection, rejected_templates, rejected)
    closed = connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == run_id).values(run.row()))
    if closed.rowcount != 1:
        raise DatabaseError(
            "The row of this run is missing from sync_runs; nothing was applied.", hint="Check for other writers to sync_runs."
        )


class _Writer:
    """Writes the changes of one run, a batch of one kind at a time."""

    def __init__(self, connection: sa.Connection, run_id: int, at: datetime) -> None:
        self.connection = connection
        self.run_id = run_id
        self.at = at

    def add(self, new: Sequence[NewDocument]) -> AbstractSet[str]:
        """Insert new templates, and restore the rows of returned ones; return the ids that had a row."""
        ids = [each.change.template_id for each in new]
        returned = set(self.connection.scalars(sa.select(templates.c.template_id).where(templates.c.template_id.in_(ids))))
        now = {"changed_at": self.at, "changed_run_id": self.run_id, "removed_at": None, "removed_run_id": None}
        seen = {"first_seen_at": self.at, "first_seen_run_id": self.run_id}
        rows = [_template_row(each) | now for each in new]
        insert_rows(self.connection, templates, [row | seen for row in rows if row["template_id"] not in returned])
        update_rows(self.connection, templates, [row for row in rows if row["template_id"] in returned])
        self._begin_versions(new)
        return returned

    def change(self, new: Sequence[NewDocument]) -> AbstractSet[str]:
        """Update templates, and begin a new version of each; return their ids."""
        ids = [each.change.template_id for each in new]
        now = {"changed_at": self.at, "changed_run_id": self.run_id}
        update_rows(self.connection, templates, [_template_row(each) | now for each in new])
        self._close_versions(ids)
        self._begin_versions(new)
        return set(ids)

    def rewrite(self, new: Sequence[NewDocument]) -> AbstractSet[str]:
        """Store differences that are not published: another order, another query string, an unknown field; return their ids.

        The open version gets the same document, so that the feed still replays to the tables.
        """
        update_rows(self.connection, templates, [_template_row(each) for each in new])
        still_open = template_versions.c.until_run_id.is_(None)
        update_rows(self.connection, template_versions, [_version_row(each) for each in new], still_open)
        return {each.change.template_id for each in new}

    def remove(self, removed: Sequence[Change]) -> list[tuple[Change, str]]:
        """Soft-delete templates; return each removal with the content hash of its last document."""
        ids = [change.template_id for change in removed]
        which = templates.c.template_id.in_(ids)
        gone = {"removed_at": self.at, "removed_run_id": self.run_id, "changed_at": self.at, "changed_run_id": self.run_id}
        self.connection.execute(sa.update(templates).where(which).values(gone))
        self._close_versions(ids)
        end_price_periods(self.connection, ids, self.run_id, self.at)
        query = sa.select(templates.c.template_id, templates.c.content_hash).where(which)
        hashes = {row.template_id: row.content_hash for row in self.connection.execute(query)}
        return [(change, hashes[change.template_id]) for change in removed]

    def _begin_versions(self, new: Sequence[NewDocument]) -> None:
        rows = [_version_row(each) | {"from_run_id": self.run_id, "until_run_id": None} for each in new]
        insert_rows(self.connection, template_versions, rows)

    def _close_versions(self, ids: Sequence[str]) -> None:
        open_ones = sa.and_(template_versions.c.template_id.in_(ids), template_versions.c.until_run_id.is_(None))
        self.connection.execute(sa.update(template_versions).where(open_ones).values(until_run_id=self.run_id))

    def write_lists(self, new: Sequence[NewDocument], stored: AbstractSet[str]) -> None:
        """Write tags, prices and ratios that differ from the stored ones; only templates in `stored` can have rows already."""
        for name in LISTS:
            documents = [each.document for each in new if name in each.change.lists]
            old = [key for document in documents if (key := document["template_id"]) in stored]
            if name == "tags":
                self._assign_tag_ids(documents)
            if name == "consume_items":
                cut_price_periods(self.connection, documents, old, self.run_id, self.at)
            table = _TABLES[name]
            if old:
                self.connection.execute(sa.delete(table).where(table.c.template_id.in_(old)))
            rows = [
                {"template_id": document["template_id"], "position": position, **self._item_row(name, item)}
                for document in documents
                for position, item in enumerate(document[name])
            ]
            insert_rows(self.connection, table, rows)

    def _item_row(self, name: str, item: Any) -> dict[str, Any]:
        if name == "aspect_ratios":
            return {"aspect_ratio": item}
        if name == "tags":
            return {"tag_id": self._tag_ids[item["name"], item["name_en"]]}
        return {"resolution": item["resolution"], "credit": exact_decimal(item["credit"])}

    @cached_property
    def _tag_ids(self) -> dict[tuple[str, str | None], int]:
        """The id of each tag, by name and English name."""
        return {(row.name, row.name_en): row.tag_id for row in self.connection.execute(sa.select(tags))}

    def _assign_tag_ids(self, documents: Sequence[Document]) -> None:
        """Insert new tags; their ids are assigned here, not by the database, so that they are equal on every engine."""
        named = dict.fromkeys((tag["name"], tag["name_en"]) for document in documents for tag in document["tags"])
        new = [tag for tag in named if tag not in self._tag_ids]
        first = max(self._tag_ids.values(), default=0) + 1
        rows = [{"tag_id": number, "name": name, "name_en": name_en} for number, (name, name_en) in enumerate(new, first)]
        insert_rows(self.connection, tags, rows)
        self._tag_ids.update({tag: number for number, tag in enumerate(new, first)})


_TABLES = {"consume_items": consume_items, "tags": template_tags, "aspect_ratios": template_aspect_ratios}


def _template_row(new: NewDocument) -> dict[str, Any]:
    """Return a document as a row of `templates`, without the columns for runs and times."""
    row = {name: new.document[name] for name in ("template_id", *SCALARS.values(), "extra")}
    released = row["released_at"]
    row["released_at"] = released and datetime.fromisoformat(released)
    return {**row, "content_hash": new.content_hash, "wire_hash": new.change.wire_hash}


def _version_row(new: NewDocument) -> dict[str, Any]:
    """Return a document as a row of `template_versions`, without its start and end."""
    return {"template_id": new.document["template_id"], "document": new.document, "content_hash": new.content_hash}


def _save_sync_state(connection: sa.Connection, before: Any, plan: Plan, since: dict[str, Any]) -> None:
    """Save the state for the next run, if it differs; `since` names this run in the rows of newly missing templates."""
    state = plan.state
    require_same_origin(before.origin, plan.origin)  # `db origin --accept` may have come during the run
    now = {
        "unreconciled_ids": state.count_mismatch_ids,
        "unreconciled_runs": state.count_mismatch_runs,
        "unreconciled_since": state.count_mismatch_since,
        "origin": state.origin or before.origin,
    }
    if any(getattr(before, name) != value for name, value in now.items()):
        connection.execute(sa.update(sync_state).values(now))
    held = {key: {"runs": each.runs, "since_at": each.since} for key, each in state.held.items()}
    _replace_missing(connection, held_removals, held, {"since_run_id": since["since_run_id"]})
    unconfirmed = {key: each._asdict() for key, each in state.unconfirmed.items()}
    _replace_missing(connection, unconfirmed_removals, unconfirmed, since)


def _replace_missing(
    connection: sa.Connection, table: sa.Table, now: Mapping[str, dict[str, Any]], first: dict[str, Any]
) -> None:
    """Write which templates are held or unconfirmed, if that differs; `first` is kept from the first run that reported one."""
    before = {row["template_id"]: dict(row) for row in connection.execute(sa.select(table)).mappings()}
    kept = {key: {name: before[key][name] for name in first} if key in before else first for key in now}
    rows = {key: {"template_id": key, **kept[key], **values} for key, values in now.items()}
    if rows != before:
        connection.execute(sa.delete(table))
        insert_rows(connection, table, list(rows.values()))
