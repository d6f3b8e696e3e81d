"""PURE. Which changes break callers: a request that was right before the change may be refused, or mean another thing, after it.

A reason is a word; where it concerns one of several, a colon and which one follow: `resolution-gone:720p`, `ratio-gone:9:16`. So
whoever compares takes what stands before the *first* colon. The words are stored in the feed: one may be added, none may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.price_moves import PRICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
