"""Records -> documents: every invalid record is rejected alone, with its reason; unknown fields are kept within bounds."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.catalog import fields
from sync.catalog.fields import (
    BOUNDS,
    DEEPEST,
    DOCUMENTED,
    LONGEST_NAME,
    LONGEST_RATIO,
    MOST_EXTRA,
    MOST_FIELDS,
    MOST_ITEMS,
    storage_flaw,
)
from sync.catalog.json_values import decode_json
from sync.catalog.parsing import (
    RecordRejected,
    cut,
    fields_with_value,
    filled_fields,
    lacks_tags,
    parse_record,
    record_id,
    unknown_fields,
)
from sync.catalog.snapshot import PAYLOAD_SHOWN
from tests.adversary.values import BAD, as_sent, key_of
from tests.builders import record
from tests.catalog.runs import document_of, nested, read, twice, wire
from tests.proof.fuzz import judge_record


def price(credit: Any, resolution: Any = "720p", **more: Any) -> dict[str, Any]:
    return {"Resolution": resolution, "Credit": credit, **more}


def good(**changes: Any) -> dict[str, Any]:
    return record("1", **{"ConsumeItems": [price(Decimal("166.5"))], **changes})


INVALID: dict[str, tuple[bytes, str, str | None]] = {
    "no object": (b'"1"', "a template must be an object, not a string", None),
    "null": (b"null", "a template must be an object, not null", None),
    "a list": (b"[]", "a template must be an object, not a list", None),
    "no id": (wire(record(TemplateId=...)), "TemplateId is missing or empty", None),
    "a numeric id": (wire(record(TemplateId=1)), "TemplateId must be a string, not a number", "1"),
    "a fractional id": (wire(record(TemplateId=1.5)), "TemplateId must be a string, not a number", None),
    "a true id": (wire(record(TemplateId=True)), "TemplateId must be a string, not a boolean", None),
    **{value.name: (as_sent(value, 0), value.reason, None if value.field == "TemplateId" else key_of(value, 0)) for value in BAD},
}


@pytest.mark.parametrize(("bad", "reason", "template_id"), INVALID.values(), ids=INVALID)
def test_an_invalid_record_is_rejected_alone(bad: bytes, reason: str, template_id: str | None) -> None:
    served, parser = read(record("0", ConsumeItems=[]), bad, record("2", ConsumeItems=[]))
    assert list(served.good) == ["0", "2"]
    (rejected,) = served.rejected_records(parser)
    assert (rejected.reason, rejected.template_id, rejected.page, rejected.position) == (reason, template_id, 1, 1)
    assert len(rejected.payload) < PAYLOAD_SHOWN + 40
    assert rejected.payload.isascii()
    rejected.reason.encode()
    assert parser.unknown == set()


@pytest.mark.parametrize("levels", [65, 5000, 100_000])
def test_a_record_nested_too_deep_is_shown_as_far_as_it_was_parsed(levels: int) -> None:
    served, parser = read({"TemplateId": "1", "x": nested(levels)})
    (rejected,) = served.rejected_records(parser)
    assert (rejected.template_id, rejected.reason) == ("1", "'x' is nested deeper than 20 levels")
    assert rejected.payload == '{"TemplateId": "1", "x": ' + "[" * 64 + "]" * 64 + "}"


def test_the_last_of_two_equal_keys_of_a_record_wins() -> None:
    assert document_of(wire(good(Title="x"))[:-1] + b', "Title": "y", "T\\u0069tle": "z"}')["title"] == "z"
    assert document_of(good(x=twice({"y": 1})))["extra"] == {"x": {"y": 0}}
    served, _ = read(twice(good(MediaId="m")), good(ConsumeItems=[twice(price(1))]))
    assert [reason for _, reason in served.rejected] == [
        "MediaId must be a string, not a number", "Resolution must be a string, not a number",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("credit", "exact"),
    [
        (Decimal("355.20"), "355.2"), (400, "400"), (Decimal("4e2"), "400"), (0, "0"), (Decimal("-0.0"), "0"),
        (Decimal(999999999999999), "999999999999999"), (Decimal("0.000000000000001"), "0.000000000000001"),
        (Decimal("1." + "0" * 1000), "1"), (Decimal("0e99"), "0"), (Decimal("0e-99999999"), "0"),
        (Decimal("133.20000000000002"), "133.2"), (Decimal("0.30000000000000004"), "0.3"),
        (Decimal("1.10000000000001"), "1.10000000000001"),
        (Decimal("1.500000000000015"), "1.5"),  # the largest error that is rounded
    ],
)  # fmt: skip
def test_a_credit_is_exact_in_any_notation(credit: Any, exact: str) -> None:
    (found,) = document_of(good(ConsumeItems=[price(credit)]))["consume_items"]
    assert (found["resolution"], Decimal(repr(found["credit"]))) == ("720p", Decimal(exact))


@pytest.mark.parametrize("missing", [None, ...], ids=["null", "absent"])
def test_null_and_absent_fields_have_no_value(missing: Any) -> None:
    names = ["Title", "Duration", "Tags", "Tags_en", "ConsumeItems", "SupportAspectRatio"]
    value = decode_json(wire(good(**dict.fromkeys(names, missing))))
    columns = ["title", "duration_ms", "tags", "consume_items", "aspect_ratios"]
    assert [parse_record(value)[column] for column in columns] == [None, None, [], [], []]
    assert fields_with_value(value) == DOCUMENTED - {*names}
    assert document_of(good(Title=""))["title"] == ""
    assert fields_with_value({"Title": "", "Tags": [], "Duration": 0, "Unknown": 1}) == {"Title", "Tags", "Duration"}


def test_null_and_empty_lists_of_a_document_are_not_values() -> None:
    document = document_of(good(Title=None, Duration=..., Title_en="", InputNum=0, ConsumeItems=[]))
    assert filled_fields(document) == DOCUMENTED - {"Title", "Duration", "ConsumeItems"}
    assert filled_fields(document_of(good(Tags_en=...))) == DOCUMENTED - {"Tags_en"}
    assert filled_fields(document_of(good(Tags=..., Tags_en=...))) == DOCUMENTED - {"Tags", "Tags_en"}


def test_tags_are_pairs_and_the_same_pair_twice_is_one() -> None:
    found = document_of(good(Tags=["热", "热", "热"], Tags_en=["Hot", "Hot", "Trending"]))["tags"]
    assert found == [{"name": "热", "name_en": "Hot"}, {"name": "热", "name_en": "Trending"}]
    assert document_of(good(Tags_en=None))["tags"] == [{"name": name, "name_en": None} for name in record()["Tags"]]


@pytest.mark.parametrize(
    ("tags", "english", "lacking"),
    [(..., ["Hot"], True), (None, ["Hot"], True), ([], ["Hot"], False), (["热"], ["Hot"], False), (..., [], False),
     (..., ..., False)],
)  # fmt: skip
def test_english_tags_without_tags_are_detected(tags: Any, english: Any, *, lacking: bool) -> None:
    assert lacks_tags(record("1", Tags=tags, Tags_en=english)) is lacking


def test_invalid_english_tags_are_rejected_without_tags() -> None:
    with pytest.raises(RecordRejected, match="Tags_en must be a string, not a number"):
        document_of(good(Tags=..., Tags_en=[1]))
    with pytest.raises(RecordRejected, match="Tags has 0 items, Tags_en 2"):
        document_of(good(Tags=[]))


def test_ratios_are_listed_once_without_spaces() -> None:
    assert document_of(good(SupportAspectRatio=" 9:16, 1:1,,9:16 "))["aspect_ratios"] == ["9:16", "1:1"]


def test_a_record_is_parsed_alike_in_any_notation() -> None:
    whole = record(Title='战é🔥 "a" said a\\b\nc')
    same = [
        wire(whole),
        wire(dict(reversed(whole.items()))),
        json.dumps(whole, ensure_ascii=False, indent=1).encode(),
        json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(),
        wire(whole).replace(b"https://", b"https:\\/\\/"),
        wire(whole).replace(b'"Title"', b'"T\\u0069tle"'),
    ]
    assert [document_of(raw) for raw in same] == [document_of(whole)] * len(same)
    assert document_of(whole)["title"] == whole["Title"]


# Ids -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [("7", "7"), (70, "70"), ("1" * 255, "1" * 255), (True, None), ("", None), ("\x00", None), (Decimal("7.5"), None),
     ("1" * 256, None), ("\ud83d", None), (None, None), (["7"], None), (10**300, None)],
)  # fmt: skip
def test_a_numeric_id_is_readable(value: Any, found: str | None) -> None:
    assert record_id({"TemplateId": value}) == found
    assert record_id([value]) is None


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([*sorted(DOCUMENTED), "Unknown"]), ANY, max_size=6))
def test_any_record_is_valid_or_rejected_with_a_reason(changes: dict[str, Any]) -> None:
    """The long tests try more, see `tests/proof/test_fuzz.py`."""
    judge_record(json.dumps({**record("1"), **changes}).encode())


# Bounds and unknown fields ---------------------------------------------------------------------------------------------------


def test_the_largest_accepted_values_are_valid() -> None:
    words = [f"{number}".rjust(BOUNDS["Tags"], "x") for number in range(MOST_ITEMS)]
    most = good(
        Title="x" * BOUNDS["Title"], Tags=words, Tags_en=words, Duration=BOUNDS["Duration"], InputNum=0,
        SupportAspectRatio="9" * LONGEST_RATIO,
        ConsumeItems=[price(1, str(number)) for number in range(MOST_ITEMS)],
    )  # fmt: skip
    parsed = parse_record({**most, **{str(number): 1 for number in range(MOST_FIELDS - len(most))}})
    assert (len(parsed["tags"]), len(parsed["consume_items"])) == (1000, 1000)
    assert (parsed["duration_ms"], parsed["input_num"]) == (10**12, 0)
    assert parsed["aspect_ratios"] == ["9" * 64]


def reason(found: dict[str, Any]) -> str:
    with pytest.raises(RecordRejected) as caught:
        unknown_fields(found)
    return str(caught.value)


def prices(*items: dict[str, Any]) -> dict[str, Any]:
    return {"ConsumeItems": [{"Resolution": f"{number}p", "Credit": 1, **item} for number, item in enumerate(items)]}


def test_unknown_fields_of_prices_are_stored_by_resolution() -> None:
    assert unknown_fields(record()) == {}
    assert unknown_fields({"Mood": "calm", **prices({"Unit": "s"}, {}, {"Unit": "min", "Was": None})}) == {
        "Mood": "calm",
        "ConsumeItems.Unit": {"0p": "s", "2p": "min"},
        "ConsumeItems.Was": {"2p": None},
    }


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("1.0", "1"), ("-0.0", "0"), ("-0", "0"), ("0.5", "0.5"), ("1e2", "100"), ("1e50", "1" + "0" * 50),
        ("0.1234567890123456789", "0.12345678901234568"), ("123456789012345678.5", "123456789012345680"),
        ("1e-400", "0"), ("-1e-400", "0"), ("1e-99999999", "0"), ("9007199254740993", "9007199254740993"),
        ("7642552612302307355", "7642552612302307355"), ("1" + "0" * 50 + ".5", str(int(1e50))),
    ],
)  # fmt: skip
def test_a_number_is_converted_to_the_form_that_every_engine_returns(number: str, kept: str) -> None:
    extra = unknown_fields({"x": decode_json(number.encode())})
    assert json.dumps(extra["x"]) == kept


@pytest.mark.parametrize(
    "number", ["1e51", "-1e51", "1" + "0" * 51, "1e999999999", "1e99999999999999999999", "NaN", "-Infinity", "9" * 101]
)
def test_a_number_out_of_bounds_is_rejected(number: str) -> None:
    assert reason({"x": [{"y": decode_json(number.encode())}]}) == "'x' holds a number that is not finite or is too large"


def test_the_depth_of_unknown_fields_is_limited() -> None:
    assert unknown_fields({"x": decode_json(wire(nested(DEEPEST)))})["x"] == json.loads(str(nested(DEEPEST)))
    assert reason({"x": decode_json(wire(nested(DEEPEST + 1)))}) == "'x' is nested deeper than 20 levels"
    objects = json.loads('{"a": ' * DEEPEST + "1" + "}" * DEEPEST)
    assert unknown_fields({"x": objects}) == {"x": objects}
    assert reason({"x": {"a": objects}}) == "'x' is nested deeper than 20 levels"
    assert unknown_fields(prices({"x": decode_json(wire(nested(DEEPEST - 1)))}))
    assert reason(prices({"x": decode_json(wire(nested(DEEPEST)))})) == "'x' is nested deeper than 20 levels"


def test_the_number_of_unknown_fields_is_limited() -> None:
    most = {str(number): number for number in range(MOST_FIELDS)}
    assert len(unknown_fields(most)) == MOST_FIELDS
    assert reason({**most, "one": 1}) == "it has 201 unknown fields, more than 200"
    assert reason({**most, **prices({"one": 1})}) == "it has 201 unknown fields, more than 200"


def test_the_length_of_a_name_is_limited() -> None:
    assert unknown_fields({"x" * LONGEST_NAME: 1})
    assert reason({"x" * (LONGEST_NAME + 1): 1}) == "a field's name has 201 characters, more than 200"
    assert reason(prices({"x" * 188: 1})) == "a field's name has 201 characters, more than 200"


def test_the_total_size_of_unknown_fields_is_limited() -> None:
    around = len('{"x":""}')
    assert unknown_fields({"x": "y" * (MOST_EXTRA - around)})
    assert reason({"x": "y" * (MOST_EXTRA - around + 1)}) == "its unknown fields take more than 65536 characters"


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"x": "\x00"}, "'x' holds a NUL character"),
        ({"x": [["\x00"]]}, "'x' holds a NUL character"),
        ({"x": {"\x00": 1}}, "'x' holds a NUL character"),
        ({"x": {"y": "\ud83d"}}, "'x' holds bytes that are not UTF-8, or half a surrogate pair"),
        ({"\udce9": 1}, "a field's name holds bytes that are not UTF-8, or half a surrogate pair"),
        ({"ConsumeItems.Unit": 1, **prices({"Unit": 1})}, "two unknown fields have the same name"),
    ],
)
def test_a_value_that_no_database_can_store_is_rejected(extra: dict[str, Any], why: str) -> None:
    assert reason(extra) == why


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abc... (4 characters)")])
def test_a_text_is_cut_at_its_length(text: str, shown: str) -> None:
    assert cut(text, 3) == shown


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", None),
        ("a\tb\x7f\x1b", None),
        ("战斗🔥 ", None),
        ("\U0010ffff\ufffe", None),
        ("a\x00", "a NUL character"),
        ("战\x00", "a NUL character"),
        ("战\ud83d", "bytes that are not UTF-8, or half a surrogate pair"),
    ],
)
def test_a_string_that_no_database_can_store_is_described(text: str, flaw: str | None) -> None:
    assert storage_flaw(text) == flaw


def test_the_bounds_are_those_of_the_columns_of_every_database() -> None:
    """One more, and a record that validation let pass would end a whole run on a server."""
    assert BOUNDS == {
        "TemplateId": 255, "MediaId": 255, "ServiceId": 255, "TemplateType": 255, "CoverAspectRatio": 64,
        "Title": 2000, "Title_en": 2000, "InputRequirement": 2000, "Cover": 8000, "PreviewVideo": 8000,
        "SupportAspectRatio": 2000, "Tags": 255, "Tags_en": 255, "ConsumeItems": 64, "Duration": 1_000_000_000_000,
        "InputNum": 1_000_000, "ReleaseOnlineTime": 253_402_300_799,
    }  # fmt: skip
    assert LONGEST_RATIO == 64
    assert (fields.DEEPEST, fields.DEEPEST_RECORD, fields.CREDIT_DIGITS, fields.LARGEST_EXPONENT) == (20, 64, 15, 50)
    assert (fields.MOST_BYTES, fields.MOST_EXTRA, fields.BATCH) == (262_144, 65_536, 500)
    assert (fields.MOST_ITEMS, fields.MOST_FIELDS, fields.LONGEST_NAME, fields.MOST_NAMES) == (1000, 200, 200, 1000)
