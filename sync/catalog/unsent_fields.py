"""PURE. A field that the whole catalog stopped sending keeps its last value: silence is not news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.bounds import MOST_EXTRA, MOST_FIELDS
from sync.catalog.hashes import canonical
from sync.catalog.template import COLUMNS

if TYPE_CHECKING:
    from sync.catalog.template import Document


def lacks(before: Document, wire_name: str) -> bool:
    """Tell whether a stored document has no value of a field, by the endpoint's name for it."""
    if wire_name == "Tags_en":
        return all(tag["name_en"] is None for tag in before["tags"])
    if wire_name in COLUMNS:
        return before[COLUMNS[wire_name]] in (None, [])
    return wire_name not in before["extra"]


def keep_unsent(before: Document, after: Document, wire_fields: frozenset[str]) -> Document:
    """Keep the stored value of every field that no record of the whole catalog carries; `after` itself if there is none.

    Unknown fields are kept only as long as there is room: a catalog that renames one every day must not fill the database.
    """
    kept: dict[str, Any] = {column: before[column] for wire, column in COLUMNS.items() if wire not in wire_fields}
    if "Tags_en" not in wire_fields and "tags" not in kept:
        english: dict[str, list[dict[str, Any]]] = {}
        for tag in before["tags"]:
            english.setdefault(tag["name"], []).append(tag)
        kept["tags"] = [known for tag in after["tags"] for known in english.get(tag["name"], [tag])]
    unsent = {name: value for name, value in before["extra"].items() if name not in wire_fields}
    if unsent and _fits(extra := {**unsent, **after["extra"]}):
        kept["extra"] = extra
    whole = {**after, **kept}
    return after if whole == after else whole


def _fits(extra: dict[str, Any]) -> bool:
    return len(extra) <= MOST_FIELDS and len(canonical(extra)) <= MOST_EXTRA
