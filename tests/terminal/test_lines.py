"""Lines of text: only the program adds colours; each change, price and run is one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.catalog.run_record import Run, Status
from sync.terminal import lines


@pytest.mark.parametrize(("color", "sequence"), [("bold", "1"), ("red", "31"), ("green", "32"), ("yellow", "33")])
def test_a_marked_text_has_its_colour_and_the_following_text_has_none(color: str, sequence: str) -> None:
    line = f"a {lines.mark('xb', color)} c"
    assert lines.render(line, colored=True) == f"a \x1b[{sequence}mxb\x1b[0m c"
    assert lines.render(line, colored=False) == "a xb c"


@pytest.mark.parametrize("colored", [True, False])
def test_control_characters_in_a_text_are_escaped(colored: bool) -> None:  # noqa: FBT001
    assert lines.render("\x1b[31mx\x9b\u202e\ufdd5\n", colored=colored) == "\\x1b[31mx\\x9b\\u202e\\ufdd5\\n"
    assert lines.render("", colored=colored) == ""


def test_a_line_can_have_two_colours() -> None:
    line = lines.mark("gone", "red") + lines.mark("new", "green")
    assert lines.render(line, colored=True) == "\x1b[31mgone\x1b[0m\x1b[32mnew\x1b[0m"


START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(41, "run", Status.SUCCEEDED, START, START + timedelta(seconds=2.1), pages=6, seen=280, unchanged=280)


END = "(run 41, 6 pages, 2.10 s)"


@pytest.mark.parametrize(("fields", "shown"), [
    ({}, f"no changes (280 templates checked)  {END}"),
    ({"added": 3, "changed": 12, "removed": 1, "unchanged": 264}, f"+3 added  ~12 changed  -1 removed  264 unchanged  {END}"),
    ({"rejected": 2, "held": 30}, f"280 unchanged  2 rejected  30 removals held  {END}"),
    ({"unchanged": 38, "unconfirmed": 2}, f"38 unchanged  2 missing templates unconfirmed  {END}"),
    ({"run_id": None, "added": 3, "unchanged": 0, "finished_at": None}, "+3 added  (dry run, nothing written, 6 pages, 0.00 s)"),
])  # fmt: skip
def test_the_summary_of_a_run_is_one_line_of_counts(fields: dict[str, Any], shown: str) -> None:
    assert lines.summary(replace(RUN, **fields)) == shown


TITLES: dict[str, Any] = {"title": "猫", "title_en": "Cat", "consume_items": [{"resolution": "480p", "credit": 2}]}
PRICES = [{"resolution": "480p\x1b", "credit": 166.5}, {"resolution": "720p", "credit": 3}]


def formatted(kind: str, **change: Any) -> list[str]:
    found = lines.change_lines({"kind": kind, "template_id": "1", **change})
    for color in ("red", "green", "yellow"):
        found = [f"{color}: {line[1:-1]}" if line == lines.mark(line[1:-1], color) else line for line in found]
    return found


def test_an_added_template_is_green_and_has_its_prices() -> None:
    assert formatted("added", document=TITLES) == ["green: + 1  Cat · 猫  480p 2"]
    assert formatted("added", document={}, evidence="lookup") == ["green: + 1"]


def test_a_changed_template_is_yellow_and_has_old_and_new_values() -> None:
    fields = [{"field": "consume_items.480p", "old": 3, "new": 2}, {"field": "格\x1b", "old": "a\n", "new": None}]
    assert formatted("changed", document=TITLES, fields=fields, evidence="lookup") == [
        "yellow: ~ 1  Cat · 猫",
        "    consume_items.480p  3 → 2",
        "    格\\x1b              a\\n → (none)",
    ]


@pytest.mark.parametrize(("evidence", "shown"), [
    ("lookup", "  (no longer listed, and not found by its id)"),
    ("walks", "  (missing from two complete listings)"),
    ("accepted", "  (no longer listed, and accepted by an operator)"),
    ("oracle", "  (oracle)"),
    (None, ""),
])  # fmt: skip
def test_a_removed_template_is_red_and_has_its_evidence(evidence: str | None, shown: str) -> None:
    assert formatted("removed", document=None, before=TITLES, evidence=evidence) == [f"red: - 1  Cat · 猫{shown}"]
    assert formatted("removed", evidence=evidence) == [f"red: - 1{shown}"]


def test_control_characters_in_an_id_are_escaped() -> None:
    assert formatted("changed", template_id="\x1b[2J") == ["yellow: ~ \\x1b[2J"]


@pytest.mark.parametrize(("absent", "shown"), [
    ({}, "(none) → (none)"),
    ({"absent": "old"}, "(absent) → (none)"),
    ({"absent": "new"}, "(none) → (absent)"),
])  # fmt: skip
def test_an_absent_field_differs_from_an_empty_one(absent: dict[str, str], shown: str) -> None:
    assert lines.field_change({"field": "extra.A", "old": None, "new": None, **absent}) == shown


def test_gained_and_lost_tags_are_on_one_line() -> None:
    hot, new, dance = {"name": "热", "name_en": "Hot"}, {"name": "新", "name_en": ""}, {"name": "舞\n", "name_en": None}
    assert lines.field_change({"field": "tags", "gained": [hot, new], "lost": [dance]}) == "+Hot (热)  +新  -舞\\n"
    assert lines.field_change({"field": "tags", "gained": [hot]}) == "+Hot (热)"
    assert lines.field_change({"field": "tags", "lost": [hot, new]}) == "-Hot (热)  -新"
    assert lines.tag_text({"name": "热\x00", "name_en": "Hot\x00"}) == "Hot\\x00 (热\\x00)"


@pytest.mark.parametrize(("value", "shown"), [
    (None, "(none)"),
    ("", '""'),
    ("a\tb", "a\\tb"),
    ([], "(none)"),
    (["9:16", "", None, 1], '9:16, "", (none), 1'),
    (166.5, "166.5"),
    (0, "0"),
    (False, "false"),
    ({"a": "\u202e"}, '{"a": "\\u202e"}'),
    ({"b": [True, None], "a": {"猫": 1.5}}, '{"a": {"猫": 1.5}, "b": [true, null]}'),
])  # fmt: skip
def test_any_value_is_one_line(value: Any, shown: str) -> None:
    assert lines.value_text(value) == shown


@pytest.mark.parametrize(("document", "shown"), [
    ({"title": "猫\n", "title_en": "Cat\n"}, "Cat\\n · 猫\\n"),
    ({"title": "猫", "title_en": None}, "猫"),
    ({"title": "", "title_en": "Cat"}, "Cat"),
    ({}, ""),
])  # fmt: skip
def test_a_title_has_each_available_language(document: dict[str, Any], shown: str) -> None:
    assert lines.title(document) == shown


def test_each_price_follows_its_resolution() -> None:
    assert lines.prices({"consume_items": PRICES}) == "480p\\x1b 166.5  720p 3"
    assert lines.prices({}) == ""


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("a", 1), ("猫", 2), ("e\u0301", 1), ("\x1b", 0)])
def test_the_width_of_a_text_is_its_width_on_a_terminal(text: str, columns: int) -> None:
    assert lines.wide(text) == columns


@pytest.mark.parametrize(("text", "width", "shown"), [
    ("abc", 3, "abc"),
    ("abcd", 3, "ab…"),
    ("猫狗", 4, "猫狗"),
    ("猫狗", 3, "猫…"),
    ("猫狗", 2, "…"),
    ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ("ab", 0, "…"),
    ("", 0, ""),
])  # fmt: skip
def test_a_truncated_text_ends_with_an_ellipsis_within_the_width(text: str, width: int, shown: str) -> None:
    assert lines.cut(text, width) == shown


def test_padding_never_truncates_a_text() -> None:
    assert lines.pad("猫", 5) == "猫   "
    assert lines.pad("猫", 2) == "猫"
    assert lines.pad("猫", 1) == "猫"
