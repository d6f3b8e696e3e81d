"""Text for output: nothing in it controls a terminal or turns the direction of writing; counts and times have one form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePath

import msgspec
import pytest

from sync.text import count_of, escape_bidi, escape_control_characters, iso, join_limited, json_parts, json_text

UNSAFE = "\x7f\x9f\u061c\u200e\u200f\u2028\u202e\u2066\u2069"


class Price(msgspec.Struct):
    credit: float


def test_control_characters_become_visible() -> None:
    assert escape_control_characters("战斗 🔥\x1b]0;x\x07\u202e\x00\ud83d") == "战斗 🔥\\x1b]0;x\\x07\\u202e\\x00\\ud83d"
    assert escape_control_characters("战斗 \\x") == "战斗 \\x"


def test_json_keeps_letters_and_escapes_what_controls_a_terminal() -> None:
    assert json_text({"a": ["猫🔥", 1, None]}) == '{"a": ["猫🔥", 1, null]}'
    assert json_text({"a": 1}, 2) == '{\n  "a": 1\n}'
    assert json_text(UNSAFE) == '"' + "".join(f"\\u{ord(each):04x}" for each in UNSAFE) + '"'
    assert json_text("\x1b\u200d~\xa0") == '"\\u001b\u200d~\xa0"'


def test_json_has_structs_as_objects_and_other_values_as_text() -> None:
    assert json_text([Price(1.5), Decimal("0.1"), PurePath("a")]) == '[{"credit": 1.5}, "0.1", "a"]'


def test_bidi_controls_are_escaped_and_joiners_are_kept() -> None:
    assert escape_bidi(f"猫\u200d🔥{UNSAFE}\x00\x1f\ufeff ~\xa0") == (
        "猫\u200d🔥" + "".join(f"\\u{ord(each):04x}" for each in f"{UNSAFE}\x00\x1f\ufeff") + " ~\xa0"
    )
    assert escape_bidi("猫 \\u") == "猫 \\u"


def test_of_many_names_twenty_are_listed() -> None:
    names = [f"n{number}" for number in range(22)]
    assert (join_limited([]), join_limited(names[:1]), join_limited(names[:20])) == ("", "n0", ", ".join(names[:20]))
    assert join_limited(names) == ", ".join(names[:20]) + " and 2 more"
    assert join_limited(names[:21]).endswith(" and 1 more")


@pytest.mark.parametrize(("number", "shown"), [(0, "0 pages"), (1, "1 page"), (2, "2 pages")])
def test_a_count_has_its_noun(number: int, shown: str) -> None:
    assert count_of(number, "page") == shown


def test_a_time_is_written_in_utc() -> None:
    assert iso(datetime(2026, 5, 22, 3, 37, 31, tzinfo=UTC)) == "2026-05-22T03:37:31Z"
    assert iso(datetime(2026, 5, 22, 5, 37, 31, 120, tzinfo=timezone(timedelta(hours=2)))) == "2026-05-22T03:37:31.000120Z"


@pytest.mark.parametrize("indent", [None, 2, 3])
@pytest.mark.parametrize("items", [[], [1], [{"a": ["line\nbreak", {}, []]}, "\x9b", []]])
def test_json_in_parts_has_the_bytes_of_the_whole(items: list[object], indent: int | None) -> None:
    assert "".join(json_parts([], items, indent)) == json_text(items, indent)
    assert "".join(json_parts({"a": {"b": [1]}, "c": []}, items, indent)) == json_text({"a": {"b": [1]}, "c": items}, indent)


def test_json_in_parts_takes_an_item_only_when_the_one_before_is_written() -> None:
    items = iter(range(3))
    parts = json_parts([], items)
    assert [next(parts), next(parts)] == ["[", "0"]
    assert next(items) == 1
