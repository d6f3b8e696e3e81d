"""Count the present templates of each tag and type, most frequent first; find filter values that no template has."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import consume_items, tags, template_aspect_ratios, template_tags, templates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sync.catalog.selection import Selection
    from sync.store.engine import Source


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
    with reading(source) as connection:
        require_current(connection)
        found = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda row: (-row["templates"], *((row[name] or "") for name in row if name != "templates")))


_STORED_VALUES = {
    "tag": (tags.c.name, tags.c.name_en),
    "type": (templates.c.template_type,),
    "requirement": (templates.c.input_requirement,),
    "resolution": (consume_items.c.resolution,),
    "ratio": (template_aspect_ratios.c.aspect_ratio,),
}


class UnknownWord(NamedTuple):
    """A filter value that no template ever had, and the most similar existing values."""

    filter: str
    word: str
    similar: tuple[str, ...]


def unknown_filter_values(source: Source, wanted: Selection) -> list[UnknownWord]:
    """Return the filter values that no template ever had."""
    unknown: list[UnknownWord] = []
    with reading(source) as connection:
        require_current(connection)
        for name, columns in _STORED_VALUES.items():
            words = wanted.tag if name == "tag" else (getattr(wanted, name),)
            words = tuple(word for word in words if word is not None)
            if not words:
                continue
            held = {each for column in columns for each in connection.scalars(sa.select(column).distinct()) if each}
            unknown += [UnknownWord(name, word, similar(word, held)) for word in words if not is_value(word, held)]
    return unknown


def is_value(word: Any, values: Iterable[str]) -> bool:
    """Return whether a word equals one of the values, ignoring case."""
    return str(word).casefold() in {value.casefold() for value in values}


def similar(word: str, values: Iterable[str]) -> tuple[str, ...]:
    """Find up to three values that are similar to a word."""
    folded = {value.casefold(): value for value in sorted(values)}
    return tuple(folded[each] for each in get_close_matches(word.casefold(), folded, n=3, cutoff=0.6))
