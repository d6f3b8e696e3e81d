"""Documents and exact JSON: decoding, the stored form, and the hashes that databases hold."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.catalog import document
from sync.catalog.document import (
    DOCUMENT_KEYS,
    canonical,
    content_hash,
    instant,
    is_content_hash,
    json_number,
    plain_hash,
    to_plain_json,
)
from sync.catalog.feed import PriceMove
from sync.catalog.fields import BOUNDS, COLUMNS, DECLARATION, DEEPEST_RECORD, DOCUMENTED, FIELDS, LISTS, SCALARS
from sync.catalog.json_values import decode_json, exact_number, parse_json, write_json
from sync.catalog.parsing import complete_document
from sync.catalog.url_query import address, without_query
from sync.reader.values import Price
from tests.builders import DOCUMENT, record
from tests.catalog.runs import base, document_of, wire

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_document_has_the_names_of_the_columns_and_the_served_values() -> None:
    assert document_of(record("1", Later=[1.5])) == {**DOCUMENT, "extra": {"Later": [1.5]}}


def test_the_keys_of_a_document_are_in_a_fixed_order() -> None:
    for made in (base(), {"TemplateId": "1"}, dict(reversed(base().items()))):
        assert tuple(document_of(made)) == DOCUMENT_KEYS


def test_an_instant_is_written_in_utc() -> None:
    assert [instant(seconds) for seconds in (0, 253_402_300_799)] == ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]


def test_missing_fields_are_null_or_empty() -> None:
    written = document_of({"TemplateId": "1"})
    assert {name for name, value in written.items() if value is None} == {*SCALARS.values()}
    assert [written[name] for name in (*LISTS, "extra")] == [[], [], [], {}]


def test_every_field_of_a_record_is_documented_and_declared_once() -> None:
    assert record().keys() == DOCUMENTED == BOUNDS.keys()
    assert len(FIELDS) == len(DOCUMENTED)
    assert {*COLUMNS.values()} == {*SCALARS.values(), *LISTS}


def test_the_declaration_hash_covers_validation_and_not_descriptions() -> None:
    validated = [(each.wire, each.column, each.kind, each.bound) for each in FIELDS]
    assert hashlib.sha256(repr(validated).encode()).digest()[:15] == DECLARATION


@pytest.mark.parametrize(
    ("number", "written"),
    [("400", "400"), ("4E+2", "400"), ("355.20", "355.2"), ("0.1", "0.1"), ("999999999999999", "999999999999999"),
     ("0.000000000000001", "1e-15"), ("123456789012.345", "123456789012.345")],
)  # fmt: skip
def test_a_credit_is_a_plain_number_and_exact(number: str, written: str) -> None:
    found = json_number(Decimal(number))
    assert json.dumps(found) == written
    assert Decimal(repr(found)) == Decimal(number)


def test_named_values_read_only_mappings_times_and_decimals_become_plain_json() -> None:
    moves = [PriceMove("480p", Decimal("166.50"), None), PriceMove("4k", None, Decimal(400))]
    assert json.dumps(to_plain_json(moves)) == json.dumps(
        [{"resolution": "480p", "old": 166.5, "new": None}, {"resolution": "4k", "old": None, "new": 400}]
    )
    values = (
        Price("480p", Decimal("1.0")),
        MappingProxyType({"a": MappingProxyType({"b": ((1,),)})}),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert (
        json.dumps(to_plain_json(values)) == '[{"resolution": "480p", "credit": 1}, {"a": {"b": [[1]]}}, "2026-01-01T00:00:00Z"]'
    )


def test_a_document_older_than_a_field_gets_the_value_in_extra() -> None:
    whole = document_of(base())
    older = {name: value for name, value in whole.items() if name not in {"title", "duration_ms", "media_id"}}
    older["extra"] = {"Title": "x", "Duration": "ten", "Later": 1}
    assert complete_document(older) == {**whole, "title": "x", "duration_ms": None, "media_id": None, "extra": older["extra"]}
    assert complete_document(whole) is whole
    assert complete_document({"template_id": "1", "extra": {}, **{name: [] for name in LISTS}}) == document_of(
        {"TemplateId": "1"}
    )


@pytest.mark.parametrize("stored", [None, [], {}, {"template_id": "1", "extra": {}, "tags": [], "aspect_ratios": []}])
def test_a_value_without_the_lists_is_not_a_document(stored: Any) -> None:
    assert complete_document(stored) is None


# Hashes -----------------------------------------------------------------------------------------------------------------


def test_the_hash_of_a_document_does_not_change_between_versions() -> None:
    written = document_of(base())
    assert content_hash(written) == "cbe21908730d02984a4a5f85328babeb1cd92fc8bd7124be6842adcd2fc6042f"


@pytest.mark.parametrize("changes", [{"Title": "x"}, {"Later": 1}, {"Tags": ["热", "冷"]}, {"MediaId": None}])
def test_a_published_change_changes_the_hash(changes: dict[str, Any]) -> None:
    assert content_hash(document_of(base())) != content_hash(document_of(base(**changes)))


def reference(value: Any) -> str:
    """Write a value as every version has written it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


NUMBERS: list[float] = [
    0, 1, -1, 0.5, -0.5, 1e-4, 9.99e-5, 1e-15, 5e-324, 9_999_999_999_999_998.0, 1e16, -1e16, 1e17, 1.5e300, 2**63 - 1, 2**63,
    2**63 + 1, 2**64 - 1, 2**64, 2**64 + 1, -(2**63) + 1, -(2**63), -(2**63) - 1, -(2**63) - 2, -(2**64), -(2**64) + 1, 10**50,
]  # fmt: skip


@pytest.mark.parametrize("value", [["战\ud800"], {"\ud800": 1e17}, {"b": [1, 0.5], "a": "战"}])
def test_a_value_has_one_canonical_form(value: Any) -> None:
    assert canonical(value) == reference(value)


@pytest.mark.parametrize("number", NUMBERS)
def test_both_encoders_write_a_number_alike(number: float) -> None:
    for value in (number, [1, number], {"b": [{"c": number}], "a": True}):
        assert canonical(value) == reference(value)
    for changes in ({"extra": {"x": [number]}}, {"consume_items": [{"resolution": "480p", "credit": number}]}):
        written = {**document_of({"TemplateId": "1"}), **changes}  # without lists and URLs, which are hashed in another form
        assert content_hash(written) == hashlib.sha256(reference(written).encode()).hexdigest()


def test_a_document_whose_numbers_are_plain_is_hashed_by_the_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run hashes each new record, so the exact encoder would show in the time of every first run."""
    written = {**document_of(base()), "extra": {"a": [1, 0.5, True, None, {"b": "x"}], "least": 1e-4, "most": 2**63 - 1}}
    expected = content_hash(written)
    monkeypatch.setattr(document, "canonical", None)
    assert content_hash(written) == expected


def test_prices_are_ordered_by_their_canonical_form() -> None:
    cheap, dear = {"credit": 1e-5, "resolution": "480p"}, {"credit": 0.5, "resolution": "720p"}
    written = document_of({"TemplateId": "1"})
    expected = {**written, "consume_items": sorted([cheap, dear], key=reference)}
    for prices in ([cheap, dear], [dear, cheap]):
        found = content_hash({**written, "consume_items": prices})
        assert found == hashlib.sha256(reference(expected).encode()).hexdigest()


def test_a_plain_hash_is_of_the_canonical_json() -> None:
    assert plain_hash({"b": 1, "a": "战"}) == hashlib.sha256('{"a":"战","b":1}'.encode()).hexdigest()


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
        ("166.5", Decimal("166.5")), ("1.50", Decimal("1.50")), ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("1e-400", Decimal("1e-400")), ("7642552612302307355", 7642552612302307355),
        ("-9223372036854775809", -9223372036854775809), ("18446744073709551616", 2**64), ("9" * 100, int("9" * 100)),
        ("9" * 5000, Decimal("9" * 5000)),
    ],
)  # fmt: skip
def test_a_number_keeps_its_type_and_all_digits(text: str, value: Any) -> None:
    for found in (decode_json(text.encode()), parse_json(text.encode(), DEEPEST_RECORD)):
        assert (type(found), str(found)) == (type(value), str(value))


def test_the_json_module_parses_integers_of_more_than_100_digits_as_decimals() -> None:
    assert [type(parse_json(b"9" * digits, DEEPEST_RECORD)) for digits in (100, 101)] == [int, Decimal]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.0", 1), ("1e2", 100), ("1E+2", 100), ("10123.0", 10123), ("120e-1", 12), ("-0", 0), ("-0.0", 0), ("0e-7", 0),
     ("1e50", 10**50), ("-1.5e1", -15)],
)  # fmt: skip
def test_a_whole_number_is_an_int_however_it_is_written(text: str, value: int) -> None:
    for found in (decode_json(text.encode()), parse_json(text.encode(), DEEPEST_RECORD)):
        assert (type(found), found) == (int, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e51", Decimal("1e51")), ("1e999999999", Decimal("1e999999999")), ("1e99999999999999999999", Decimal("Infinity"))],
)
def test_a_number_with_a_huge_exponent_stays_a_decimal(text: str, value: Decimal) -> None:
    for found in (decode_json(text.encode()), exact_number(text)):
        assert (type(found), found) == (Decimal, value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_decoded_as_nan(text: str) -> None:
    found = decode_json(text.encode())
    assert isinstance(found, Decimal)
    assert found.is_nan()


@pytest.mark.parametrize("text", ["01", "1.", ".5", "0x1", "+1", "1_000", "nan", "1e", "--1", "[1,]", '{"a":1,}', "'a'", "", " "])
def test_invalid_json_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra data|Illegal|Unterminated"):
        decode_json(text.encode())


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (rb'{"a": 1, "\u0061": [2]}', {"a": [2]}),
        (b'[{"a": {"b": 1, "b": 3}, "c": 1, "a": {"b": 4, "b": 5}}]', [{"a": {"b": 5}, "c": 1}]),
        (b'{"a": NaN, "a": 2}', {"a": 2}),
    ],
)
def test_the_last_of_several_equal_keys_wins(raw: bytes, value: Any) -> None:
    assert decode_json(raw) == parse_json(raw, DEEPEST_RECORD) == value


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
def test_invalid_utf_8_becomes_surrogates(raw: bytes, text: Any) -> None:
    assert decode_json(raw) == text


# Nesting -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [DEEPEST_RECORD + 1, 1000, 100_000])
def test_values_nested_too_deep_are_emptied(levels: int) -> None:
    assert decode_json(lists(levels, "1")) == decode_json(lists(DEEPEST_RECORD, "[]"))


@pytest.mark.parametrize("limit", [300, 100_000])
def test_the_recursion_limit_of_the_interpreter_has_no_effect(limit: int) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        found = decode_json(lists(5000, "1"))
    finally:
        sys.setrecursionlimit(before)
    assert depth(found) == DEEPEST_RECORD + 1


def test_objects_count_as_levels_like_lists() -> None:
    found = decode_json(b'{"a": ' * 5000 + b"1" + b"}" * 5000)
    for _ in range(DEEPEST_RECORD):
        found = found["a"]
    assert found == {}
    deep = b'{"a": [' * 50 + b"]}" * 50
    assert decode_json(deep, 3) == {"a": [{"a": []}]}
    assert decode_json(deep, 4) == {"a": [{"a": [{}]}]}


def test_brackets_in_strings_do_not_count_as_levels() -> None:
    text = rb'["[[[[\"[[[[\\", "]", {"{{{": "}"}]'
    assert decode_json(text, 2) == json.loads(text)
    assert decode_json(rb'[["\\", ["]"]]]', 2) == [["\\", []]]


def test_values_after_an_emptied_value_are_kept() -> None:
    assert decode_json(b"[[[1, 2], 3], [[4]], 5]", 2) == [[[], 3], [[]], 5]
    assert decode_json(b'{"x": ' + lists(500) + b', "y": 1}')["y"] == 1
    assert decode_json(b'["\xff", ' + lists(DEEPEST_RECORD, '"x"') + b"]") == ["\udcff", json.loads(lists(DEEPEST_RECORD))]


@pytest.mark.parametrize("unending", [b'"' + b'\\"' * 300_000, b'"' + b"a" * 1_000_000, b'"\\' * 300_000, b"[" * 300_000])
def test_an_unterminated_text_is_rejected_in_linear_time(unending: bytes) -> None:
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        decode_json(b"[" * 2000 + unending)


# Two parsers, one result ---------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["[", "\\", '"', "\ud83d"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.integers(1, 5))
def test_both_parsers_give_the_same_values(value: Any, ascii_only: bool, deepest: int) -> None:  # noqa: FBT001 - hypothesis gives it
    raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert repr(decode_json(raw)) == repr(parse_json(raw, DEEPEST_RECORD))
    assert repr(decode_json(raw, deepest)) == repr(parse_json(raw, deepest))


@given(st.binary(max_size=40) | st.text('[]{}",:\\u0123456789.eE-+ntfu \x00é', max_size=60).map(str.encode), st.integers(1, 4))
def test_both_parsers_accept_the_same_bytes_and_raise_nothing_but_value_errors(raw: bytes, deepest: int) -> None:
    assert shown(decode_json, raw, deepest) == shown(parse_json, raw, deepest)


def shown(parse: Callable[[bytes, int], Any], raw: bytes, deepest: int) -> str:
    try:
        return repr(parse(raw, deepest))
    except ValueError:
        return "refused"


@given(VALUES)
def test_a_written_value_is_parsed_to_the_same_value(value: Any) -> None:
    found = decode_json(wire(value))
    written = write_json(found)
    assert written.isascii()
    assert repr(decode_json(written)) == repr(found)


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (b'{"a": [1.50, 1e400, NaN, null, true]}', b'{"a":[1.50,1E+400,NaN,null,true]}'),
        (b'"\xe9\x41"', rb'"\udce9A"'),
        (b"1e99999999999999999999", b"Infinity"),
        (b"9" * 5000, b"9" * 5000),
    ],
)
def test_values_are_written_with_exact_numbers_in_ascii(raw: bytes, written: bytes) -> None:
    assert write_json(decode_json(raw)) == written


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://m.example/a?sig=1", "https://m.example/a"), ("https://m.example/a?sig=1?2#x", "https://m.example/a#x"),
        ("https://m.example/a#x?y", "https://m.example/a#x?y"), ("/a?sig=1", "/a"),
        ("a?", "a"), ("?", ""), ("", ""), (None, None),
    ],
)  # fmt: skip
def test_the_query_string_of_a_url_field_is_removed(url: str | None, left: str | None) -> None:
    assert address(url) == left


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("http://m.example/a?b", "http://m.example/a"),
        ("HTTPS://m.example/a?b", "HTTPS://m.example/a"),
        ("//m.example/a?b", "//m.example/a"),
        ("//m.example/a?b#c?d", "//m.example/a#c?d"),
        ("What? https://m.example/a?b", "What? https://m.example/a?b"),
        ("ftp://m.example/a?b", "ftp://m.example/a?b"),
        ("/a?b", "/a?b"),
        ("Really?", "Really?"),
        ({"https://m.example/a?b": ["//x?y", {"z": "http://x?y"}]}, {"https://m.example/a?b": ["//x", {"z": "http://x"}]}),
        ([1, None, True, 0.5], [1, None, True, 0.5]),
    ],
)
def test_the_query_string_of_other_values_is_removed_if_they_begin_as_a_url(value: Any, left: Any) -> None:
    assert without_query(value) == left


def test_the_argument_is_not_modified() -> None:
    value = {"a": ["//x?y"]}
    without_query(value)
    assert value == {"a": ["//x?y"]}


def test_the_hash_of_a_release_that_cut_a_url_at_its_query_is_accepted_beside_the_present_one() -> None:
    link = "https://m.example/a?sig=1#x"
    written = document_of(base(Link=link)) | {"cover_url": link, "preview_video_url": None}
    cut = "https://m.example/a"
    older = content_hash(written | {"cover_url": cut, "extra": written["extra"] | {"Link": cut}})
    assert older != content_hash(written)
    assert [is_content_hash(each, written) for each in (older, content_hash(written))] == [True, True]
    assert not is_content_hash(older, written | {"title": "another"})
