"""PURE. What changed in one template, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.hashes import canonical, unordered
from sync.catalog.template import SCALARS, Document
from sync.catalog.url_query import URL_FIELDS, address, without_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


FieldChange = dict[str, Any]
"""`{"field", "old", "new"}`; for `tags` also `"gained"` and `"lost"`; for an unknown field that is not there, `"absent"`."""


def changed_fields(before: Document, after: Document, new_fields: Iterable[str] = ()) -> list[FieldChange]:
    """Compare two documents of one template, field by field.

    Args:
        before: as stored.
        after: as served.
        new_fields: names, as the endpoint writes them, of fields that no template had before: they are no change.
    """
    untold = {SCALARS.get(name, f"extra.{name}") for name in new_fields}
    changes: list[FieldChange] = []
    for name in SCALARS.values():
        old, new = before[name], after[name]
        if name in URL_FIELDS:
            old, new = address(old), address(new)
        if old != new and name not in untold:
            changes.append({"field": name, "old": before[name], "new": after[name]})
    # Most lists are as they were: comparing them as they stand is cheap, by their meaning is not.
    if "Tags" not in new_fields and before["tags"] != after["tags"]:
        changes += _tag_changes(before["tags"], after["tags"], by=("name",) if "Tags_en" in new_fields else ("name", "name_en"))
    if "ConsumeItems" not in new_fields and before["consume_items"] != after["consume_items"]:
        changes += _price_changes(before["consume_items"], after["consume_items"])
    had, has = before["aspect_ratios"], after["aspect_ratios"]
    if "SupportAspectRatio" not in new_fields and had != has and unordered(had) != unordered(has):
        changes.append({"field": "aspect_ratios", "old": had, "new": has})
    for name in sorted({*before["extra"], *after["extra"]}):
        if f"extra.{name}" not in untold and _meaning(before["extra"], name) != _meaning(after["extra"], name):
            changes.append(_extra_change(name, before["extra"], after["extra"]))
    return changes


def _extra_change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> FieldChange:
    """Tell an unknown field's change; `absent` says on which side it is not null but not there."""
    told = {"field": f"extra.{name}", "old": before.get(name), "new": after.get(name)}
    absent = "old" if name not in before else "new" if name not in after else None
    return {**told, "absent": absent} if absent else told


def _meaning(extra: Mapping[str, Any], name: str) -> str | None:
    """Write an unknown field's meaning as canonical JSON; None if it is absent, which is not the same as null."""
    return canonical(without_query(extra[name])) if name in extra else None


def _tag_changes(before: list[dict[str, Any]], after: list[dict[str, Any]], *, by: tuple[str, ...]) -> list[FieldChange]:
    """Compare tags by both languages, or by the one that both catalogs have."""

    def key(tag: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(tag[name] for name in by)

    had, has = set(map(key, before)), set(map(key, after))
    gained = [tag for tag in after if key(tag) not in had]
    lost = [tag for tag in before if key(tag) not in has]
    return [{"field": "tags", "old": before, "new": after, "gained": gained, "lost": lost}] if gained or lost else []


def _price_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[FieldChange]:
    old = {price["resolution"]: price["credit"] for price in before}
    new = {price["resolution"]: price["credit"] for price in after}
    return [
        {"field": f"consume_items.{resolution}", "old": old.get(resolution), "new": new.get(resolution)}
        for resolution in {**old, **new}
        if old.get(resolution) != new.get(resolution)
    ]
