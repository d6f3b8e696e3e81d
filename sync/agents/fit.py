"""PURE. Answers that fit: the catalog's text as harmless data, never more of it than a model should have to read.

Titles, tags and unknown fields come from a third party. Control characters and those that turn the direction of writing become
visible escapes; what is too long is cut, and the answer says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from sync.outputs.tools import LONGEST_PLACE
from sync.text import escape_control_characters, json_text

if TYPE_CHECKING:
    from msgspec import Struct

MOST_BYTES = 24_000
"""Of an answer, as JSON in UTF-8."""
CUT = "… (cut)"
_LEVELS = ((2000, 200, 20), (500, 50, 20), (100, 10, 20), (40, 3, 5))
"""Characters of a text, entries of a list, levels of nesting: less and less, until it fits."""
_KEYS = 20
"""Entries that an object keeps in any case: none of ours has more, and a key of ours is never missing."""
_OURS = 3
"""Levels that are left where our own objects end, at the strictest: an answer, its rows, a row. Below are the catalog's."""
_WHOLE = frozenset({"after", "cursor", "template_id"})
"""What is asked with again: never cut, where it is of ours."""


class TooLargeError(Exception):
    """Even cut it does not fit."""


def fits(answer: dict[str, Any]) -> bool:
    """Tell whether an answer is small enough."""
    return len(json_text(answer).encode("utf-8", "backslashreplace")) <= MOST_BYTES


def harmless(value: Any, longest: int = _LEVELS[0][0], most: int = _LEVELS[0][1], deepest: int = _LEVELS[0][2]) -> Any:
    """Escape every text in a JSON value, names included; cut long texts, lists and objects, and what is nested too deeply."""
    if isinstance(value, str):
        return escape_control_characters(value) if len(value) <= longest else escape_control_characters(value[:longest]) + CUT
    if not isinstance(value, list | dict) or not value:
        return value
    if deepest < 0:
        return CUT
    if isinstance(value, list):
        return [harmless(each, longest, most, deepest - 1) for each in value[:most]]
    kept = list(value.items())[: max(most, _KEYS) if deepest >= _OURS else most]
    return {harmless(name, longest, most): _entry(name, each, longest, most, deepest - 1) for name, each in kept}


def _entry(name: str, value: Any, longest: int, most: int, deepest: int) -> Any:
    whole = name in _WHOLE and isinstance(value, str) and len(value) <= LONGEST_PLACE
    return harmless(value, LONGEST_PLACE if whole else longest, most, deepest)


def fitted(found: Struct | dict[str, Any]) -> dict[str, Any]:
    """Escape an answer, and truncate it until it fits; it has `shortened` if anything was truncated.

    Raises:
        TooLargeError: it cannot be made to fit.
    """
    answer = to_builtins(found)
    size = len(json_text(answer))
    escaped = harmless(answer, size, size, size)
    for level in _LEVELS:
        cut = harmless(answer, *level)
        told = cut if cut == escaped else {**cut, "shortened": True}
        if fits(told):
            return told
    raise TooLargeError
