"""Which changes break callers, and why."""

from __future__ import annotations

from typing import Any

import pytest

from sync.catalog.field_changes import REASONS, breaking, changed_fields
from tests.catalog.runs import base, document_of

BREAK: dict[str, tuple[list[tuple[str, Any, Any]], list[str]]] = {
    "one image more": ([("input_num", 1, 2)], ["more-images"]),
    "an image where it took none": ([("input_num", 0, 1)], ["more-images"]),
    "one image fewer": ([("input_num", 2, 1)], ["fewer-images"]),
    "a number of images where none was stated": ([("input_num", None, 1)], ["images-stated"]),
    "a resolution without a price": ([("consume_items.720p", 355.2, None)], ["resolution-gone:720p"]),
    "a resolution with a dot": ([("consume_items.4.5k", 1, None)], ["resolution-gone:4.5k"]),
    "a resolution under another name": (
        [("consume_items.720p", 355.2, None), ("consume_items.720P", None, 355.2)],
        ["resolution-gone:720p"],
    ),
    "two ratios gone": ([("aspect_ratios", ["9:16", "1:1", "4:3"], ["1:1"])], ["ratio-gone:9:16", "ratio-gone:4:3"]),
    "ratios no longer stated": ([("aspect_ratios", ["9:16"], [])], ["ratio-gone:9:16"]),
    "another type": ([("template_type", "BEGIN_END_FRAME", "BEGIN_FRAME")], ["type"]),
    "a type at last": ([("template_type", None, "BEGIN_FRAME")], ["type"]),
    "another requirement": ([("input_requirement", "SINGLE_PERSON", "SINGLE_PET")], ["requirement"]),
    "a requirement dropped": ([("input_requirement", "SINGLE_PERSON", None)], ["requirement"]),
    "several at once, in the order of the fields": (
        [("template_type", "A", "B"), ("title", "a", "b"), ("input_num", 1, 2), ("consume_items.480p", 0, None)],
        ["type", "more-images", "resolution-gone:480p"],
    ),
}
HARMLESS: dict[str, tuple[str, Any, Any]] = {
    "a title": ("title", "a", "b"),
    "a dearer price": ("consume_items.720p", 1, 100),
    "a price of nothing": ("consume_items.720p", 1, 0),
    "a resolution more": ("consume_items.1080p", None, 799.2),
    "a ratio more": ("aspect_ratios", ["9:16"], ["9:16", "1:1"]),
    "the first ratio": ("aspect_ratios", [], ["9:16"]),
    "a number of images no longer stated": ("input_num", 1, None),
    "an unknown field of a telling name": ("extra.input_num", 1, 2),
    "the cover's ratio": ("cover_aspect_ratio", "9:16", "1:1"),
}


def _row(*told: tuple[str, Any, Any]) -> list[dict[str, Any]]:
    return [{"field": field, "old": old, "new": new} for field, old, new in told]


@pytest.mark.parametrize(("told", "reasons"), BREAK.values(), ids=BREAK)
def test_a_change_that_breaks_callers_says_why(told: list[tuple[str, Any, Any]], reasons: list[str]) -> None:
    assert breaking("changed", _row(*told)) == reasons
    assert {reason.partition(":")[0] for reason in reasons} <= REASONS.keys()


@pytest.mark.parametrize("told", HARMLESS.values(), ids=HARMLESS)
def test_a_change_that_breaks_no_caller_has_no_reason(told: tuple[str, Any, Any]) -> None:
    assert breaking("changed", _row(told)) == []


def test_a_removal_breaks_callers_and_an_addition_does_not() -> None:
    assert breaking("removed", []) == breaking("removed", None) == ["removed"]
    assert breaking("added", []) == breaking("added", None) == breaking("changed", None) == []


def test_only_what_changed_has_fields_that_can_break_callers() -> None:
    assert breaking("added", _row(("input_num", 1, 2))) == []


def test_the_words_that_apps_compare_and_what_each_says_stay_what_they_are() -> None:
    """They are stored in the feed: one that is spelled anew would pass by every app that looks for it."""
    assert REASONS == {
        "removed": "the template is gone",
        "more-images": "it takes more images than before",
        "fewer-images": "it takes fewer images than before",
        "images-stated": "it takes a number of images that was not stated before",
        "resolution-gone": "a resolution has no price any more; which one follows a colon",
        "ratio-gone": "an aspect ratio is no longer supported; which one follows a colon",
        "type": "the template's type is another, so it makes something else of the images",
        "requirement": "what has to be in the images is another",
    }


def test_the_feeds_own_fields_are_understood() -> None:
    before = document_of(base(SupportAspectRatio="9:16,1:1", InputNum=1))
    prices = [{"Resolution": "480p", "Credit": 200}]
    after = document_of(base(SupportAspectRatio="1:1", InputNum=2, TemplateType="X", InputRequirement="Y", ConsumeItems=prices))
    reasons = ["type", "requirement", "more-images", "resolution-gone:720p", "ratio-gone:9:16"]
    assert breaking("changed", changed_fields(before, after)) == reasons
