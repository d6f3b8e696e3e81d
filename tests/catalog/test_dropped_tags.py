"""A record without `Tags` is read both ways until it is known whether any record has them."""

from __future__ import annotations

from typing import Any

import pytest
from sync.catalog.dropped_tags import BothWays, read_both_ways

from sync.catalog.template import Tag
from tests.builders import record

UNEQUAL = "Tags has 0 items, Tags_en 2"


def read(*, looked_up: bool = False, **changes: Any) -> BothWays:
    return read_both_ways(record("1", **{"ConsumeItems": [], "Tags_en": ["Hot", "New"], **changes}), looked_up=looked_up)


def test_a_record_with_tags_is_read_one_way() -> None:
    found = read(Tags=["热", "新"])
    assert found.template is not None
    assert (found.template.tags, found.reason, found.reason_if_tags) == ((Tag("热", "Hot"), Tag("新", "New")), None, None)


def test_english_tags_alone_are_good_only_if_no_record_has_tags() -> None:
    found = read(Tags=...)
    assert found.template is not None
    assert (found.template.tags, found.reason, found.reason_if_tags) == ((), None, UNEQUAL)


@pytest.mark.parametrize("english", [..., None, []], ids=["absent", "null", "empty"])
def test_neither_kind_of_tags_is_good_both_ways(english: Any) -> None:
    found = read(Tags=..., Tags_en=english)
    assert (found.template is not None, found.reason, found.reason_if_tags) == (True, None, None)


def test_tags_that_are_null_were_not_dropped() -> None:
    assert read(Tags=None) == BothWays(None, UNEQUAL, UNEQUAL)


def test_a_look_up_says_nothing_about_the_whole_catalog() -> None:
    assert read(Tags=..., looked_up=True) == BothWays(None, UNEQUAL, UNEQUAL)


def test_what_is_bad_for_another_reason_is_bad_both_ways_and_each_way_has_its_own_reason() -> None:
    title = "Title must be a string, not a number"
    assert read(Tags=..., Title=5) == BothWays(None, title, title)
    assert read(Tags=..., x="\x00") == BothWays(None, "'x' holds a NUL character", UNEQUAL)


def test_what_is_no_object_is_bad_both_ways() -> None:
    assert read_both_ways(7, looked_up=False) == BothWays(None, *["a template must be an object, not a number"] * 2)


def test_a_reason_is_cut() -> None:
    found = read_both_ways({"TemplateId": "1", "x" * 100_000: "\x00"}, looked_up=False)
    assert found.reason is not None
    assert len(found.reason) < 350
