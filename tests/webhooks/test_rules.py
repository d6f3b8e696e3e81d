"""Which changes match: all given rules must match, and within one rule any value."""

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


@pytest.mark.parametrize(("rules", "found", "matches"), [case[1:] for case in WANTED], ids=[case[0] for case in WANTED])
def test_a_change_matches_if_every_rule_matches(rules: Rules, found: dict[str, Any], matches: bool) -> None:  # noqa: FBT001
    assert rules.matches(found) is matches


@pytest.mark.parametrize(("text", "rule"), [
    ("10%", PriceRule(Decimal(10))), ("+2.5%", PriceRule(Decimal("2.5"), "+")), ("-100%", PriceRule(Decimal(100), "-")),
    ("0%", PriceRule(Decimal(0))),
])  # fmt: skip
def test_a_price_rule_is_a_percentage_with_or_without_a_direction(text: str, rule: PriceRule) -> None:
    assert price_rule(text) == rule


@pytest.mark.parametrize("text", ["", "10", "%", "ten%", "1e1%", "+-1%", " 10%", "NaN%", "10 %", "٣%", "-100.1%"])
def test_other_texts_are_not_price_rules(text: str) -> None:
    fall, share = r"^a fall of at most 100%$", r"^a share such as 10%, or \+10% for up only, -10% for down only$"
    with pytest.raises(ValueError, match=fall if text == "-100.1%" else share):
        price_rule(text)


def test_the_names_of_fields_are_those_that_a_change_can_have() -> None:
    assert all(map(is_field, ("title", "tags", "aspect_ratios", "consume_items", "consume_items.720p", "extra", "extra.New")))
    assert KINDS == ("added", "removed", "changed")
    assert not any(map(is_field, ("", "titel", "title.x", "consume_items.", "extra.", "template_id")))


ONLY_CHANGED = "can never match: {} selects changed templates only"


@pytest.mark.parametrize(("rules", "reason"), [
    (Rules(kinds=some("removed"), fields=some("title")), "removed " + ONLY_CHANGED.format("fields")),
    (Rules(kinds=some("added", "removed"), price_change=moved(1).price_change),
     "added and removed " + ONLY_CHANGED.format("price_change")),
    (Rules(kinds=some("added"), breaking=True), "added can never match: an added template is not a breaking change"),
    (Rules(kinds=some("added")), None),
    (Rules(kinds=some("added", "removed", "changed"), price_change=moved(10).price_change, breaking=True), None),
    (Rules(kinds=some("changed"), fields=some("title"), breaking=True), None),
    (Rules(fields=some("title"), price_change=moved(1).price_change), None),
])  # fmt: skip
def test_rules_that_can_never_match_are_reported(rules: Rules, reason: str | None) -> None:
    assert contradiction(rules) == reason
