"""What the database holds before a run, and the one transaction that makes it what the catalog serves.

Nothing is upserted blindly: the run compared every row in Python, so only rows that differ are written, each with a plain
INSERT, UPDATE or DELETE, many at a time. A run that finds nothing new writes one row, its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from sync.db import lease as leases
from sync.db.engine import reading, writing
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
from sync.diff import Change, ChangeSet, Previous, Written
from sync.errors import DatabaseError, LeaseLost
from sync.runs import Run, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sync.snapshot import Template
    from sync.validate import Rejected

MOST_REJECTED = 1000
"""Rejected records kept per run; the count in `sync_runs` is of all of them."""
_BATCH = 500  # ids in one IN (...)
APPLY_ATTEMPTS = 3


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


class Store:
    """The database, as a run sees it."""

    def __init__(self, engine: sa.Engine, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.engine = engine
        self._sleep = sleep

    def load(self) -> tuple[Previous, Memory]:
        """Read what is present, by fingerprint, and what runs remember."""
        with reading(self.engine) as connection:
            known = connection.execute(sa.select(templates.c.template_id, templates.c.fingerprint, templates.c.removed_at)).all()
            state = connection.execute(sa.select(sync_state)).one()
            held = connection.execute(sa.select(held_removals.c.template_id, held_removals.c.runs)).all()
        previous = Previous(
            fingerprints={row.template_id: row.fingerprint for row in known if row.removed_at is None},
            removed=frozenset(row.template_id for row in known if row.removed_at is not None),
            wire_fields=None if state.wire_fields is None else frozenset(state.wire_fields),
        )
        return previous, Memory({row.template_id: row.runs for row in held}, state.unreconciled_ids, state.unreconciled_runs)

    def with_documents(self, previous: Previous, ids: Sequence[str]) -> Previous:
        """Read some of the present templates whole."""
        if not ids:
            return previous
        documents: dict[str, Any] = {}
        with reading(self.engine) as connection:
            for batch in _batches(ids):
                found = sa.select(template_versions.c.template_id, template_versions.c.document).where(
                    template_versions.c.until_run_id.is_(None), template_versions.c.template_id.in_(batch)
                )
                documents.update((row.template_id, row.document) for row in connection.execute(found))
        return replace(previous, documents=documents)

    def apply(self, lease: leases.Lease, applied: Applied) -> None:
        """Write everything that a run found, and its outcome, in one transaction; then the lease is given back.

        A connection may break while COMMIT is on its way, and nobody knows whether it arrived. The run's own row tells:
        if it is closed, everything was applied. If not, all of it is tried again.

        Raises:
            LeaseLost: another run took over.
            DatabaseError: it cannot be done, or not be known; the next run finds the database as before or as after.
        """
        for attempt in range(1, APPLY_ATTEMPTS + 1):
            try:
                with writing(self.engine) as connection:
                    leases.prove(connection, lease)
                    _write(connection, lease, applied)
                    leases.release(connection, lease)
            except (DatabaseError, LeaseLost) as error:
                in_doubt = isinstance(error, DatabaseError) or attempt > 1  # a run that landed has given its lease back
                if in_doubt and self._landed(lease, applied.run, attempt):
                    return
                if attempt == APPLY_ATTEMPTS or isinstance(error, LeaseLost):
                    raise
            else:
                return

    def _landed(self, lease: leases.Lease, run: Run, attempt: int) -> bool:
        """Tell whether a run's transaction was committed after all. A restarting server gets a few seconds to come back.

        A row with any other end than the run's own was closed by somebody else: another run that took over.
        """
        for pause in (0.1, 1.0, 3.0) if attempt == 1 else (1.0,):
            self._sleep(pause)
            try:
                with reading(self.engine) as connection:
                    found = connection.scalar(sa.select(sync_runs.c.status).where(sync_runs.c.run_id == lease.run_id))
            except DatabaseError:
                continue
            return bool(found == str(run.status))
        return False

    def close(self, lease: leases.Lease, run: Run) -> None:
        """Record how a run ended that applied nothing, and give the lease back. A row that is closed already stays as it is.

        The lease's row comes first, as everywhere: in another order two processes could each wait for the other's row.
        """
        with writing(self.engine) as connection:
            leases.release(connection, lease)
            connection.execute(
                sa.update(sync_runs)
                .where(sync_runs.c.run_id == lease.run_id, sync_runs.c.status == str(Status.RUNNING))
                .values(run.row())
            )


def _write(connection: sa.Connection, lease: leases.Lease, applied: Applied) -> None:
    run, changes = applied.run, applied.changes
    at = run.finished_at
    assert at is not None  # noqa: S101 - a run is applied when it has ended
    state = connection.execute(sa.select(sync_state)).one()
    by_kind: dict[str, list[Change]] = {"added": [], "changed": [], "removed": []}
    for change in changes.changes:
        by_kind[change.kind].append(change)
    if written := [change.after for change in changes.changes if change.after] + [now for _before, now in changes.quiet]:
        tag_ids = _know_tags(connection, written)
        _write_added(connection, by_kind["added"], lease.run_id, at)
        _write_changed(connection, by_kind["changed"], lease.run_id, at)
        _write_quiet(connection, changes.quiet)
        _write_prices(connection, written, lease.run_id, at)
        _write_lists(connection, written, tag_ids)
    _write_removed(connection, by_kind["removed"], lease.run_id, at)
    _write_feed(connection, changes.changes, state.last_seq, lease.run_id, at)
    _write_state(connection, state, applied, lease.run_id)
    _insert(connection, rejected_templates, _rejected_rows(applied.rejected, lease.run_id))
    connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == lease.run_id).values(run.row()))


def _columns(written: Written) -> dict[str, Any]:
    template = written.template
    columns = {name: getattr(template, name) for name in _SCALAR_COLUMNS}
    columns["released_at"] = _moment(template)
    return {**columns, "extra": template.extra, "content_hash": written.content_hash, "fingerprint": written.fingerprint}


def _moment(template: Template) -> datetime | None:
    from datetime import UTC, datetime

    return None if template.released_at is None else datetime.fromtimestamp(template.released_at, UTC)


_SCALAR_COLUMNS = tuple(
    column.name
    for column in templates.columns
    if column.name
    not in {
        "released_at", "extra", "content_hash", "fingerprint", "first_seen_at", "changed_at", "removed_at",
        "first_seen_run_id", "changed_run_id", "removed_run_id",
    }
)  # fmt: skip


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
    for batch in _batches([new.template.template_id for new in written]):
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
    for batch in _batches(ids):
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
    for batch in _batches(ids):
        still = sa.update(template_versions).where(
            template_versions.c.template_id.in_(batch), template_versions.c.until_run_id.is_(None)
        )
        connection.execute(still.values(until_run_id=run_id))


def _existing(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for batch in _batches(ids):
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
    for batch in _batches(ids):
        connection.execute(sa.delete(table).where(table.c.template_id.in_(batch)))


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
