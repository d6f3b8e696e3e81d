"""Convert documents to rows of the tables, and assign the ids of tags."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.catalog.fields import SCALARS
from sync.store.bulk import delete_rows, insert_rows
from sync.store.tables import consume_items, tags, template_aspect_ratios, template_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sync.catalog.diff import Change
    from sync.catalog.document import Document

    TagIds = dict[tuple[str, str | None], int]


_SCALAR_COLUMNS = ("template_id", *SCALARS.values(), "extra")


class NewDocument(NamedTuple):
    """A change with the document that it leads to, and the content hash of that document."""

    change: Change
    document: Document
    content_hash: str


def template_row(new: NewDocument) -> dict[str, Any]:
    """Return a document as a row of `templates`, without the columns for runs and times."""
    row = {name: new.document[name] for name in _SCALAR_COLUMNS}
    released = row["released_at"]
    row["released_at"] = released and datetime.fromisoformat(released)
    row["content_hash"] = new.content_hash
    row["wire_hash"] = new.change.wire_hash
    return row


def version_row(new: NewDocument) -> dict[str, Any]:
    """Return a document as a row of `template_versions`, without its start and end."""
    return {"template_id": new.document["template_id"], "document": new.document, "content_hash": new.content_hash}


def replace_list(
    connection: sa.Connection, name: str, documents: Sequence[Document], tag_ids: TagIds, stored: Sequence[str]
) -> None:
    """Replace one list of some templates, in the order of the documents.

    Args:
        connection: in the transaction of the run.
        name: `consume_items`, `tags` or `aspect_ratios`.
        documents: one batch.
        tag_ids: the id of each tag.
        stored: ids of the templates that may have rows already.
    """
    old = set(stored)
    delete_rows(connection, _TABLES[name], [key for written in documents if (key := written["template_id"]) in old])
    rows = [
        {"template_id": written["template_id"], "position": position, **_item_row(name, item, tag_ids)}
        for written in documents
        for position, item in enumerate(written[name])
    ]
    insert_rows(connection, _TABLES[name], rows)


_TABLES = {"consume_items": consume_items, "tags": template_tags, "aspect_ratios": template_aspect_ratios}


def _item_row(name: str, item: Any, tag_ids: TagIds) -> dict[str, Any]:
    if name == "aspect_ratios":
        return {"aspect_ratio": item}
    if name == "tags":
        return {"tag_id": tag_ids[item["name"], item["name_en"]]}
    return {"resolution": item["resolution"], "credit": exact_decimal(item["credit"])}


@lru_cache(maxsize=1024)
def exact_decimal(number: float) -> Decimal:
    """Return the decimal that a number of a document stands for."""
    return Decimal(repr(number))


def tag_ids(connection: sa.Connection) -> TagIds:
    """Return the id of each tag, by name and English name."""
    return {(row.name, row.name_en): row.tag_id for row in connection.execute(sa.select(tags))}


def assign_tag_ids(connection: sa.Connection, ids: TagIds, documents: Iterable[Document]) -> None:
    """Insert the tags that are not in `ids`, and add them to it.

    The ids are assigned here, not by the database, so that they are equal on every engine.
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
