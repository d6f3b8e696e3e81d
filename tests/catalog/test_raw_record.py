"""One record's bytes: their hash, their id, and values decoded without loss, the same on every Python."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sync.catalog.raw_record import DEEPEST_KEPT, LOOK_UP, Ambiguous, cut_depth, decode, quick_id, record_id, shallow, wire_hash

from sync.catalog import raw_record


def lists(levels: int, inside: str = "") -> bytes:
    return ("[" * levels + inside + "]" * levels).encode()


def depth(value: Any) -> int:
    """Count levels without recursion."""
    levels = 0
    while isinstance(value, list):
        levels += 1
        value = value[0] if value else None
    return levels


# Values --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("166.5", Decimal("166.5")), ("1.50", Decimal("1.50")), ("1e2", Decimal("1E+2")), ("1E+2", Decimal("1E+2")),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("1e400", Decimal("1e400")), ("1e-400", Decimal("1e-400")),
        ("7642552612302307355", 7642552612302307355), ("-9223372036854775809", -9223372036854775809),
        ("9" * 100, int("9" * 100)), ("9" * 101, Decimal("9" * 101)), ("9" * 5000, Decimal("9" * 5000)),
        ("1e99999999999999999999", Decimal("Infinity")), ("-1e99999999999999999999", Decimal("Infinity")),
        ("-0", 0), ("-0.0", Decimal("-0.0")),
    ],
)  # fmt: skip
def test_a_number_keeps_its_kind_and_every_digit(text: str, value: Any) -> None:
    found = decode(text.encode())
    assert (type(found), str(found)) == (type(value), str(value))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_none_and_raises_nothing(text: str) -> None:
    found = decode(text.encode())
    assert isinstance(found, Decimal)
    assert found.is_nan()


@pytest.mark.parametrize("text", ["01", "1.", ".5", "0x1", "+1", "1_000", "nan", "1e", "--1", "[1,]", '{"a":1,}', "'a'", "", " "])
def test_what_json_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra data|Illegal|Unterminated"):
        decode(text.encode())


def test_a_key_that_stands_twice_is_marked_where_it_stands_and_nowhere_else() -> None:
    found = decode(b'{"a": {"b": 1, "b": 1}, "c": {"b": 1}}')
    assert [isinstance(each, Ambiguous) for each in (found, found["a"], found["c"])] == [False, True, False]
    assert isinstance(decode(rb'{"a": 1, "\u0061": 2}'), Ambiguous)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"\xe9"', "\udce9"),
        (b'"\xed\xa0\xbd"', "\udced\udca0\udcbd"),
        (rb'"\ud83d"', "\ud83d"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\ude00\ud83d"', "\ude00\ud83d"),
        (b'"\\u0000"', "\x00"),
        (b"\xef\xbb\xbf1", 1),
        (b'"\xef\xbb\xbf"', "\ufeff"),
    ],
    ids=["Latin-1", "a surrogate as bytes", "half a pair", "a pair", "a pair turned round", "NUL", "a BOM", "a BOM inside"],
)
def test_bytes_that_are_no_text_stay_as_marks_for_whoever_validates(raw: bytes, text: Any) -> None:
    assert decode(raw) == text


# Nesting is counted --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, DEEPEST_KEPT - 1, DEEPEST_KEPT])
def test_so_many_levels_are_kept_whole(levels: int) -> None:
    assert cut_depth(lists(levels, "1").decode()) == lists(levels, "1").decode()
    assert depth(decode(lists(levels, "1"))) == levels


@pytest.mark.parametrize("levels", [DEEPEST_KEPT + 1, 1000, 2000, 10_000, 1_000_000])
def test_what_lies_deeper_is_emptied_however_deep_the_interpreter_would_go(levels: int) -> None:
    assert decode(lists(levels, "1")) == decode(lists(DEEPEST_KEPT, "[]"))


@pytest.mark.parametrize("limit", [300, 100_000])
def test_the_interpreters_own_limit_is_of_no_account(limit: int) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        found = decode(lists(5000, "1"))
    finally:
        sys.setrecursionlimit(before)
    assert depth(found) == DEEPEST_KEPT + 1


def test_objects_count_as_levels_as_lists_do() -> None:
    found = decode(b'{"a": ' * 5000 + b"1" + b"}" * 5000)
    for _ in range(DEEPEST_KEPT):
        found = found["a"]
    assert found == {}
    deep = '{"a": [' * 50 + "]}" * 50
    assert cut_depth(deep, 3) == '{"a": [{"a": []}]}'
    assert cut_depth(deep, 4) == '{"a": [{"a": [{}]}]}'


def test_brackets_in_strings_are_no_levels() -> None:
    text = r'["[[[[\"[[[[\\", "]", {"{{{": "}"}]'
    assert cut_depth(text, 2) == text
    assert cut_depth(r'[["\\", ["]"]]]', 2) == r'[["\\", []]]'


def test_what_follows_something_deep_is_kept() -> None:
    assert cut_depth("[[[1, 2], 3], [[4]], 5]", 2) == "[[[], 3], [[]], 5]"
    assert decode(b'{"x": ' + lists(500) + b', "y": 1}')["y"] == 1


@given(st.text('[]{}",:\\1a ', max_size=40), st.integers(1, 4))
def test_no_text_is_made_deeper_or_longer_by_cutting(text: str, deepest: int) -> None:
    cut = cut_depth(text, deepest)
    assert len(cut) <= len(text)
    assert cut_depth(cut, deepest) == cut


# Ids -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"), [("7", "7"), (70, "70"), (True, None), ("", None), ("\x00", None), (Decimal(7), None)]
)
def test_an_id_is_found_even_where_it_has_the_wrong_type(value: Any, found: str | None) -> None:
    assert record_id({"TemplateId": value}) == found
    assert record_id([value]) is None


@pytest.mark.parametrize("value", ["1" * 256, "\ud83d", None, ["7"], 10**300])
def test_what_cannot_be_stored_as_an_id_is_none(value: Any) -> None:
    assert record_id({"TemplateId": value}) is None


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'{"x": [1, {"TemplateId": "2"}], "TemplateId": "1"}', "1"),
        (rb'{"Templ\u0061teId": "\u0031"}', "1"),
        (b'{"TemplateId": 1}', None),
        (b'{"TemplateId": null}', None),
        (b"{}", None),
        (b"[]", None),
        (b'"1"', None),
        (b'{"TemplateId": "\xe9"}', None),
        (b'{"TemplateId": "1", "x": NaN}', None),
        (b'{"TemplateId": "1"', None),
        (b"", None),
        (b'{"TemplateId": "1", "x": ' + lists(100_000) + b"}", None),
    ],
)
def test_an_id_is_found_in_passing_where_it_is_plain(raw: bytes, found: str | None) -> None:
    assert quick_id(raw) == found


@given(st.binary(max_size=40) | st.text('{}[]":,TemplateId\\u01', max_size=40).map(str.encode))
def test_looking_for_an_id_in_passing_raises_nothing(raw: bytes) -> None:
    quick_id(raw)
    quick_id(b'{"TemplateId": "1", "x": ' + raw + b"}")


# The hash ------------------------------------------------------------------------------------------------------------------


def test_a_hash_is_of_every_byte_and_short_enough_for_its_column() -> None:
    assert wire_hash(b'{"TemplateId": "1"}') == wire_hash(b'{"TemplateId": "1"}')
    assert wire_hash(b'{"TemplateId": "1"}') != wire_hash(b'{"TemplateId":"1"}')
    assert re.fullmatch("[0-9a-f]{32}", wire_hash(b"{}"))


def test_a_version_that_reads_otherwise_recognises_nothing_that_was_stored_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wire_hash(b"{}")
    monkeypatch.setattr(raw_record, "_READER", b"2")
    assert wire_hash(b"{}") != before


def test_no_page_of_a_walk_has_the_number_of_a_look_up_and_so_many_levels_are_kept_on_every_python() -> None:
    assert (LOOK_UP, DEEPEST_KEPT) == (0, 64)


def test_an_id_may_be_as_long_as_its_column() -> None:
    assert record_id({"TemplateId": "1" * 255}) == "1" * 255


def test_a_text_that_ends_too_early_is_not_cut_where_it_is_not_too_deep() -> None:
    assert cut_depth('[["a', 2) == '[["a'


def test_a_records_bytes_are_cut_only_where_they_lie_too_deep() -> None:
    assert shallow(lists(DEEPEST_KEPT, "1")) == lists(DEEPEST_KEPT, "1")
    assert shallow(lists(DEEPEST_KEPT + 1, '"\xff"')) == lists(DEEPEST_KEPT, "[]")
    beside = b'["\xff", ' + lists(DEEPEST_KEPT, "1") + b"]"
    assert shallow(beside) == b'["\xff", ' + lists(DEEPEST_KEPT) + b"]", "what is no UTF-8 stays as it is"
    assert shallow(b"[" * DEEPEST_KEPT + b'{"a": "\xff"}' + b"]" * DEEPEST_KEPT) == lists(DEEPEST_KEPT, "{}")
