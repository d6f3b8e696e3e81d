"""PURE. The catalog's values as the structs that the tools answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.fields import SCALARS
from sync.catalog.template import json_number
from sync.outputs.catalog import FieldChange, Price, Tag
from sync.outputs.tools import CatalogStatus, ChangeSummary, PricePeriod, TemplateSummary, WholeTemplate
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sync.reader import values


def whole(template: values.Template) -> WholeTemplate:
    """Build the answer with all fields of a template."""
    return WholeTemplate(
        **{name: getattr(template, name) for name in ("template_id", *SCALARS.values()) if name != "released_at"},
        released_at=moment(template.released_at),
        consume_items=[Price(each.resolution, json_number(each.credit)) for each in template.prices],
        tags=[Tag(each.name, each.name_en) for each in template.tags],
        aspect_ratios=list(template.aspect_ratios),
        extra=thawed(template.extra),
        first_seen_at=iso(template.first_seen_at),
        changed_at=iso(template.changed_at),
        removed_at=moment(template.removed_at),
    )


def summary(template: values.Template) -> TemplateSummary:
    """Build the short form of a template."""
    written = whole(template)
    return TemplateSummary(**{name: getattr(written, name) for name in TemplateSummary.__struct_fields__})


def change(found: values.Change) -> ChangeSummary:
    """Build the short form of a change."""
    return ChangeSummary(
        seq=found.seq,
        run_id=found.run_id,
        at=iso(found.at),
        template_id=found.template_id,
        kind=found.kind,
        fields=[FieldChange(each.field, thawed(each.old), thawed(each.new)) for each in found.fields],
        evidence=found.evidence,
        breaking=list(found.breaking),
        title=found.template.title,
        title_en=found.template.title_en,
    )


def period(held: values.PricePeriod) -> PricePeriod:
    """Build a price and its period."""
    return PricePeriod(held.resolution, json_number(held.credit), iso(held.valid_from), moment(held.valid_until))


def status(found: values.CatalogStatus) -> CatalogStatus:
    """Build the age and size of the copy."""
    return CatalogStatus(
        present=found.present,
        held=found.held,
        unconfirmed=found.unconfirmed,
        last_success_at=moment(found.last_success_at),
        last_success_age_seconds=None if found.last_success_age is None else round(found.last_success_age.total_seconds(), 3),
        last_change_at=moment(found.last_change_at),
        oldest_seq=found.oldest_seq,
        last_seq=found.last_seq,
        cursor=found.cursor,
    )


def moment(at: datetime | None) -> str | None:
    """Write a time that may be None."""
    return None if at is None else iso(at)


def thawed(value: Any) -> Any:
    """Make plain JSON of a read-only value."""
    if isinstance(value, tuple | list):
        return [thawed(each) for each in value]
    if hasattr(value, "items"):
        mapping: Mapping[str, Any] = value
        return {name: thawed(each) for name, each in mapping.items()}
    return value
