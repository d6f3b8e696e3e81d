"""One document -> the rows of the tables that hold it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync.catalog.template import SCALARS
from sync.store.batches import delete_rows, insert_rows
from sync.store.tables import consume_items, template_aspect_ratios, template_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from sync.catalog.intake import Spooled
    from sync.catalog.template import Document
    from sync.store.tag_ids import TagIds

_PLAIN_COLUMNS = ("template_id", *(name for name in SCALARS.values() if name != "released_at"), "extra")


def template_row(spooled: Spooled, wire_hash: str | None) -> dict[str, Any]:
    """Write what a document says as a row of `templates`, without what the runs say of it."""
    written = spooled.document
    assert written is not None  # noqa: S101 - what is written is good
    row: dict[str, Any] = {name: written[name] for name in _PLAIN_COLUMNS}
    released = written["released_at"]
    row["released_at"] = None if released is None else datetime.fromisoformat(released)
    row["content_hash"] = spooled.content_hash
    row["fingerprint"] = spooled.fingerprint
    row["wire_hash"] = wire_hash
    return row


def version_row(spooled: Spooled, run_id: int) -> dict[str, Any]:
    """Write a document as a row of `template_versions` that begins now."""
    written = spooled.document
    assert written is not None  # noqa: S101 - what is written is good
    return {
        "template_id": written["template_id"],
        "from_run_id": run_id,
        "until_run_id": None,
        "document": written,
        "content_hash": spooled.content_hash,
    }


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
    table, columns = _LISTS[name]
    old = set(stored)
    delete_rows(connection, table, [key for written in documents if (key := written["template_id"]) in old])
    rows = [
        {"template_id": written["template_id"], "position": position, **columns(item, tag_ids)}
        for written in documents
        for position, item in enumerate(written[name])
    ]
    insert_rows(connection, table, rows)


def _price(item: Any, _tag_ids: TagIds) -> dict[str, Any]:
    return {"resolution": item["resolution"], "credit": Decimal(repr(item["credit"]))}


def _tag(item: Any, tag_ids: TagIds) -> dict[str, Any]:
    return {"tag_id": tag_ids[item["name"], item["name_en"]]}


def _ratio(item: Any, _tag_ids: TagIds) -> dict[str, Any]:
    return {"aspect_ratio": item}


_LISTS = {
    "consume_items": (consume_items, _price),
    "tags": (template_tags, _tag),
    "aspect_ratios": (template_aspect_ratios, _ratio),
}
