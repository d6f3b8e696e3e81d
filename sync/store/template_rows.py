"""Documents -> the rows of the tables that hold them, column by column."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sync.catalog.template import SCALARS
from sync.store.batches import delete_rows, insert_columns
from sync.store.tables import consume_items, template_aspect_ratios, template_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from sync.catalog.intake import Spooled
    from sync.catalog.template import Document
    from sync.store.tag_ids import TagIds

_COLUMNS = ("template_id", *SCALARS.values(), "extra")


def template_columns(spooled: Sequence[Spooled], wire_hashes: Sequence[str | None]) -> dict[str, list[Any]]:
    """Write what documents say as columns of `templates`, without what the runs say of them."""
    documents = documents_of(spooled)
    columns: dict[str, list[Any]] = {name: [written[name] for written in documents] for name in _COLUMNS}
    columns["released_at"] = [
        released and datetime.fromisoformat(released) for released in (each["released_at"] for each in documents)
    ]
    columns["content_hash"] = [each.content_hash for each in spooled]
    columns["fingerprint"] = [each.fingerprint for each in spooled]
    columns["wire_hash"] = [*wire_hashes]
    return columns


def version_columns(spooled: Sequence[Spooled]) -> dict[str, list[Any]]:
    """Write documents as columns of `template_versions`, without when they began and ended."""
    documents = documents_of(spooled)
    return {
        "template_id": [written["template_id"] for written in documents],
        "document": documents,
        "content_hash": [each.content_hash for each in spooled],
    }


def documents_of(spooled: Sequence[Spooled]) -> list[Document]:
    """Give the documents: what is written is good, and has one."""
    return [each.document for each in spooled if each.document is not None]


def replace_list(
    connection: sa.Connection, name: str, documents: Sequence[Document], tag_ids: TagIds, stored: Sequence[str]
) -> None:
    """Replace one list of some templates, in the order served.

    Args:
        connection: in the run's transaction.
        name: `consume_items`, `tags` or `aspect_ratios`.
        documents: of one batch.
        tag_ids: every tag's number.
        stored: ids of those that may have the list already.
    """
    old = set(stored)
    delete_rows(connection, _TABLES[name], [key for written in documents if (key := written["template_id"]) in old])
    items = [item for written in documents for item in written[name]]
    columns = {
        "template_id": [written["template_id"] for written in documents for _item in written[name]],
        "position": [position for written in documents for position in range(len(written[name]))],
        **_columns(name, items, tag_ids),
    }
    insert_columns(connection, _TABLES[name], columns)


_TABLES = {"consume_items": consume_items, "tags": template_tags, "aspect_ratios": template_aspect_ratios}


def _columns(name: str, items: list[Any], tag_ids: TagIds) -> dict[str, list[Any]]:
    if name == "aspect_ratios":
        return {"aspect_ratio": items}
    if name == "tags":
        return {"tag_id": [tag_ids[tag["name"], tag["name_en"]] for tag in items]}
    return {"resolution": [price["resolution"] for price in items], "credit": [exact(price["credit"]) for price in items]}


@lru_cache(maxsize=1024)
def exact(number: float) -> Decimal:
    """Give the decimal that a document's number stands for; a catalog has few different ones."""
    return Decimal(repr(number))
