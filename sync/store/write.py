"""The statements of one run's transaction: templates, lists, prices, versions, the feed, what the next run must remember.

Nothing is upserted blindly: the run compared every record in Python, so only rows that differ are written, each with a plain
INSERT, UPDATE or DELETE, a batch at a time. A run that finds nothing new writes one row, its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.template import LISTS
from sync.errors import DatabaseError
from sync.store.batches import batches, insert_columns, insert_rows, the_same, update_columns, update_rows
from sync.store.feed_seq import Feed
from sync.store.price_periods import cut_price_periods, end_price_periods
from sync.store.tables import (
    held_removals,
    rejected_templates,
    sync_runs,
    sync_state,
    template_versions,
    templates,
    unconfirmed_removals,
)
from sync.store.tag_ids import number_new_tags, tag_ids
from sync.store.template_rows import replace_list, template_columns, version_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sync.catalog.diff import Change
    from sync.catalog.intake import Spooled
    from sync.catalog.set_aside import Rejected
    from sync.store.tag_ids import TagIds
    from sync.store.write_set import WriteSet

    Pair = tuple[Change, Spooled]
    """A change, and what is kept of its document."""


def write_run(connection: sa.Connection, run_id: int, write_set: WriteSet) -> None:
    """Write everything that a run found, and its outcome."""
    changes, at = write_set.changes, write_set.run.finished_at
    assert at is not None  # noqa: S101 - a run is applied when it has ended
    state = connection.execute(sa.select(sync_state)).one()
    of_kind: dict[str, list[Change]] = {"added": [], "changed": [], "removed": []}
    for change in changes.changes:
        of_kind[change.kind].append(change)
    feed = Feed(connection, run_id, at) if changes.changes else None
    add = partial(_add, first=state.last_seq == 0)
    documents: list[tuple[Callable[..., Sequence[str]], Sequence[Change]]]
    documents = [(add, of_kind["added"]), (_change, of_kind["changed"]), (_rewrite, changes.unpublished)]
    if any(some for _how, some in documents):
        numbers = tag_ids(connection)
        for how, some in documents:
            for batch in batches(some):
                pairs = [(change, write_set.read(change.reading)) for change in batch]
                stored = how(connection, pairs, run_id, at)
                _write_lists(connection, pairs, stored, numbers, run_id, at)
                if feed and how is not _rewrite:
                    feed.append(pairs)
    _remember_bytes(connection, changes.respelled)
    _remove(connection, of_kind["removed"], run_id, at)
    if feed:
        for batch in batches(of_kind["removed"]):
            feed.append([(change, write_set.read(change.reading)) for change in batch])
        feed.close()
    _remember(connection, state, write_set, run_id)
    insert_rows(connection, rejected_templates, _rejected_rows(write_set.rejected, run_id))
    closed = connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == run_id).values(write_set.run.row()))
    if closed.rowcount != 1:
        raise DatabaseError("The run's own row is gone from sync_runs; nothing was applied.", hint="Who deleted it?")


def _add(connection: sa.Connection, pairs: Sequence[Pair], run_id: int, at: datetime, *, first: bool) -> Sequence[str]:
    """Insert new templates; one that returns gets its old row back. None can in the very `first` run."""
    returned = set() if first else _stored(connection, [change.template_id for change, _ in pairs])
    new = [pair for pair in pairs if pair[0].template_id not in returned]
    back = [pair for pair in pairs if pair[0].template_id in returned]
    now = {"changed_at": at, "changed_run_id": run_id, "removed_at": None, "removed_run_id": None}
    seen = {"first_seen_at": at, "first_seen_run_id": run_id}
    insert_columns(connection, templates, _columns(new) | the_same({**now, **seen}, len(new)))
    update_columns(connection, templates, _columns(back) | the_same(now, len(back)))
    _begin_versions(connection, pairs, run_id)
    return sorted(returned)


def _columns(pairs: Sequence[Pair]) -> dict[str, list[Any]]:
    changes, spooled = [change for change, _ in pairs], [new for _, new in pairs]
    return template_columns(spooled, [change.wire_hash for change in changes])


def _stored(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    return set(connection.scalars(sa.select(templates.c.template_id).where(templates.c.template_id.in_(ids))))


def _begin_versions(connection: sa.Connection, pairs: Sequence[Pair], run_id: int) -> None:
    begun = the_same({"from_run_id": run_id, "until_run_id": None}, len(pairs))
    insert_columns(connection, template_versions, version_columns([new for _, new in pairs]) | begun)


def _change(connection: sa.Connection, pairs: Sequence[Pair], run_id: int, at: datetime) -> Sequence[str]:
    """Update templates and begin a new version of each."""
    ids = [change.template_id for change, _ in pairs]
    update_columns(connection, templates, _columns(pairs) | the_same({"changed_at": at, "changed_run_id": run_id}, len(ids)))
    _close_versions(connection, ids, run_id)
    _begin_versions(connection, pairs, run_id)
    return ids


def _rewrite(
    connection: sa.Connection,
    pairs: Sequence[Pair],
    run_id: int,  # noqa: ARG001 - no run shows in what is not published
    at: datetime,  # noqa: ARG001 - nor does its time
) -> Sequence[str]:
    """Store what is no change: a new signature, another order.

    The open version's document follows, so that it stays what the table says and the feed still replays to it.
    """
    update_columns(connection, templates, _columns(pairs))
    update_columns(connection, template_versions, version_columns([new for _, new in pairs]), only="until_run_id IS NULL")
    return [change.template_id for change, _ in pairs]


def _write_lists(
    connection: sa.Connection,
    pairs: Sequence[Pair],
    stored: Sequence[str],
    numbers: TagIds,
    run_id: int,
    at: datetime,
) -> None:
    """Write what hangs on the templates, tags, prices and ratios, where it differs: a new signature touches none of them."""
    for name in LISTS:
        documents = [each.document for change, each in pairs if name in change.lists and each.document is not None]
        if not documents:
            continue
        if name == "tags":
            number_new_tags(connection, numbers, documents)
        if name == "consume_items":
            cut_price_periods(connection, documents, stored, run_id, at)
        replace_list(connection, name, documents, numbers, stored)


def _remember_bytes(connection: sa.Connection, respelled: Mapping[str, str | None]) -> None:
    """Store the hash of the bytes in which templates say the same as before."""
    for batch in batches(list(respelled.items())):
        update_rows(connection, templates, [{"template_id": key, "wire_hash": hashed} for key, hashed in batch])


def _remove(connection: sa.Connection, removed: Sequence[Change], run_id: int, at: datetime) -> None:
    """Mark templates as removed; their rows stay."""
    gone = {"removed_at": at, "removed_run_id": run_id, "changed_at": at, "changed_run_id": run_id}
    for batch in batches([change.template_id for change in removed]):
        update_rows(connection, templates, [{"template_id": key, **gone} for key in batch])
        _close_versions(connection, batch, run_id)
        end_price_periods(connection, batch, run_id, at)


def _remember(connection: sa.Connection, before: Any, write_set: WriteSet, run_id: int) -> None:
    """Remember for the next run, if there is anything new to remember."""
    state, changes = write_set.state, write_set.changes
    now = {
        "wire_fields": None if changes.wire_fields is None else sorted(changes.wire_fields),
        "absent_fields": sorted(changes.absent_fields) or None,
        "unreconciled_ids": state.count_mismatch_ids,
        "unreconciled_runs": state.count_mismatch_runs,
        "unreconciled_since": state.count_mismatch_since,
    }
    if any(getattr(before, name) != value for name, value in now.items()):
        connection.execute(sa.update(sync_state).values(now))
    began = write_set.run.started_at
    held = {key: {"runs": each.runs, "since_at": each.since} for key, each in state.held.items()}
    _replace_missing(connection, held_removals, held, {"since_run_id": run_id})
    unconfirmed = {key: {"reason": each.reason, "answered": each.answered} for key, each in state.unconfirmed.items()}
    _replace_missing(connection, unconfirmed_removals, unconfirmed, {"since_run_id": run_id, "since_at": began})


def _replace_missing(
    connection: sa.Connection, table: sa.Table, now: Mapping[str, dict[str, Any]], first: dict[str, Any]
) -> None:
    """Write which templates are held or unconfirmed, where that differs; `first` is kept from the run that noted one first."""
    before = {row["template_id"]: dict(row) for row in connection.execute(sa.select(table)).mappings()}
    kept = {key: {name: before[key][name] for name in first} if key in before else first for key in now}
    rows = {key: {"template_id": key, **kept[key], **values} for key, values in now.items()}
    if rows != before:
        connection.execute(sa.delete(table))
        insert_rows(connection, table, list(rows.values()))


def _rejected_rows(rejected: Sequence[Rejected], run_id: int) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id, "ordinal": ordinal, "page": bad.page, "position": bad.position, "template_id": bad.template_id,
            "reason": bad.reason, "payload": bad.payload,
        }
        for ordinal, bad in enumerate(rejected, 1)
    ]  # fmt: skip


def _close_versions(connection: sa.Connection, ids: Sequence[str], run_id: int) -> None:
    open_ones = sa.and_(template_versions.c.template_id.in_(ids), template_versions.c.until_run_id.is_(None))
    connection.execute(sa.update(template_versions).where(open_ones).values(until_run_id=run_id))
