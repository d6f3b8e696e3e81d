"""PURE. What changed in one template, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.document import canonical, unordered
from sync.catalog.fields import SCALARS
from sync.catalog.price_moves import PRICE
from sync.catalog.url_query import URL_FIELDS, address, without_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.catalog.template import Document

FieldChange = dict[str, Any]
"""`{"field", "old", "new"}`; for `tags` also `"gained"` and `"lost"`."""


def changed_fields(before: Document, after: Document) -> list[FieldChange]:
    """Compare two documents of one template.

    An unknown field is compared where both have it: its appearing or disappearing is not a change.
    """
    changes: list[FieldChange] = []
    for name in SCALARS.values():
        old, new = before[name], after[name]
        if old != new and (name not in URL_FIELDS or address(old) != address(new)):
            changes.append({"field": name, "old": old, "new": new})
    # Most lists are as they were: comparing them as they stand is cheap, by their meaning is not.
    if before["tags"] != after["tags"]:
        changes += _tag_changes(before["tags"], after["tags"])
    if before["consume_items"] != after["consume_items"]:
        changes += _price_changes(before["consume_items"], after["consume_items"])
    had, has = before["aspect_ratios"], after["aspect_ratios"]
    if had != has and unordered(had) != unordered(has):
        changes.append({"field": "aspect_ratios", "old": had, "new": has})
    old_extra, new_extra = before["extra"], after["extra"]
    changes += [
        {"field": f"extra.{name}", "old": old_extra[name], "new": new_extra[name]}
        for name in sorted(old_extra.keys() & new_extra.keys())
        if _meaning(old_extra, name) != _meaning(new_extra, name)
    ]
    return changes


def apply_fields(document: Document, fields: Iterable[Mapping[str, Any]]) -> Document:
    """Apply a change's fields to a document, as a consumer of the feed does; give the new document."""
    after = {**document, "extra": dict(document["extra"])}
    for field in fields:
        name, new = field["field"], field["new"]
        if name.startswith("extra."):
            after["extra"][name.removeprefix("extra.")] = new
        elif name.startswith(PRICE):
            after["consume_items"] = _with_price(after["consume_items"], name.removeprefix(PRICE), new)
        else:
            after[name] = new
    return after


def _with_price(prices: list[dict[str, Any]], resolution: str, credit: float | None) -> list[dict[str, Any]]:
    if credit is None:
        return [price for price in prices if price["resolution"] != resolution]
    new = {"resolution": resolution, "credit": credit}
    if all(price["resolution"] != resolution for price in prices):
        return [*prices, new]
    return [new if price["resolution"] == resolution else price for price in prices]


def _meaning(extra: Mapping[str, Any], name: str) -> str:
    """Write an unknown field's value as canonical JSON, without the query strings of URLs."""
    return canonical(without_query(extra[name]))


def _tag_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[FieldChange]:
    had = {(tag["name"], tag["name_en"]) for tag in before}
    has = {(tag["name"], tag["name_en"]) for tag in after}
    gained = [tag for tag in after if (tag["name"], tag["name_en"]) not in had]
    lost = [tag for tag in before if (tag["name"], tag["name_en"]) not in has]
    return [{"field": "tags", "old": before, "new": after, "gained": gained, "lost": lost}] if gained or lost else []


def _price_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[FieldChange]:
    old = {price["resolution"]: price["credit"] for price in before}
    new = {price["resolution"]: price["credit"] for price in after}
    return [
        {"field": f"consume_items.{resolution}", "old": old.get(resolution), "new": new.get(resolution)}
        for resolution in {**old, **new}
        if old.get(resolution) != new.get(resolution)
    ]
