"""PURE. What changed between two whole catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.field_changes import changed_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.catalog.template import Document


def net_changes(before: Mapping[str, Document], after: Mapping[str, Document]) -> list[dict[str, Any]]:
    """Compare two whole catalogs; give the changes in the form of the feed, by kind and id."""
    added = [
        {"kind": "added", "template_id": key, "fields": [], "document": after[key]}
        for key in sorted(after.keys() - before.keys())
    ]
    changed = [
        {"kind": "changed", "template_id": key, "fields": fields, "document": after[key]}
        for key in sorted(after.keys() & before.keys())
        if (fields := changed_fields(before[key], after[key]))
    ]
    gone = sorted(before.keys() - after.keys())
    removed: list[dict[str, Any]] = [
        {"kind": "removed", "template_id": key, "fields": [], "document": None, "before": before[key]} for key in gone
    ]
    return [*added, *changed, *removed]
