"""The statements of one run's transaction: templates, lists, prices, versions, the feed, what the next run must remember.

Nothing is upserted blindly: the run compared every row in Python, so only rows that differ are written, each with a plain
INSERT, UPDATE or DELETE, many at a time. A run that finds nothing new writes one row, its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from sync.db.tables import (
    consume_items,
    held_removals,
    price_periods,
    rejected_templates,
    sync_runs,
    sync_state,
    tags,
    template_aspect_ratios,
    template_changes,
    template_tags,
    template_versions,
    templates,
)
from sync.snapshot import SCALARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sync.diff import Change, ChangeSet, Written
    from sync.runs import Run
    from sync.validate import Rejected

MOST_REJECTED = 1000
"""Rejected records kept per run; the count in `sync_runs` is of all of them."""
_BATCH = 500  # ids in one IN (...)


@dataclass(frozen=True, slots=True)
class Memory:
    """What runs remember of the ones before.

    Attributes:
        held: id -> consecutive verified runs that agreed that it is gone.
        unreconciled_ids: hash of the ids that walks with a wrong count served.
        unreconciled_runs: how many such runs in a row served those ids.
    """

    held: Mapping[str, int] = field(default_factory=dict)
    unreconciled_ids: str | None = None
    unreconciled_runs: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """All that one run writes."""

    run: Run
    changes: ChangeSet
    rejected: Sequence[Rejected]
    memory: Memory


def write(connection: sa.Connection, run_id: int, applied: Applied) -> None:
    """Write everything that a run found, and its outcome."""
    changes, at = applied.changes, applied.run.finished_at
    assert at is not None  # noqa: S101 - a run is applied when it has ended
    state = connection.execute(sa.select(sync_state)).one()
    by_kind: dict[str, list[Change]] = {"added": [], "changed": [], "removed": []}
    for change in changes.changes:
        by_kind[change.kind].append(change)
    if written := [change.after for change in changes.changes if change.after] + [now for _before, now in changes.quiet]:
        tag_ids = _know_tags(connection, written)
        _write_added(connection, by_kind["added"], run_id, at)
        _write_changed(connection, by_kind["changed"], run_id, at)
        _write_quiet(connection, changes.quiet)
        _write_prices(connection, written, run_id, at)
        _write_lists(connection, written, tag_ids)
    _write_removed(connection, by_kind["removed"], run_id, at)
    _write_feed(connection, changes.changes, state.last_seq, run_id, at)
    _write_state(connection, state, applied, run_id)
    _insert(connection, rejected_templates, _rejected_rows(applied.rejected, run_id))
    connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == run_id).values(applied.run.row()))


_PLAIN_COLUMNS = ("template_id", *(name for name in SCALARS.values() if name != "released_at"))


def _columns(written: Written) -> dict[str, Any]:
    template = written.template
    columns: dict[str, Any] = {name: getattr(template, name) for name in _PLAIN_COLUMNS}
    seconds = template.released_at
    columns["released_at"] = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return {**columns, "extra": template.extra, "content_hash": written.content_hash, "fingerprint": written.fingerprint}


def _write_added(connection: sa.Connection, added: Sequence[Change], run_id: int, at: datetime) -> None:
    """Insert new templates; a template that returns gets its old row back."""
    written = [change.after for change in added if change.after]
    returned = _existing(connection, [new.template.template_id for new in written])
    seen_now = {"changed_at": at, "changed_run_id": run_id, "removed_at": None, "removed_run_id": None}
    first = {"first_seen_at": at, "first_seen_run_id": run_id}
    _insert(
        connection,
        templates,
        [{**_columns(new), **seen_now, **first} for new in written if new.template.template_id not in returned],
    )
    _update(connection, templates, [{**_columns(new), **seen_now} for new in written if new.template.template_id in returned])
    _insert(connection, template_versions, [_version(new, run_id) for new in written])


def _write_changed(connection: sa.Connection, changed: Sequence[Change], run_id: int, at: datetime) -> None:
    written = [change.after for change in changed if change.after]
    _update(connection, templates, [{**_columns(new), "changed_at": at, "changed_run_id": run_id} for new in written])
    _close_versions(connection, [new.template.template_id for new in written], run_id)
    _insert(connection, template_versions, [_version(new, run_id) for new in written])


def _write_quiet(connection: sa.Connection, quiet: Sequence[tuple[Any, Written]]) -> None:
    """Store what is no change: a new signature, another order.

    The open version's document follows, so that it stays what the table says and the feed still replays to it.
    """
    written = [now for _before, now in quiet]
    _update(connection, templates, [_columns(now) for now in written])
    if written:
        versions = template_versions
        connection.execute(
            sa.update(versions)
            .where(versions.c.template_id == bindparam("key"), versions.c.until_run_id.is_(None))
            .values(document=bindparam("written"), content_hash=bindparam("hash")),
            [{"key": now.template.template_id, "written": now.document, "hash": now.content_hash} for now in written],
        )


def _write_prices(connection: sa.Connection, written: Sequence[Written], run_id: int, at: datetime) -> None:
    """End the periods of prices that no longer hold, and begin those of new ones.

    Compared with the periods themselves, not with what is told: a price that is new to the whole catalog is no change.
    """
    periods = price_periods
    still = periods.c.valid_until.is_(None)
    now = {(new.template.template_id, price.resolution): price.credit for new in written for price in new.template.consume_items}
    before: dict[tuple[str, str], Any] = {}
    for batch in batches([new.template.template_id for new in written]):
        query = sa.select(periods.c.template_id, periods.c.resolution, periods.c.credit)
        found = connection.execute(query.where(periods.c.template_id.in_(batch), still))
        before.update({(row.template_id, row.resolution): row.credit for row in found})
    if ended := [{"key": key, "size": size} for (key, size), credit in before.items() if now.get((key, size)) != credit]:
        which = sa.and_(periods.c.template_id == bindparam("key"), periods.c.resolution == bindparam("size"), still)
        connection.execute(sa.update(periods).where(which).values(valid_until=at), ended)
    begun = {"from_run_id": run_id, "valid_from": at, "valid_until": None}
    _insert(
        connection,
        periods,
        [
            {"template_id": key, "resolution": size, "credit": credit, **begun}
            for (key, size), credit in now.items()
            if before.get((key, size)) != credit
        ],
    )


def _write_lists(connection: sa.Connection, written: Sequence[Written], tag_ids: Mapping[tuple[str, str | None], int]) -> None:
    """Replace the lists of the given templates: prices, tags, ratios, each in the order served."""
    ids = [new.template.template_id for new in written]
    for table in (consume_items, template_tags, template_aspect_ratios):
        _delete(connection, table, ids)
    prices, placed, ratios = [], [], []
    for new in written:
        key = {"template_id": new.template.template_id}
        for position, price in enumerate(new.template.consume_items):
            prices.append({**key, "position": position, "resolution": price.resolution, "credit": price.credit})
        for position, tag in enumerate(new.template.tags):
            placed.append({**key, "position": position, "tag_id": tag_ids[tag.name, tag.name_en]})
        for position, ratio in enumerate(new.template.aspect_ratios):
            ratios.append({**key, "position": position, "aspect_ratio": ratio})
    _insert(connection, consume_items, prices)
    _insert(connection, template_tags, placed)
    _insert(connection, template_aspect_ratios, ratios)


def _write_removed(connection: sa.Connection, removed: Sequence[Change], run_id: int, at: datetime) -> None:
    """Mark templates as removed; their rows stay."""
    ids = [change.template_id for change in removed]
    _update(
        connection,
        templates,
        [
            {"template_id": key, "removed_at": at, "removed_run_id": run_id, "changed_at": at, "changed_run_id": run_id}
            for key in ids
        ],
    )
    _close_versions(connection, ids, run_id)
    for batch in batches(ids):
        still = sa.update(price_periods).where(price_periods.c.template_id.in_(batch), price_periods.c.valid_until.is_(None))
        connection.execute(still.values(valid_until=at))


def _write_feed(connection: sa.Connection, changes: Sequence[Change], last_seq: int, run_id: int, at: datetime) -> None:
    """Append to the feed. The numbers come from a row that this transaction holds, not from a sequence: those leave gaps."""
    rows = [
        {
            "seq": seq, "run_id": run_id, "at": at, "template_id": change.template_id, "kind": change.kind,
            "fields": list(change.fields) or None, "evidence": change.evidence,
        }
        for seq, change in enumerate(changes, last_seq + 1)
    ]  # fmt: skip
    _insert(connection, template_changes, rows)
    if rows:
        connection.execute(sa.update(sync_state).values(last_seq=last_seq + len(rows)))


def _write_state(connection: sa.Connection, state: Any, applied: Applied, run_id: int) -> None:
    """Remember for the next run, if there is anything new to remember."""
    memory = applied.memory
    now = {
        "wire_fields": None if applied.changes.wire_fields is None else sorted(applied.changes.wire_fields),
        "absent_fields": sorted(applied.changes.absent_fields) or None,
        "unreconciled_ids": memory.unreconciled_ids,
        "unreconciled_runs": memory.unreconciled_runs,
    }
    if any(getattr(state, name) != value for name, value in now.items()):
        connection.execute(sa.update(sync_state).values(now))
    before = {row.template_id: row for row in connection.execute(sa.select(held_removals))}
    if {template_id: row.runs for template_id, row in before.items()} != memory.held:
        connection.execute(sa.delete(held_removals))
        since = {template_id: row.since_run_id for template_id, row in before.items()}
        rows = [{"template_id": key, "runs": runs, "since_run_id": since.get(key, run_id)} for key, runs in memory.held.items()]
        _insert(connection, held_removals, rows)


def _know_tags(connection: sa.Connection, written: Iterable[Written]) -> dict[tuple[str, str | None], int]:
    """Give every tag's id, adding the new ones. Ids are counted here, so that the same input gives the same on every engine."""
    ids = {(row.name, row.name_en): row.tag_id for row in connection.execute(sa.select(tags))}
    new = dict.fromkeys(
        (tag.name, tag.name_en) for each in written for tag in each.template.tags if (tag.name, tag.name_en) not in ids
    )
    numbered = {tag: number for number, tag in enumerate(new, max(ids.values(), default=0) + 1)}
    _insert(
        connection, tags, [{"tag_id": number, "name": name, "name_en": name_en} for (name, name_en), number in numbered.items()]
    )
    return ids | numbered


def _version(new: Written, run_id: int) -> dict[str, Any]:
    return {
        "template_id": new.template.template_id,
        "from_run_id": run_id,
        "until_run_id": None,
        "document": new.document,
        "content_hash": new.content_hash,
    }


def _rejected_rows(rejected: Sequence[Rejected], run_id: int) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id, "ordinal": ordinal, "page": bad.page, "position": bad.position, "template_id": bad.template_id,
            "reason": bad.reason, "payload": bad.payload,
        }
        for ordinal, bad in enumerate(rejected[:MOST_REJECTED], 1)
    ]  # fmt: skip


def _close_versions(connection: sa.Connection, ids: Sequence[str], run_id: int) -> None:
    for batch in batches(ids):
        still = sa.update(template_versions).where(
            template_versions.c.template_id.in_(batch), template_versions.c.until_run_id.is_(None)
        )
        connection.execute(still.values(until_run_id=run_id))


def _existing(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for batch in batches(ids):
        found.update(connection.scalars(sa.select(templates.c.template_id).where(templates.c.template_id.in_(batch))))
    return found


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _update(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by their `template_id`; all of them name the same columns."""
    if rows:
        changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != "template_id"}
        bound = [{"key" if name == "template_id" else f"new_{name}": value for name, value in row.items()} for row in rows]
        connection.execute(sa.update(table).where(table.c.template_id == bindparam("key")).values(changed), bound)


def _delete(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> None:
    for batch in batches(ids):
        connection.execute(sa.delete(table).where(table.c.template_id.in_(batch)))


def batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """Cut ids into lists that fit into one IN (...) on every database."""
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
