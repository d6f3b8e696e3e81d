"""Read the catalog, present or past, for commands and apps; count its tags, types and filter values.

Each function uses one snapshot, or an open transaction.
"""

from __future__ import annotations

from contextlib import contextmanager
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.fields import BOUNDS, storage_flaw
from sync.errors import UnknownTemplate
from sync.reader.feed import position_after
from sync.reader.past import documents_after, price_ended, select_one_past, select_past
from sync.reader.present import count_present, select_one, select_present
from sync.reader.status import overview
from sync.reader.stored_templates import normalize_document
from sync.reader.values import PricePeriod
from sync.store.bulk import rows_in_batches
from sync.store.engine import reading
from sync.store.schema import reading_current
from sync.store.tables import (
    consume_items,
    price_periods,
    sync_runs,
    tags,
    template_aspect_ratios,
    template_tags,
    templates,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sync.catalog.document import Document
    from sync.catalog.selection import Selection
    from sync.reader.stored_templates import Stored
    from sync.store.engine import Source

_LONGEST_ID = BOUNDS["TemplateId"]
BATCH = 1000
"""Number of documents in one query: about 1 MB."""


def select_templates(source: Source, wanted: Selection, *, after_run: int | None = None) -> list[Stored]:
    """Read the templates of a selection, in its order.

    As of each function here, `after_run` is the run after which the catalog is read, None for the present one;
    `sync.reader.past.run_of` returns the run of a time.
    """
    with reading_current(source) as connection:
        return select_present(connection, wanted) if after_run is None else select_past(connection, wanted, after_run)


def count(source: Source, wanted: Selection, *, after_run: int | None = None) -> int:
    """Count the templates of a selection."""
    with reading_current(source) as connection:
        if after_run is None:
            return count_present(connection, wanted)
        return len(select_past(connection, wanted, after_run))


def find_template(source: Source, template_id: str, *, after_run: int | None = None) -> Stored:
    """Read one template, present or removed.

    Raises:
        UnknownTemplate: it was never seen, or not by that run.
        Pruned: it was removed by that run, and its last version was pruned.
    """
    with reading_current(source) as connection:
        found = select_one(connection, template_id) if after_run is None else select_one_past(connection, template_id, after_run)
    if found is None:
        by_then = "ever seen" if after_run is None else f"seen by run {after_run}"
        raise UnknownTemplate(
            f"No template {template_id!r} was {by_then}.",
            template_id=template_id,
            hint="`template-sync list` lists the templates.",
        )
    return found


@contextmanager
def open_catalog(source: Source, *, after_run: int | None = None, batch: int = BATCH) -> Iterator[tuple[str, Iterator[Document]]]:
    """Yield the cursor from which a copy continues, and all documents of the same snapshot, by id in code-point order.

    The documents are read in batches while they are iterated, because those of a large catalog do not fit into a small memory.
    """
    with reading_current(source) as connection:
        cursor = overview(connection).cursor if after_run is None else position_after(connection, after_run)["cursor"]
        query = documents_after(after_run)
        rows = chain.from_iterable(rows_in_batches(connection, query, query.selected_columns[0], batch))
        yield cursor, (normalize_document(document) for _, document in rows)


def periods(source: Source, template_id: str, *, after_run: int | None = None) -> list[PricePeriod]:
    """Read the prices of a template and their validity, oldest first; raise UnknownTemplate as `find_template` does."""
    with reading(source) as connection:
        find_template(connection, template_id, after_run=after_run)
        query = sa.select(price_periods).where(price_periods.c.template_id == template_id)
        ended_at = None
        if after_run is not None:
            query = query.where(price_periods.c.from_run_id <= after_run)
            ended_at = connection.scalar(sa.select(sync_runs.c.finished_at).where(sync_runs.c.run_id == after_run))
        rows = connection.execute(query.order_by(price_periods.c.from_run_id, price_periods.c.resolution)).all()
    return [
        PricePeriod(
            template_id=row.template_id,
            resolution=row.resolution,
            credit=row.credit,
            valid_from=row.valid_from,
            valid_until=row.valid_until if after_run is None or price_ended(row, after_run, ended_at) else None,
        )
        for row in rows
    ]


def check_id(template_id: str) -> str:
    """Return the id of a template; raise UnknownTemplate for a value of any type that no template can have as its id."""
    if not isinstance(template_id, str):
        kind = type(template_id).__name__
        raise UnknownTemplate(f"No template can have an id of the type {kind}; ids are strings.", template_id=template_id)
    if not 0 < len(template_id) <= _LONGEST_ID or storage_flaw(template_id):
        raise UnknownTemplate(f"No template can have the id {template_id[:_LONGEST_ID]!r}.", template_id=template_id)
    return template_id


# Facets ---------------------------------------------------------------------------------------------------------------

_PRESENT = templates.c.removed_at.is_(None)


def tag_counts(source: Source) -> list[dict[str, Any]]:
    """Count the present templates of each tag: `name`, `name_en`, `templates`."""
    number = sa.func.count(template_tags.c.template_id.distinct()).label("templates")
    query = (
        sa.select(tags.c.name, tags.c.name_en, number)
        .join(template_tags, template_tags.c.tag_id == tags.c.tag_id)
        .join(templates, templates.c.template_id == template_tags.c.template_id)
        .where(_PRESENT)
        .group_by(tags.c.tag_id, tags.c.name, tags.c.name_en)
    )
    return _counted(source, query)


def type_counts(source: Source) -> list[dict[str, Any]]:
    """Count the present templates of each type: `type`, null if the catalog has none, and `templates`."""
    query = sa.select(templates.c.template_type.label("type"), sa.func.count().label("templates")).where(_PRESENT)
    return _counted(source, query.group_by(templates.c.template_type))


def _counted(source: Source, query: sa.Select[Any]) -> list[dict[str, Any]]:
    """Read counts, and sort them here, because engines collate text differently."""
    with reading_current(source) as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda row: (-row["templates"], *((row[name] or "") for name in row if name != "templates")))


_STORED_VALUES = {
    "tag": (tags.c.name, tags.c.name_en),
    "type": (templates.c.template_type,),
    "requirement": (templates.c.input_requirement,),
    "resolution": (consume_items.c.resolution,),
    "ratio": (template_aspect_ratios.c.aspect_ratio,),
}


def unknown_filter_values(source: Source, wanted: Selection) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return each filter value that no template ever had: the filter, the value, the most similar existing values."""
    unknown = []
    with reading_current(source) as connection:
        for name, columns in _STORED_VALUES.items():
            for word in wanted.tag if name == "tag" else (getattr(wanted, name),):
                if word is None:
                    continue
                held = {each for column in columns for each in connection.scalars(sa.select(column).distinct()) if each}
                if not is_value(name, word, held):
                    unknown.append((name, word, similar(word, held)))
    return unknown


def is_value(name: str, word: Any, values: Iterable[str]) -> bool:
    """Return whether a word of a filter equals one of the values; resolutions and ratios are case-sensitive."""
    if name in {"resolution", "ratio"}:
        return word in values
    return str(word).casefold() in {value.casefold() for value in values}


def similar(word: str, values: Iterable[str]) -> tuple[str, ...]:
    """Find up to three values that are similar to a word."""
    folded = {value.casefold(): value for value in sorted(values)}
    return tuple(folded[each] for each in get_close_matches(word.casefold(), folded, n=3, cutoff=0.6))
