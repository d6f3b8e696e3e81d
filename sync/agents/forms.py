"""PURE. The catalog's values as JSON, in the forms that `sync/schemas/tools.py` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.template import json_number
from sync.schemas.tools import DEFINITIONS
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sync.reader.values import CatalogStatus, Change, PricePeriod, Template

_FOUND = tuple(DEFINITIONS["found_template"]["properties"])
_PLAIN = (
    "template_id", "media_id", "service_id", "title", "title_en", "cover_url", "cover_aspect_ratio", "preview_video_url",
    "duration_ms", "template_type", "input_requirement", "input_num",
)  # fmt: skip


def whole(template: Template) -> dict[str, Any]:
    """Write all that is known of a template."""
    return {
        **{name: getattr(template, name) for name in _PLAIN},
        "released_at": _moment(template.released_at),
        "consume_items": [{"resolution": each.resolution, "credit": json_number(each.credit)} for each in template.prices],
        "tags": [{"name": each.name, "name_en": each.name_en} for each in template.tags],
        "aspect_ratios": list(template.aspect_ratios),
        "extra": thawed(template.extra),
        "first_seen_at": iso(template.first_seen_at),
        "changed_at": iso(template.changed_at),
        "removed_at": _moment(template.removed_at),
    }


def found(template: Template) -> dict[str, Any]:
    """Write a template in short."""
    written = whole(template)
    return {name: written[name] for name in _FOUND}


def told(change: Change) -> dict[str, Any]:
    """Write a change, with the template's titles."""
    return {
        "seq": change.seq,
        "run_id": change.run_id,
        "at": iso(change.at),
        "template_id": change.template_id,
        "kind": change.kind,
        "fields": [{"field": each.field, "old": thawed(each.old), "new": thawed(each.new)} for each in change.fields],
        "evidence": change.evidence,
        "breaking": list(change.breaking),
        "title": change.template.title,
        "title_en": change.template.title_en,
    }


def period(held: PricePeriod) -> dict[str, Any]:
    """Write a price and when it held."""
    return {
        "resolution": held.resolution,
        "credit": json_number(held.credit),
        "valid_from": iso(held.valid_from),
        "valid_until": _moment(held.valid_until),
    }


def status(found: CatalogStatus) -> dict[str, Any]:
    """Write how fresh the copy is."""
    return {
        "present": found.present,
        "held": found.held,
        "unconfirmed": found.unconfirmed,
        "last_success_at": _moment(found.last_success_at),
        "last_success_age_seconds": None if found.last_success_age is None else round(found.last_success_age.total_seconds(), 3),
        "last_change_at": _moment(found.last_change_at),
        "oldest_seq": found.oldest_seq,
        "last_seq": found.last_seq,
        "cursor": found.cursor,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else iso(at)


def thawed(value: Any) -> Any:
    """Make plain JSON of a value that cannot be changed."""
    if isinstance(value, tuple | list):
        return [thawed(each) for each in value]
    if hasattr(value, "items"):
        mapping: Mapping[str, Any] = value
        return {name: thawed(each) for name, each in mapping.items()}
    return value
