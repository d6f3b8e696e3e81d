"""Who is told of what: all rules that are given must hold, and of one rule any value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.webhooks.rules import KINDS, PriceRule, Rules, contradiction, is_field, price_rule
from tests.webhooks.changes import change, field

TITLE = field("title", "a", "b")
PRICE = field("consume_items.720p", 100, 110)


def some(*values: str) -> frozenset[str]:
    return frozenset(values)


def moved(percent: int, direction: str = "") -> Rules:
    return Rules(price_change=PriceRule(Decimal(percent), direction))


WANTED: list[tuple[str, Rules, dict[str, Any], bool]] = [
    ("no rule is every change", Rules(), change("removed"), True),
    ("a kind", Rules(kinds=some("added")), change("added"), True),
    ("another kind", Rules(kinds=some("added")), change("removed"), False),
    ("an id", Rules(ids=some("1", "2")), change(template_id="2"), True),
    ("another id", Rules(ids=some("1", "2")), change(template_id="12"), False),
    ("a field", Rules(fields=some("title")), change("changed", TITLE), True),
    ("a field whose name begins alike", Rules(fields=some("title")), change("changed", field("title_en", "a", "b")), False),
    ("any price", Rules(fields=some("consume_items")), change("changed", PRICE), True),
    ("one resolution's price", Rules(fields=some("consume_items.720p")), change("changed", PRICE), True),
    ("another resolution's", Rules(fields=some("consume_items.7")), change("changed", PRICE), False),
    ("fields: one that is new has none", Rules(fields=some("title")), change("added"), False),
    ("a tag, in Chinese", Rules(tags=some("热门")), change("added"), True),
    ("a tag, in another case", Rules(tags=some("trending")), change("added"), True),
    ("a tag of one that is gone", Rules(tags=some("Trending")), change("removed"), True),
    ("part of a tag", Rules(tags=some("Trend")), change("added"), False),
    ("a tag that is lost", Rules(tags=some("Solo")),
     change("changed", field("tags", [], [], gained=[], lost=[{"name": "单人", "name_en": "Solo"}])), True),
    ("a tag without English", Rules(tags=some("None")), change("added", tags=[{"name": "x", "name_en": None}]), False),
    ("a type", Rules(types=some("begin_end_frame")), change("added"), True),
    ("a type that it was", Rules(types=some("OLD")), change("changed", field("template_type", "OLD", "NEW")), True),
    ("a type that stands in another field", Rules(types=some("OLD")), change("changed", field("title", "OLD", "b")), False),
    ("another type", Rules(types=some("OLD")), change("added"), False),
    ("no type at all", Rules(types=some("OLD")), change("added", template_type=None), False),
    ("breaking", Rules(breaking=True), change("removed"), True),
    ("not breaking", Rules(breaking=True), change("changed", TITLE), False),
    ("two rules, one of which holds", Rules(kinds=some("changed"), ids=some("9")), change("changed", TITLE), False),
    ("exactly 10 % up", moved(10), change("changed", PRICE), True),
    ("a hair less", moved(10), change("changed", field("consume_items.x", 100, 109.99)), False),
    ("10 % down", moved(10), change("changed", field("consume_items.x", 100, 90)), True),
    ("only up, and it falls", moved(10, "+"), change("changed", field("consume_items.x", 9, 1)), False),
    ("only up, and it rises", moved(10, "+"), change("changed", PRICE), True),
    ("only down, and it rises", moved(10, "-"), change("changed", PRICE), False),
    ("one of two prices moved enough", moved(50),
     change("changed", PRICE, field("consume_items.x", 1, 2)), True),
    ("one that was free costs", moved(500), change("changed", field("consume_items.x", 0, 1)), True),
    ("a new resolution", moved(0), change("changed", field("consume_items.x", None, 1)), False),
    ("a resolution that goes", moved(0), change("changed", field("consume_items.x", 1, None)), False),
    ("a price move, of one that is new", moved(0), change("added"), False),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "told", "wanted"), [case[1:] for case in WANTED], ids=[case[0] for case in WANTED])
def test_a_change_is_wanted_when_every_rule_holds(rules: Rules, told: dict[str, Any], wanted: bool) -> None:  # noqa: FBT001
    assert rules.matches(told) is wanted


@pytest.mark.parametrize(("text", "rule"), [
    ("10%", PriceRule(Decimal(10))), ("+2.5%", PriceRule(Decimal("2.5"), "+")), ("-100%", PriceRule(Decimal(100), "-")),
    ("0%", PriceRule(Decimal(0))),
])  # fmt: skip
def test_a_price_rule_is_a_share_with_or_without_a_direction(text: str, rule: PriceRule) -> None:
    assert price_rule(text) == rule


@pytest.mark.parametrize("text", ["", "10", "%", "ten%", "1e1%", "+-1%", " 10%", "NaN%", "10 %", "٣%"])
def test_what_is_no_share_is_no_price_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a share such as 10%, or \+10% for up only, -10% for down only$"):
        price_rule(text)


def test_a_price_cannot_fall_below_nothing() -> None:
    with pytest.raises(ValueError, match=r"^a fall of at most 100%$"):
        price_rule("-100.1%")


def test_a_field_is_one_that_a_change_can_have() -> None:
    assert all(map(is_field, ("title", "tags", "aspect_ratios", "consume_items", "consume_items.720p", "extra", "extra.New")))
    assert not any(map(is_field, ("", "titel", "title.x", "consume_items.", "extra.", "template_id")))


def test_the_kinds_are_those_of_the_feed() -> None:
    assert KINDS == ("added", "removed", "changed")


def test_rules_that_can_never_match_are_reported() -> None:
    only_changed = "can never match: {} selects changed templates only"
    assert contradiction(Rules(kinds=some("removed"), fields=some("title"))) == "removed " + only_changed.format("fields")
    either = Rules(kinds=some("added", "removed"), price_change=PriceRule(Decimal(1)))
    assert contradiction(either) == "added and removed " + only_changed.format("price_change")
    assert (
        contradiction(Rules(kinds=some("added"), breaking=True))
        == "added can never match: an added template is not a breaking change"
    )
    assert contradiction(Rules(kinds=some("added"))) is None
    assert (
        contradiction(Rules(kinds=some("added", "removed", "changed"), price_change=PriceRule(Decimal(10)), breaking=True))
        is None
    )
    assert contradiction(Rules(kinds=some("changed"), fields=some("title"), breaking=True)) is None
    assert contradiction(Rules(fields=some("title"), price_change=PriceRule(Decimal(1)))) is None
