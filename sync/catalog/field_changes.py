"""PURE. What changed in one template, field by field.

The prices that a change moved, as numbers.

Which changes break callers: a request that was right before the change may be refused, or mean another thing, after it.

A reason is a word; where it concerns one of several, a colon and which one follow: `resolution-gone:720p`, `ratio-gone:9:16`. So
whoever compares takes what stands before the *first* colon. The words are stored in the feed: one may be added, none may change.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.catalog.document import canonical, unordered
from sync.catalog.fields import SCALARS
from sync.catalog.url_query import URL_FIELDS, address, without_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.catalog.document import Document


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


PRICE = "consume_items."
"""What a price's field begins with in the feed; the resolution follows, and may hold dots of its own."""


class PriceMove(NamedTuple):
    """One resolution's price in Crun credits: `old` is None where there was none, `new` where there is none any more."""

    resolution: str
    old: Decimal | None
    new: Decimal | None


def price_moves(fields: Iterable[Mapping[str, Any]] | None) -> list[PriceMove]:
    """Read the prices that moved from a feed row's fields, in their order; only a `changed` row has any.

    Args:
        fields: `{"field", "old", "new"}` each; numbers as JSON gives them. None and empty are alike.
    """
    return [
        PriceMove(told["field"].removeprefix(PRICE), _credit(told["old"]), _credit(told["new"]))
        for told in fields or ()
        if told["field"].startswith(PRICE)
    ]


def _credit(number: float | Decimal | None) -> Decimal | None:
    """Convert a number exactly: the shortest form of a double gives back the 15 digits that a credit has at most."""
    return None if number is None else Decimal(str(number))


REASONS: Mapping[str, str] = {
    "removed": "the template is gone",
    "more-images": "it takes more images than before",
    "fewer-images": "it takes fewer images than before",
    "images-stated": "it takes a number of images that was not stated before",
    "resolution-gone": "a resolution has no price any more; which one follows a colon",
    "ratio-gone": "an aspect ratio is no longer supported; which one follows a colon",
    "type": "the template's type is another, so it makes something else of the images",
    "requirement": "what has to be in the images is another",
}
"""Every word, and what it says of the template."""

_ANOTHER: Mapping[str, str] = {"template_type": "type", "input_requirement": "requirement"}


def breaking(kind: str, fields: Iterable[Mapping[str, Any]] | None) -> list[str]:
    """Name the reasons for which a change breaks callers, in the order of its fields; none for what only adds or renames.

    Args:
        kind: `added`, `removed` or `changed`, as the feed has it.
        fields: the feed row's own: `{"field", "old", "new"}` each; None and empty are alike.
    """
    if kind == "removed":
        return ["removed"]
    return [reason for told in fields or () for reason in _of_field(told)] if kind == "changed" else []


def _of_field(told: Mapping[str, Any]) -> list[str]:
    name, old, new = told["field"], told["old"], told["new"]
    if name in _ANOTHER:
        return [_ANOTHER[name]]
    if name == "input_num" and new is not None:  # a number that is no longer stated forbids nothing
        return ["images-stated" if old is None else "more-images" if new > old else "fewer-images"]
    if name == "aspect_ratios":
        return [f"ratio-gone:{ratio}" for ratio in old if ratio not in new]
    if name.startswith(PRICE) and new is None:
        return [f"resolution-gone:{name.removeprefix(PRICE)}"]
    return []
