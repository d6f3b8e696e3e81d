"""PURE. A documented field that no record of a walk has keeps its stored value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.bounds import MOST_EXTRA, MOST_FIELDS
from sync.catalog.document import canonical
from sync.catalog.fields import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection

    from sync.catalog.template import Document


def kept_values(before: Document, served: Document, lacking: Collection[str]) -> dict[str, Any]:
    """Give the stored values that stay, by column, as far as they differ from what was served.

    Args:
        before: the stored document.
        served: the document of the record.
        lacking: wire names of the fields that the record lacks, and whose stored value stays.
    """
    kept = {COLUMNS[wire]: before[COLUMNS[wire]] for wire in lacking if wire in COLUMNS}
    if "Tags_en" in lacking and "tags" not in kept:
        english: dict[str, list[dict[str, Any]]] = {}
        for tag in before["tags"]:
            english.setdefault(tag["name"], []).append(tag)
        kept["tags"] = [known for tag in served["tags"] for known in english.get(tag["name"], [tag])]
    return {column: value for column, value in kept.items() if value != served[column]}


def kept_unknown(before: Document, served: Document) -> dict[str, Any]:
    """Give the unknown fields of a record that came by look-up: those stored stay, as far as there is room."""
    extra = {**before["extra"], **served["extra"]}
    fits = len(extra) <= MOST_FIELDS and len(canonical(extra)) <= MOST_EXTRA
    return {"extra": extra} if fits and extra.keys() != served["extra"].keys() else {}
