"""Check the history for `db check`: the hash chain, the replay of the feed to the tables, and the versions of templates."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.document import canonical, is_content_hash, json_number, to_plain_json
from sync.catalog.feed import CHAINED, Cursor, price_moves
from sync.catalog.fields import SCALARS
from sync.reader.past import oldest_kept, price_ended
from sync.reader.stored_templates import normalize_document
from sync.store.bulk import rows_in_batches
from sync.store.engine import reading
from sync.store.tables import (
    consume_items,
    metadata,
    price_changes,
    price_periods,
    sync_state,
    tags,
    template_aspect_ratios,
    template_changes,
    template_tags,
    template_versions,
    templates,
)
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sync.catalog.document import Document

MAX_SHOWN = 20


def feed_problems(engine: sa.Engine) -> list[str]:
    """Read the whole feed and catalog; return the inconsistencies, one line each, at most MAX_SHOWN.

    It reads in batches, in one transaction, so runs continue and only ids are kept in memory. The schema must be current.
    """
    found: list[str] = []
    with reading(engine) as connection:
        for problems in (
            _check_chain_and_replay, _check_documents, _check_versions_and_prices, _check_ends, _check_references,
        ):  # fmt: skip
            for problem in _readable(problems(connection)):
                found.append(problem)
                if len(found) == MAX_SHOWN:
                    return [*found, "and perhaps more"]
    return found


def _readable(problems: Iterator[str]) -> Iterator[str]:
    """Yield problems; report a value of an invalid type as one."""
    try:
        yield from problems
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        yield f"A row has an invalid value, and the check stops there ({type(error).__name__})."


def _check_chain_and_replay(connection: sa.Connection) -> Iterator[str]:
    state = connection.execute(sa.select(sync_state)).one()
    complete = state.oldest_seq == 1
    cursor = Cursor.start(state.feed_epoch) if complete else Cursor.parse(state.pruned_cursor or "")
    end = str(cursor) if cursor else None
    present: dict[str, bool] = {}
    seq = state.oldest_seq - 1
    if connection.scalar(sa.select(sa.func.count()).where(template_changes.c.seq <= seq)):
        yield f"sync_state has the start of the feed at seq {state.oldest_seq}, but there are earlier changes."
    feed = sa.select(*(template_changes.c[name] for name in (*CHAINED, "cursor"))).where(template_changes.c.seq > seq)
    for row in chain.from_iterable(rows_in_batches(connection, feed, template_changes.c.seq)):
        seq += 1
        if row.seq != seq:
            yield f"The feed lacks seq {seq} to {row.seq - 1}."
            seq, cursor = row.seq, None
        expected = cursor.after({**row._asdict(), "at": iso(row.at)}) if cursor else None
        if expected and row.cursor != str(expected):
            yield f"The hash chain is broken at seq {seq}: this change, or an earlier one, was modified."
        cursor, end = Cursor.parse(row.cursor or ""), row.cursor
        was = present.get(row.template_id, False if complete else None)
        if was is not None and was == (row.kind == "added"):
            yield f"Change {seq} is '{row.kind}' of template {row.template_id}, which was {'' if was else 'not '}present."
        present[row.template_id] = row.kind != "removed"
    if seq != state.last_seq or end != state.last_cursor:
        yield f"sync_state has the end of the feed at seq {state.last_seq}; it is at {seq}, or at another cursor."
    stored = set(connection.scalars(sa.select(templates.c.template_id).where(templates.c.removed_at.is_(None))))
    replayed = {key for key, is_present in present.items() if is_present}
    odd = {*(replayed - stored), *(key for key in stored - replayed if complete or present.get(key) is False)}
    for template_id in sorted(odd):
        yield f"Template {template_id} is {'' if template_id in stored else 'not '}present, but the feed differs."


def _check_documents(connection: sa.Connection) -> Iterator[str]:
    """Compare the open version of each present template, to which the feed leads, with its rows."""
    present, versions = sa.select(templates).where(templates.c.removed_at.is_(None)), template_versions.c
    for rows in rows_in_batches(connection, present, templates.c.template_id):
        ids = [row.template_id for row in rows]
        still = sa.select(versions.template_id, versions.document, versions.content_hash).where(
            versions.template_id.in_(ids), versions.until_run_id.is_(None)
        )
        open_ones = {row.template_id: row for row in connection.execute(still)}
        lists = _lists(connection, ids)
        still_valid = sa.select(price_periods).where(price_periods.c.template_id.in_(ids), price_periods.c.valid_until.is_(None))
        prices = _by_template(connection, still_valid)
        for row in rows:
            template_id = row.template_id
            version, found = open_ones.get(template_id), lists[template_id]
            if version is None:
                yield f"Template {template_id} is present and has no open version."
                continue
            if canonical(normalize_document(version.document)) != canonical(_from_rows(row._asdict(), found)):
                yield f"Template {template_id}: its newest version differs from the tables."
            elif version.content_hash != row.content_hash:
                yield f"Template {template_id}: its newest version has another hash than its row."
            if {each.resolution: json_number(each.credit) for each in prices[template_id]} != _prices(found):
                yield f"Template {template_id}: the latest prices of its history differ from the tables."


def _check_versions_and_prices(connection: sa.Connection) -> Iterator[str]:
    """Check the document, the numeric prices and the price history of each change."""
    versions = template_versions.c
    shown = template_changes.outerjoin(
        template_versions,
        sa.and_(versions.template_id == template_changes.c.template_id, versions.from_run_id == template_changes.c.run_id),
    )
    columns = [template_changes.c[name] for name in ("seq", "kind", "fields", "run_id", "template_id", "at")]
    query = sa.select(*columns, versions.document, versions.content_hash).select_from(shown)
    for rows in rows_in_batches(connection, query, template_changes.c.seq):
        moved: dict[int, set[Any]] = defaultdict(set)
        between = price_changes.c.seq.between(rows[0].seq, rows[-1].seq)
        for row in connection.execute(sa.select(price_changes).where(between)):
            moved[row.seq].add((row.resolution, row.old_credit, row.new_credit))
        periods = _periods(connection, rows)
        for row in rows:
            if row.kind != "removed" and row.document is None:
                yield f"The document of seq {row.seq} is missing."
            elif row.kind != "removed" and not is_content_hash(row.content_hash, row.document):
                yield f"The document of seq {row.seq} was modified."
            elif row.kind != "removed" and _valid(periods[row.template_id], row) != _prices(row.document):
                yield f"The price history of template {row.template_id} differs from the document of seq {row.seq}."
            if moved[row.seq] != set(price_moves(row.fields)):
                yield f"The numeric prices of seq {row.seq} differ from the feed."


def _check_ends(connection: sa.Connection) -> Iterator[str]:
    """Check that each version ends with the next change of its template, and prices with its removal.

    The changes that ended versions in pruned runs are pruned too.
    """
    versions, changes = template_versions.c, template_changes.c
    ended = (
        sa.select(sa.func.min(changes.run_id))
        .where(changes.template_id == versions.template_id, changes.run_id > versions.from_run_id)
        .scalar_subquery()
    )
    pruned = oldest_kept(connection) or 0
    kept = sa.or_(versions.until_run_id.is_(None), versions.until_run_id > pruned)
    differs = sa.func.coalesce(versions.until_run_id, 0) != sa.func.coalesce(ended, 0)
    still = sa.and_(versions.until_run_id.is_(None), templates.c.removed_at.is_not(None))
    query = sa.select(versions.template_id, versions.from_run_id).outerjoin(
        templates, templates.c.template_id == versions.template_id
    )
    query = query.where(kept, sa.or_(differs, still)).order_by(versions.template_id, versions.from_run_id).limit(MAX_SHOWN)
    for template_id, from_run_id in connection.execute(query):
        yield f"Template {template_id}: its version of run {from_run_id} does not end with the next change."

    open_prices = sa.select(price_periods.c.template_id).join(templates, templates.c.template_id == price_periods.c.template_id)
    open_prices = open_prices.where(price_periods.c.valid_until.is_(None), templates.c.removed_at.is_not(None)).distinct()
    for template_id in connection.scalars(open_prices.order_by(price_periods.c.template_id).limit(MAX_SHOWN)):
        yield f"Template {template_id} is removed, but a price of its history has not ended."


def _check_references(connection: sa.Connection) -> Iterator[str]:
    """Check the foreign keys: a server does not check those of rows that were written while it ignored them, as SQLite does."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            query = sa.select(key.parent).outerjoin(key.column.table, key.column == key.parent).where(key.column.is_(None))
            for (value,) in connection.execute(query.distinct().order_by(key.parent).limit(MAX_SHOWN)):
                yield f"{table.name} has rows of {key.parent.name} {value}, which {key.column.table.name} does not have."


def _periods(connection: sa.Connection, changes: Sequence[Any]) -> dict[str, list[Any]]:
    """Read the prices of the templates that were valid during these changes, which follow each other."""
    ids, ended = sorted({change.template_id for change in changes}), price_periods.c.until_run_id
    during = sa.and_(price_periods.c.from_run_id <= changes[-1].run_id, sa.or_(ended.is_(None), ended > changes[0].run_id))
    return _by_template(connection, sa.select(price_periods).where(price_periods.c.template_id.in_(ids), during))


def _by_template(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.template_id].append(row)
    return found


def _valid(periods: Sequence[Any], change: Any) -> dict[str, Any]:
    """Return the prices after a change."""
    begun = [period for period in periods if period.from_run_id <= change.run_id]
    return {each.resolution: json_number(each.credit) for each in begun if not price_ended(each, change.run_id, change.at)}


def _prices(document: Document) -> dict[str, Any]:
    return {item["resolution"]: item["credit"] for item in document["consume_items"]}


def _from_rows(row: Mapping[str, Any], lists: Mapping[str, list[Any]]) -> Document:
    scalars = to_plain_json({name: row[name] for name in ("template_id", *SCALARS.values())})
    return normalize_document({**scalars, **lists, "extra": row["extra"]})


def _lists(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    def items(table: sa.Table, query: sa.Select[Any]) -> dict[str, list[Any]]:
        return _by_template(connection, query.where(table.c.template_id.in_(ids)).order_by(table.c.position))

    named = sa.select(template_tags.c.template_id, tags.c.name, tags.c.name_en)
    tagged = items(template_tags, named.join(tags, tags.c.tag_id == template_tags.c.tag_id))
    prices, ratios = (items(table, sa.select(table)) for table in (consume_items, template_aspect_ratios))
    return {
        key: {
            "consume_items": [{"resolution": row.resolution, "credit": json_number(row.credit)} for row in prices[key]],
            "tags": [{"name": row.name, "name_en": row.name_en} for row in tagged[key]],
            "aspect_ratios": [row.aspect_ratio for row in ratios[key]],
        }
        for key in ids
    }
