"""Select present templates with SQL, so that indexes find those of a tag without reading the others."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.fields import CREDIT_DIGITS, storage_flaw
from sync.catalog.selection import NAME_LENGTH, fold, matches_search, same_word
from sync.reader.stored_templates import Stored, normalize_document
from sync.store.bulk import batches
from sync.store.column_types import Credit
from sync.store.tables import consume_items, tags, template_aspect_ratios, template_tags, template_versions, templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.selection import Order, PagePosition, Selection

Condition = sa.ColumnElement[bool]

_BEYOND_ALL_PRICES = Decimal(10) ** CREDIT_DIGITS
_PRESENT = templates.c.removed_at.is_(None)
WITH_DOCUMENTS = (
    sa.select(
        template_versions.c.document,
        *(templates.c[each.name] for each in fields(Stored) if each.name != "document"),
    )
    .select_from(templates)
    .join(template_versions, template_versions.c.template_id == templates.c.template_id)
)
"""All versions of all templates; `stored_of` converts a row."""


def select_present(connection: sa.Connection, wanted: Selection) -> list[Stored]:
    """Read the present templates of a selection, in its order."""
    if _cannot_be_stored(wanted):
        return []
    conditions, keys = _query(connection, wanted)
    whole = WITH_DOCUMENTS.where(template_versions.c.until_run_id.is_(None))
    if wanted.search is None and wanted.limit is None:
        return [stored_of(row) for row in connection.execute(whole.where(*conditions).order_by(*keys))]
    # Ids first, then documents: a database would otherwise sort all selected documents.
    ids = _ids(connection, wanted, conditions, keys)
    found: dict[str, Stored] = {}
    for batch in batches(ids):
        for row in connection.execute(whole.where(templates.c.template_id.in_(batch))):
            found[row.document["template_id"]] = stored_of(row)
    return [found[template_id] for template_id in ids if template_id in found]


def count_present(connection: sa.Connection, wanted: Selection) -> int:
    """Count the present templates of a selection."""
    return 0 if _cannot_be_stored(wanted) else len(_ids(connection, wanted, *_query(connection, wanted)))


def _query(connection: sa.Connection, wanted: Selection) -> tuple[list[Condition], list[Any]]:
    """Return the conditions and the sort keys of a selection, without its search and limit."""
    conditions = [_PRESENT, *_filters(connection, wanted)]
    columns, keys = _sorting(connection, wanted.order)
    if wanted.after is not None:
        conditions.append(_behind(wanted.after, columns, wanted.order))
    return conditions, keys


def _ids(connection: sa.Connection, wanted: Selection, conditions: Sequence[Condition], keys: Sequence[Any]) -> list[str]:
    if wanted.search is not None:
        return _search(connection, wanted.search, conditions, keys)[: wanted.limit]
    query = sa.select(templates.c.template_id).where(*conditions).order_by(*keys)
    return list(connection.scalars(query.limit(wanted.limit)))


def _cannot_be_stored(wanted: Selection) -> bool:
    """Return whether a filter value cannot be stored in a database; some drivers cannot send it."""
    return any(storage_flaw(text) for text in (wanted.ratio, wanted.resolution) if text is not None)


def select_one(connection: sa.Connection, template_id: str) -> Stored | None:
    """Read a template, present or removed, with its newest document; None if it was never seen."""
    versions = WITH_DOCUMENTS.where(templates.c.template_id == template_id)
    row = connection.execute(versions.order_by(template_versions.c.from_run_id.desc()).limit(1)).one_or_none()
    return None if row is None else stored_of(row)


def stored_of(row: Any) -> Stored:
    """Build a template from a row of `WITH_DOCUMENTS`."""
    return Stored(normalize_document(row[0]), *row[1:])


# Filters ----------------------------------------------------------------------------------------------------------------


def _filters(connection: sa.Connection, wanted: Selection) -> list[Condition]:
    found: list[Condition] = []
    stored = _tags(connection) if wanted.tag else []
    for tag in wanted.tag:
        tag_ids = [tag_id for tag_id, names in stored if any(same_word(tag, name) for name in names)]
        found.append(
            templates.c.template_id.in_(sa.select(template_tags.c.template_id).where(template_tags.c.tag_id.in_(tag_ids)))
        )
    for word, column in ((wanted.type, templates.c.template_type), (wanted.requirement, templates.c.input_requirement)):
        if word is not None:
            spelled = connection.scalars(sa.select(column).where(_PRESENT).distinct())
            found.append(column.in_([each for each in spelled if same_word(word, each)]))
    if wanted.images is not None:
        found.append(templates.c.input_num == wanted.images)
    if wanted.ratio is not None:
        ratios = template_aspect_ratios.c
        found.append(templates.c.template_id.in_(sa.select(ratios.template_id).where(ratios.aspect_ratio == wanted.ratio)))
    return found + _price_fits(wanted)


def _tags(connection: sa.Connection) -> list[tuple[int, tuple[str | None, ...]]]:
    """Read the id and names of every tag; there are few."""
    return [(row.tag_id, (row.name, row.name_en)) for row in connection.execute(sa.select(tags))]


def _price_fits(wanted: Selection) -> list[Condition]:
    found: list[Condition] = []
    credit = _price(wanted.resolution)
    if wanted.min_price is not None:
        found.append(credit >= wanted.min_price)
    if wanted.max_price is not None:
        found.append(credit <= wanted.max_price)
    if not found and wanted.resolution is not None:
        of_it = sa.select(consume_items.c.template_id).where(consume_items.c.resolution == wanted.resolution)
        found.append(templates.c.template_id.in_(of_it))
    return found


def _price(resolution: str | None) -> sa.ScalarSelect[Any]:
    """Return the price of a template at a resolution, or its lowest price; null if it has none."""
    prices = consume_items.c
    lowest = sa.select(sa.func.min(prices.credit)).where(prices.template_id == templates.c.template_id)
    if resolution is not None:
        lowest = lowest.where(prices.resolution == resolution)
    return lowest.correlate(templates).scalar_subquery()


def _search(connection: sa.Connection, search: str, conditions: Sequence[Condition], keys: Sequence[Any]) -> list[str]:
    """Return the ids of templates that match a search, reading their texts only, not documents."""
    words = fold(search).split()
    tagged: dict[str, set[str]] = {word: set() for word in words}
    stored = _tags(connection)
    for word, ids in tagged.items():
        tag_ids = [tag_id for tag_id, names in stored if matches_search([word], names)]
        if tag_ids:
            ids.update(connection.scalars(sa.select(template_tags.c.template_id).where(template_tags.c.tag_id.in_(tag_ids))))
    texts = sa.select(templates.c.template_id, templates.c.title, templates.c.title_en).where(*conditions).order_by(*keys)
    return [
        row[0] for row in connection.execute(texts) if matches_search([word for word in words if row[0] not in tagged[word]], row)
    ]


# The order --------------------------------------------------------------------------------------------------------------


def _sorting(connection: sa.Connection, order: Order) -> tuple[list[Any], list[Any]]:
    """Return the compared columns (a value, if any, and the id) and the sort keys, with nulls last on every engine."""
    key = templates.c.template_id
    if order.sort == "id":
        return [key], [key]
    if order.sort == "price":
        # A number above all prices stands for null, because each mention of the price repeats the subquery.
        credit = sa.func.coalesce(_price(order.resolution), sa.literal(_BEYOND_ALL_PRICES, Credit()))
        return [credit, key], [credit, key]
    value: Any = templates.c.released_at
    if order.sort == "name":
        title = sa.func.coalesce(sa.func.nullif(templates.c.title_en, ""), sa.func.nullif(templates.c.title, ""))
        value = sa.func.substr(title, 1, NAME_LENGTH)
        if connection.dialect.name == "postgresql":  # the other engines compare these columns by code point
            value = sa.collate(value, "C")
    return [value, key], [value.is_(None), value.desc() if order.sort == "newest" else value, key]


def _behind(after: PagePosition, columns: list[Any], order: Order) -> Condition:
    """Return the condition for templates after a page position."""
    *values, key = columns
    further: Condition = key > after.template_id
    if not values:
        return further
    (value,) = values
    if order.sort == "price":
        last = _BEYOND_ALL_PRICES if after.value is None else after.value
        return sa.or_(value > last, sa.and_(value == last, further))
    if after.value is None:
        return sa.and_(value.is_(None), further)
    beyond = value < after.value if order.sort == "newest" else value > after.value
    return sa.or_(beyond, sa.and_(value == after.value, further), value.is_(None))
