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


def replace_lists(connection: sa.Connection, documents: Sequence[Document], tag_ids: TagIds, stored: Sequence[str]) -> None:
    """Replace the lists of some templates: prices, tags, ratios, each in the order served.

    Args:
        connection: in the run's transaction.
        documents: of one batch.
        tag_ids: every tag's number.
        stored: ids of those that may have lists already.
    """
    for table in (consume_items, template_tags, template_aspect_ratios):
        delete_rows(connection, table, stored)
    prices, placed, ratios = [], [], []
    for written in documents:
        key = written["template_id"]
        for position, price in enumerate(written["consume_items"]):
            credit = Decimal(repr(price["credit"]))
            prices.append({"template_id": key, "position": position, "resolution": price["resolution"], "credit": credit})
        for position, tag in enumerate(written["tags"]):
            placed.append({"template_id": key, "position": position, "tag_id": tag_ids[tag["name"], tag["name_en"]]})
        for position, ratio in enumerate(written["aspect_ratios"]):
            ratios.append({"template_id": key, "position": position, "aspect_ratio": ratio})
    insert_rows(connection, consume_items, prices)
    insert_rows(connection, template_tags, placed)
    insert_rows(connection, template_aspect_ratios, ratios)
