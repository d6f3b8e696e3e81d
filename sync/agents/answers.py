"""PURE. The answers of the tools: build them from the catalog's values, escape their text, limit their size.

Titles, tags and unknown fields come from a third party, so control characters and bidirectional controls become visible escapes.
An answer with a truncated text has the key `shortened`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from sync.catalog.document import json_number
from sync.catalog.fields import SCALARS
from sync.outputs.catalog import FieldChange, Price, Tag
from sync.outputs.tools import LONGEST_PLACE, CatalogStatus, ChangeSummary, PricePeriod, TemplateSummary, WholeTemplate
from sync.text import escape_control_characters, iso, json_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from msgspec import Struct

    from sync.reader import values


MAX_BYTES = 24_000
"""Maximum size of an answer, as JSON in UTF-8."""
CUT = "… (cut)"
_LEVELS = ((2000, 200, 20), (500, 50, 20), (100, 10, 20), (40, 3, 5))
"""Limits of a text's characters, a list's entries and the nesting, tried in this order until the answer fits."""
_KEYS = 20
"""Entries that an object of an answer keeps: no struct has more keys, so none of them is lost."""
_OURS = 3
"""Levels left below the structs (an answer, its rows, a row) at the strictest limit; deeper values are the catalog's."""
_WHOLE = frozenset({"after", "cursor", "template_id"})
"""Values that a later call passes back: never truncated, up to the length that this program gives them."""


class TooLargeError(Exception):
    """The answer exceeds the limit even when it is truncated."""


def fits(answer: dict[str, Any]) -> bool:
    """Check whether an answer is within the limit."""
    return len(json_text(answer).encode("utf-8", "backslashreplace")) <= MAX_BYTES


def escape_and_truncate(value: Any, longest: int = _LEVELS[0][0], most: int = _LEVELS[0][1], deepest: int = _LEVELS[0][2]) -> Any:
    """Escape every text in a JSON value, including keys; truncate long texts, lists and objects, and deep nesting."""
    if isinstance(value, str):
        return escape_control_characters(value) if len(value) <= longest else escape_control_characters(value[:longest]) + CUT
    if not isinstance(value, list | dict) or not value:
        return value
    if deepest < 0:
        return CUT
    if isinstance(value, list):
        return [escape_and_truncate(each, longest, most, deepest - 1) for each in value[:most]]
    kept = list(value.items())[: max(most, _KEYS) if deepest >= _OURS else most]
    return {escape_and_truncate(name, longest, most): _entry(name, each, longest, most, deepest - 1) for name, each in kept}


def _entry(name: str, value: Any, longest: int, most: int, deepest: int) -> Any:
    whole = name in _WHOLE and isinstance(value, str) and len(value) <= LONGEST_PLACE
    return escape_and_truncate(value, LONGEST_PLACE if whole else longest, most, deepest)


def fit_to_limit(found: Struct | dict[str, Any]) -> dict[str, Any]:
    """Escape an answer and truncate it until it fits; set `shortened` if anything was truncated.

    Raises:
        TooLargeError: it does not fit at the strictest limits.
    """
    answer = to_builtins(found)
    size = len(json_text(answer))
    escaped = escape_and_truncate(answer, size, size, size)
    for level in _LEVELS:
        cut = escape_and_truncate(answer, *level)
        kept = cut if cut == escaped else {**cut, "shortened": True}
        if fits(kept):
            return kept
    raise TooLargeError


def whole(template: values.Template) -> WholeTemplate:
    """Build the answer with all fields of a template."""
    return WholeTemplate(
        **{name: getattr(template, name) for name in ("template_id", *SCALARS.values()) if name != "released_at"},
        released_at=moment(template.released_at),
        consume_items=[Price(each.resolution, json_number(each.credit)) for each in template.prices],
        tags=[Tag(each.name, each.name_en) for each in template.tags],
        aspect_ratios=list(template.aspect_ratios),
        extra=to_plain_json(template.extra),
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
        fields=[FieldChange(each.field, to_plain_json(each.old), to_plain_json(each.new)) for each in found.fields],
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
    """Return a time as text, or None."""
    return None if at is None else iso(at)


def to_plain_json(value: Any) -> Any:
    """Convert a read-only value to plain JSON."""
    if isinstance(value, tuple | list):
        return [to_plain_json(each) for each in value]
    if hasattr(value, "items"):
        mapping: Mapping[str, Any] = value
        return {name: to_plain_json(each) for name, each in mapping.items()}
    return value
