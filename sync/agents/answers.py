"""PURE. The answers of the tools: build them from the catalog's values, escape their text, limit their size.

Titles, tags and unknown fields come from a third party, so control characters and bidirectional controls become visible escapes.
An answer with a truncated text has the key `shortened`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from sync.catalog.document import to_plain_json
from sync.outputs.catalog import FieldChange, Price, Tag, built
from sync.outputs.tools import LONGEST_PLACE, CatalogStatus, ChangeSummary
from sync.text import escape_control_characters, json_text

if TYPE_CHECKING:
    from sync.outputs.catalog import Output
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
    found = {}
    for name, each in kept:
        is_whole = name in _WHOLE and isinstance(each, str) and len(each) <= LONGEST_PLACE
        found[escape_and_truncate(name, longest, most)] = escape_and_truncate(
            each, LONGEST_PLACE if is_whole else longest, most, deepest - 1
        )
    return found


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


def template_as(form: type[Output], found: values.Template) -> Output:
    """Build the long or the short form of a template."""
    prices, tags = [built(Price, each) for each in found.prices], [built(Tag, each) for each in found.tags]
    return built(form, found, consume_items=prices, tags=tags)


def change(found: values.Change) -> ChangeSummary:
    """Build the short form of a change."""
    fields = [FieldChange(each.field, to_plain_json(each.old), to_plain_json(each.new)) for each in found.fields]
    return built(ChangeSummary, found, fields=fields, title=found.template.title, title_en=found.template.title_en)


def status(found: values.CatalogStatus) -> CatalogStatus:
    """Build the age and size of the copy."""
    age = None if found.last_success_age is None else round(found.last_success_age.total_seconds(), 3)
    return built(CatalogStatus, found, last_success_age_seconds=age)
