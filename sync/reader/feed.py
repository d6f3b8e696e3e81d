"""Read and follow the change feed, and list the missing templates that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.document import to_plain_json
from sync.catalog.feed import LARGEST_NUMBER, Cursor, apply_fields, price_moves
from sync.catalog.url_query import URL_FIELDS
from sync.errors import CursorLost, TryLater, UsageError
from sync.reader.stored_templates import normalize_document, printed, sort_keys
from sync.store.bulk import BATCH, batches
from sync.store.engine import reading
from sync.store.schema import reading_current
from sync.store.server_hosts import is_standby
from sync.store.tables import (
    held_removals,
    sync_runs,
    sync_state,
    template_changes,
    template_versions,
    unconfirmed_removals,
)
from sync.text import count_of, iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sync.store.engine import Source


_FIELD_KEYS = ("field", "old", "new", "gained", "lost", "absent")
_VERSION_OF_CHANGE = sa.and_(
    template_versions.c.template_id == template_changes.c.template_id,
    template_versions.c.from_run_id == template_changes.c.run_id,
    template_changes.c.kind != "removed",
)


def changes(
    source: Source,
    *,
    since: str | int | None = None,
    run_id: int | None = None,
    template_id: str | None = None,
    most: int | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Read the feed, oldest first: each change with the document after it; a removal with the last document.

    Of the changes after a cursor or `seq`, of a run or of a template, it reads all, the newest (`most`) or the oldest (`limit`).

    Raises:
        CursorLost: `since` is not valid here, so a copy that continued from it would be wrong.
    """
    with reading_current(source) as connection:
        wanted = [
            column == value
            for column, value in ((template_changes.c.run_id, run_id), (template_changes.c.template_id, template_id))
            if value is not None
        ]
        if since is not None:
            wanted.append(template_changes.c.seq > validate_cursor(connection, since))
        query = sa.select(template_changes, template_versions.c.document).outerjoin(template_versions, _VERSION_OF_CHANGE)
        order = template_changes.c.seq.desc() if limit is None else template_changes.c.seq
        query = query.where(*wanted).order_by(order).limit(most if limit is None else limit)
        found = [dict(row) for row in connection.execute(query).mappings()]
        _add_last_documents(connection, [row for row in found if row["kind"] == "removed"])
    return [_change(row) for row in sorted(found, key=lambda row: int(row["seq"]))]


def pending(engine: sa.Engine) -> list[dict[str, Any]]:
    """Read the missing templates that are kept: held removals first, then unconfirmed ones."""
    why_held = "too many templates are missing; confirmed by {}"
    with reading_current(engine) as connection:
        held = _missing(connection, held_removals, "runs")
        unconfirmed = _missing(connection, unconfirmed_removals, "reason", "answered")
    return [
        *(
            {"state": "held", "reason": why_held.format(count_of(row["runs"], "consecutive run")), "answered": True, **row}
            for row in held
        ),
        *({"state": "unconfirmed", "runs": 0, **row} for row in unconfirmed),
    ]


def _missing(connection: sa.Connection, table: sa.Table, *names: str) -> list[dict[str, Any]]:
    query = (
        sa.select(*(table.c[name] for name in ("template_id", "since_run_id", "since_at", *names)), template_versions.c.document)
        .join(template_versions, template_versions.c.template_id == table.c.template_id)
        .where(template_versions.c.until_run_id.is_(None))
        .order_by(table.c.template_id)
    )
    return [
        {**row, "since_at": iso(row["since_at"]), "document": printed(normalize_document(row["document"]))}
        for row in connection.execute(query).mappings()
    ]


def _add_last_documents(connection: sa.Connection, removed: Sequence[dict[str, Any]]) -> None:
    """Add the last document of each removed template."""
    versions = template_versions.c
    for batch in batches(removed):
        last = sa.select(versions.template_id, versions.until_run_id, versions.document).where(
            versions.template_id.in_([row["template_id"] for row in batch]),
            versions.until_run_id.in_({row["run_id"] for row in batch}),
        )
        documents = {(row.template_id, row.until_run_id): row.document for row in connection.execute(last)}
        for row in batch:
            row["before"] = documents.get((row["template_id"], row["run_id"]))


def _change(row: dict[str, Any]) -> dict[str, Any]:
    fields, document = row["fields"] or (), row["document"]
    if document is not None:
        # Later runs may have rewritten the document without a change, so it gets the values of this change; URLs keep the new
        # signature. Version 0.1.0 published the disappearance of an unknown field as `absent`, which has no new value.
        document = apply_fields(document, [each for each in fields if each["field"] not in URL_FIELDS and "absent" not in each])
    return {
        "seq": row["seq"],
        "run_id": row["run_id"],
        "at": iso(row["at"]),
        "template_id": row["template_id"],
        "kind": row["kind"],
        "fields": [{name: sort_keys(field[name]) for name in _FIELD_KEYS if name in field} for field in fields],
        "evidence": row["evidence"],
        "prices": to_plain_json(price_moves(fields)),
        "breaking": row["breaking"],
        "cursor": row["cursor"],
        "document": None if document is None else printed(normalize_document(document)),
        "before": None if row.get("before") is None else printed(normalize_document(row["before"])),
    }


def position_after(connection: sa.Connection, run_id: int) -> dict[str, Any]:
    """Return the end of the feed after a run, in the form of a change: `seq`, `cursor`, `run_id`, `at`."""
    rows = sa.select(template_changes.c.seq, template_changes.c.cursor).where(template_changes.c.run_id <= run_id)
    last = connection.execute(rows.order_by(template_changes.c.seq.desc()).limit(1)).one_or_none()
    ended = connection.scalar(sa.select(sync_runs.c.finished_at).where(sync_runs.c.run_id == run_id))
    where = {"run_id": run_id, "at": None if ended is None else iso(ended)}
    if last is not None:
        return {"seq": last.seq, "cursor": last.cursor, **where}
    state = connection.execute(sa.select(sync_state)).one()
    first = str(Cursor.start(state.feed_epoch)) if state.oldest_seq == 1 else None
    began = first or state.pruned_cursor or str(state.oldest_seq - 1)  # pruned_cursor is null if sync_state was restored by hand
    return {"seq": state.oldest_seq - 1, "cursor": began, **where}


def follow(engine: sa.Engine, since: str | int, *, pause: Iterator[None]) -> Iterator[dict[str, Any]]:
    """Yield changes as they are committed, each once, in order; `pause` is advanced before each query.

    Raises:
        CursorLost: the database lost changes, as after a restore.
    """
    for _ in pause:
        while found := changes(engine, since=since, limit=BATCH):  # a follower may be a whole feed behind
            for change in found:
                since = change["cursor"]
                yield change


# Cursors --------------------------------------------------------------------------------------------------------------


def check_position(since: str | int | None) -> str | int | None:
    """Return a cursor or a `seq`; raise ValueError for anything else."""
    if since is not None and parse_position(since) is None:
        raise ValueError(f"since: a cursor or a seq, not {since!r}.")
    return since


def validate_cursor(connection: sa.Connection, since: str | int) -> int:
    """Return the `seq` after which the reader continues; read the changes in the same transaction.

    Of a `seq` only the range is checked.

    Raises:
        UsageError: it is not a cursor.
        CursorLost: it is not of this feed, or changes after it were pruned or lost.
        TryLater: it is ahead of a standby that lags.
    """
    state = dict(connection.execute(sa.select(sync_state)).mappings().one())
    given = parse_position(since)
    if given is None:
        raise UsageError(
            f"{str(since)[:80]!r} is not a cursor of the feed.", hint="`template-sync status` shows the current cursor."
        )
    if given.epoch and given.epoch != state["feed_epoch"]:
        raise _lost(
            state, "other-feed", "The cursor belongs to another feed: this database was created again, or is another one."
        )
    if given.seq > state["last_seq"]:
        if is_standby(connection):
            raise TryLater(
                f"The cursor is ahead of this standby, which has replayed up to seq {state['last_seq']}.",
                hint="Wait until it has caught up, or use its primary.",
            )
        end = f"the feed ends at {state['last_seq']}: the database lost later changes"
        raise _lost(state, "ahead", f"The cursor is at seq {given.seq}, but {end}.")
    if given.seq < state["oldest_seq"] - 1:
        gone = f"Changes {given.seq + 1} to {state['oldest_seq'] - 1}, which follow the cursor, were pruned"
        raise _lost(state, "pruned", f"{gone}; the feed begins at seq {state['oldest_seq']}.")
    if given.epoch and str(given) not in _valid_cursors(connection, state, given.seq):
        diverged = f"The cursor's history differs from that of this database up to seq {given.seq}, as after a restore."
        raise _lost(state, "diverged", diverged)
    return given.seq


def last_cursor(engine: sa.Engine) -> str | None:
    """Return the cursor of the end of the feed."""
    with reading(engine) as connection:
        found: str | None = connection.scalar(sa.select(sync_state.c.last_cursor))
    return found


def parse_position(since: object) -> Cursor | None:
    """Parse a cursor, or a `seq`, which has no epoch; return None if it is neither."""
    if isinstance(since, str) and since.isascii() and since.isdecimal() and len(since) <= len(str(LARGEST_NUMBER)):
        since = int(since)
    if isinstance(since, int) and not isinstance(since, bool):
        return Cursor("", since, "") if 0 <= since <= LARGEST_NUMBER else None
    return Cursor.parse(since) if isinstance(since, str) else None


def _valid_cursors(connection: sa.Connection, state: Mapping[str, Any], seq: int) -> set[str | None]:
    """Return the valid cursors at a position: of its change, and those stored for the start and the end of the feed."""
    found = {connection.scalar(sa.select(template_changes.c.cursor).where(template_changes.c.seq == seq))}
    if seq == state["last_seq"]:
        found.add(state["last_cursor"])
    if seq == state["oldest_seq"] - 1:
        found.add(state["pruned_cursor"])
    if seq == 0:
        found.add(str(Cursor.start(state["feed_epoch"])))
    return found


def _lost(state: Mapping[str, Any], reason: str, message: str) -> CursorLost:
    return CursorLost(
        message, reason=reason, oldest_seq=state["oldest_seq"], last_seq=state["last_seq"], cursor=state["last_cursor"]
    )
