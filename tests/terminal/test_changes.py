"""What a person reads of a change: each field old → new, tags gained and lost, why something is gone."""

from __future__ import annotations

from typing import Any

import pytest

from sync.terminal.changes import change_lines, field_change, prices, tag_text, title, value_text

TITLES: dict[str, Any] = {"title": "猫", "title_en": "Cat", "consume_items": [{"resolution": "480p", "credit": 2}]}
PRICES = [{"resolution": "480p\x1b", "credit": 166.5}, {"resolution": "720p", "credit": 3}]


def lines(kind: str, **told: Any) -> list[str]:
    return change_lines({"kind": kind, "template_id": "1", **told}, lambda text, color: f"{color}: {text}")


def test_a_template_that_came_is_green_and_shows_its_prices() -> None:
    assert lines("added", document=TITLES) == ["green: + 1  Cat · 猫  480p 2"]
    assert lines("added", document={}, evidence="lookup") == ["green: + 1"]


def test_a_price_that_fell_is_yellow_and_shown_as_a_fall() -> None:
    fields = [{"field": "consume_items.480p", "old": 3, "new": 2}, {"field": "格\x1b", "old": "a\n", "new": None}]
    assert lines("changed", document=TITLES, fields=fields, evidence="lookup") == [
        "yellow: ~ 1  Cat · 猫",
        "    consume_items.480p  3 → 2",
        "    格\\x1b              a\\n → (none)",
    ]


@pytest.mark.parametrize(("evidence", "said"), [
    ("lookup", "  (no longer listed, and not found by its id)"),
    ("walks", "  (missing from two complete listings)"),
    ("accepted", "  (no longer listed, and accepted by an operator)"),
    ("oracle", "  (oracle)"),
    (None, ""),
])  # fmt: skip
def test_a_template_that_went_is_red_and_says_how_one_knows(evidence: str | None, said: str) -> None:
    assert lines("removed", document=None, before=TITLES, evidence=evidence) == [f"red: - 1  Cat · 猫{said}"]
    assert lines("removed", evidence=evidence) == [f"red: - 1{said}"]


def test_an_id_of_a_stranger_acts_on_no_terminal() -> None:
    assert change_lines({"kind": "changed", "template_id": "\x1b[2J"}) == ["~ \\x1b[2J"]


@pytest.mark.parametrize(("absent", "shown"), [
    ({}, "(none) → (none)"),
    ({"absent": "old"}, "(absent) → (none)"),
    ({"absent": "new"}, "(none) → (absent)"),
])  # fmt: skip
def test_a_field_that_is_not_there_is_told_from_one_that_holds_nothing(absent: dict[str, str], shown: str) -> None:
    assert field_change({"field": "extra.A", "old": None, "new": None, **absent}) == shown


def test_tags_that_came_and_went_stand_side_by_side() -> None:
    hot, new, dance = {"name": "热", "name_en": "Hot"}, {"name": "新", "name_en": ""}, {"name": "舞\n", "name_en": None}
    assert field_change({"field": "tags", "gained": [hot, new], "lost": [dance]}) == "+Hot (热)  +新  -舞\\n"
    assert field_change({"field": "tags", "gained": [hot]}) == "+Hot (热)"
    assert field_change({"field": "tags", "lost": [hot, new]}) == "-Hot (热)  -新"
    assert tag_text({"name": "热\x00", "name_en": "Hot\x00"}) == "Hot\\x00 (热\\x00)"


@pytest.mark.parametrize(("value", "shown"), [
    (None, "(none)"),
    ("", '""'),
    ("a\tb", "a\\tb"),
    ([], "(none)"),
    (["9:16", "", None, 1], '9:16, "", (none), 1'),
    (166.5, "166.5"),
    (0, "0"),
    (False, "False"),
    ({"a": "\u202e"}, "{'a': '\\u202e'}"),
])  # fmt: skip
def test_any_value_is_one_line(value: Any, shown: str) -> None:
    assert value_text(value) == shown


@pytest.mark.parametrize(("document", "shown"), [
    ({"title": "猫\n", "title_en": "Cat\n"}, "Cat\\n · 猫\\n"),
    ({"title": "猫", "title_en": None}, "猫"),
    ({"title": "", "title_en": "Cat"}, "Cat"),
    ({}, ""),
])  # fmt: skip
def test_a_title_is_in_each_language_that_there_is(document: dict[str, Any], shown: str) -> None:
    assert title(document) == shown


def test_each_price_stands_behind_its_resolution() -> None:
    assert prices({"consume_items": PRICES}) == "480p\\x1b 166.5  720p 3"
    assert prices({}) == ""
