"""Text for output: nothing in it controls a terminal or turns the direction of writing; counts and times have one form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePath

import msgspec
import pytest

from sync.text import age, ago, count_of, escape_bidi, escape_control_characters, iso, join_limited, json_parts, json_text, since

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


NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "shown"), [
    (-1, "0 s"), (0, "0 s"), (1.4, "1 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h 00 min"),
    (11100, "3 h 05 min"), (187200, "2 d 4 h"), (7859, "2 h 10 min"), (172799, "47 h 59 min"), (172800, "2 d 0 h"),
    (259199, "2 d 23 h"), (259200, "3 d 0 h"),
])  # fmt: skip
def test_an_age_is_rounded_down_to_its_two_largest_units(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [
    (0, "0 s ago"), (-60, "0 s ago"), (-61, "61 s ahead of this clock"), (120, "2 min ago"),
])  # fmt: skip
def test_a_time_more_than_a_minute_in_the_future_is_ahead_of_this_clock(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


def test_a_time_is_shown_with_its_age() -> None:
    assert since(NOON - timedelta(minutes=5), NOON) == "2026-07-01 11:55:00 UTC (5 min ago)"
    assert since(NOON + timedelta(hours=3), NOON) == "2026-07-01 15:00:00 UTC (3 h 00 min ahead of this clock)"
    assert since(None, NOON) == "never"
