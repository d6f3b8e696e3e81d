"""Each tag's number, the same on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.store.bulk import insert_rows
from sync.store.tables import tags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sync.catalog.template import Document

    TagIds = dict[tuple[str, str | None], int]


def tag_ids(connection: sa.Connection) -> TagIds:
    """Read every tag's number."""
    return {(row.name, row.name_en): row.tag_id for row in connection.execute(sa.select(tags))}


def number_new_tags(connection: sa.Connection, ids: TagIds, documents: Iterable[Document]) -> None:
    """Number tags that are not in `ids` yet, and add them there.

    They are counted here, not by the database, so that the same input gives the same numbers on every engine.
    """
    new = dict.fromkeys(
        (tag["name"], tag["name_en"])
        for written in documents
        for tag in written["tags"]
        if (tag["name"], tag["name_en"]) not in ids
    )
    numbered = {tag: number for number, tag in enumerate(new, max(ids.values(), default=0) + 1)}
    rows = [{"tag_id": number, "name": name, "name_en": name_en} for (name, name_en), number in numbered.items()]
    insert_rows(connection, tags, rows)
    ids.update(numbered)
