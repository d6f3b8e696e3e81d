"""Words that were asked for and that no template has: perhaps another one was meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.catalog.selection import same_word
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import consume_items, tags, template_aspect_ratios, templates

if TYPE_CHECKING:
    from sync.catalog.selection import Selection
    from sync.store.engine import Source

_HELD = {
    "tag": (tags.c.name, tags.c.name_en),
    "type": (templates.c.template_type,),
    "requirement": (templates.c.input_requirement,),
    "resolution": (consume_items.c.resolution,),
    "ratio": (template_aspect_ratios.c.aspect_ratio,),
}


def unknown_words(source: Source, wanted: Selection) -> dict[str, tuple[str, ...]]:
    """Name the filters that ask for a word which no template ever had, each with the words that are nearest to it, if any are."""
    unknown = {}
    with reading(source) as connection:
        require_current(connection)
        for name, columns in _HELD.items():
            word = getattr(wanted, name)
            if word is None:
                continue
            held = {each for column in columns for each in connection.scalars(sa.select(column).distinct()) if each}
            if not any(same_word(word, each) for each in held):
                folded = {each.casefold(): each for each in sorted(held)}
                near = get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
                unknown[name] = tuple(folded[each] for each in near)
    return unknown
