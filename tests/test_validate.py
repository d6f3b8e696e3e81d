"""Records -> templates: every way to be bad, the reason told, and what is still believed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.decode import read_envelope
from sync.snapshot import Price, Tag
from sync.validate import (
    DEEPEST,
    LONGEST,
    PAYLOAD_SHOWN,
    Ambiguous,
    Placed,
    Served,
    Unreadable,
    read_record,
    read_records,
    record_id,
)
from tests.builders import record


def read(*records: Any, page: int = 1) -> Served:
    return read_records([Placed(page, position, each) for position, each in enumerate(records)])


def price(credit: Any, resolution: Any = "720p", **more: Any) -> dict[str, Any]:
    return {"Resolution": resolution, "Credit": credit, **more}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def good(**changes: Any) -> dict[str, Any]:
    return record("1", **{"ConsumeItems": [price(Decimal("166.5"))], **changes})


DIGITS = "Credit has more than 15 digits"
BAD: dict[str, tuple[Any, str, str | None]] = {
    "no object": ("1", "a template must be an object, not a string", None),
    "null": (None, "a template must be an object, not null", None),
    "a list": ([], "a template must be an object, not a list", None),
    "no id": (good(TemplateId=...), "TemplateId is missing or empty", None),
    "a null id": (good(TemplateId=None), "TemplateId is missing or empty", None),
    "an empty id": (good(TemplateId=""), "TemplateId is missing or empty", None),
    "a numeric id": (good(TemplateId=1), "TemplateId must be a string, not a number", "1"),
    "a fractional id": (good(TemplateId=Decimal("1.5")), "TemplateId must be a string, not a number", None),
    "a true id": (good(TemplateId=True), "TemplateId must be a string, not a boolean", None),
    "a long id": (good(TemplateId="1" * 256), "TemplateId has 256 characters, more than 255", None),
    "an id with NUL": (good(TemplateId="1\x00"), "TemplateId holds a NUL character", None),
    "a title that is a number": (good(Title=5), "Title must be a string, not a number", "1"),
    "a title that is a list": (good(Title=["a"]), "Title must be a string, not a list", "1"),
    "a title of 10 MB": (good(Title="x" * 10**7), "Title has 10000000 characters, more than 2000", "1"),
    "NUL": (good(Title="a\x00b"), "Title holds a NUL character", "1"),
    "half a surrogate pair": (good(Title="\ud83d"), "Title holds bytes that are not UTF-8, or half a surrogate pair", "1"),
    "a duration in words": (good(Duration="10"), "Duration must be a number, not a string", "1"),
    "half a duration": (good(Duration=Decimal("1.5")), "Duration must be a whole number", "1"),
    "no finite duration": (good(Duration=Decimal("NaN")), "Duration must be a whole number", "1"),
    "an absurd duration": (good(Duration=Decimal("1e999999999")), "Duration must be a whole number", "1"),
    "a negative duration": (good(Duration=-1), "Duration must be from 0 to 1000000000000", "1"),
    "a true number of images": (good(InputNum=True), "InputNum must be a number, not a boolean", "1"),
    "a release after 9999": (good(ReleaseOnlineTime=253_402_300_800), "ReleaseOnlineTime must be from 0 to 253402300799", "1"),
    "prices in words": (good(ConsumeItems="cheap"), "ConsumeItems must be a list, not a string", "1"),
    "a price in words": (good(ConsumeItems=["cheap"]), "ConsumeItems must hold objects, not a string", "1"),
    "a price without resolution": (good(ConsumeItems=[{"Credit": 1}]), "an item of ConsumeItems has no Resolution", "1"),
    "a resolution twice": (good(ConsumeItems=[price(1), price(2)]), "ConsumeItems has the resolution '720p' twice", "1"),
    "no credit": (good(ConsumeItems=[price(None)]), "Credit must be a number, not null", "1"),
    "credit in words": (good(ConsumeItems=[price("1")]), "Credit must be a number, not a string", "1"),
    "true credit": (good(ConsumeItems=[price(credit=True)]), "Credit must be a number, not a boolean", "1"),
    "negative credit": (good(ConsumeItems=[price(-1)]), "Credit is negative", "1"),
    "credit that is no number": (good(ConsumeItems=[price(Decimal("NaN"))]), "Credit is not a finite number", "1"),
    "infinite credit": (good(ConsumeItems=[price(Decimal("Infinity"))]), "Credit is not a finite number", "1"),
    "16 digits": (good(ConsumeItems=[price(Decimal("1.234567890123456"))]), DIGITS, "1"),
    "41 digits, the last not 0": (good(ConsumeItems=[price(Decimal("1." + "0" * 39 + "1"))]), DIGITS, "1"),
    "credit past Decimal": (good(ConsumeItems=[price(Decimal("1e99999999"))]), DIGITS, "1"),
    "credit next to nothing": (good(ConsumeItems=[price(Decimal("1e-99999999"))]), DIGITS, "1"),
    "an item that says a key twice": (
        good(ConsumeItems=[Ambiguous(price(1))]), "a key stands twice in one of the ConsumeItems", "1",
    ),
    "1001 prices": (good(ConsumeItems=[price(1)] * 1001), "ConsumeItems has 1001 items, more than 1000", "1"),
    "tags of unequal length": (good(Tags=["a"], Tags_en=["a", "b"]), "Tags has 1 items, Tags_en 2", "1"),
    "only English tags": (good(Tags=None), "Tags has 0 items, Tags_en 2", "1"),
    "a null tag": (good(Tags=[None, "a"]), "Tags must be a string, not null", "1"),
    "a ratio too long": (good(SupportAspectRatio="9" * 65), "SupportAspectRatio holds something too long for a ratio", "1"),
    "an unknown field too deep": (good(x=nested(DEEPEST + 1)), "'x' is nested deeper than 32 levels", "1"),
    "an unknown field with NUL": (good(x=[{"y": "\x00"}]), "'x' holds a NUL character", "1"),
    "an unknown name with NUL": (good(**{"\x00": 1}), "a field's name holds a NUL character", "1"),
    "an unknown field without end": (good(x=Decimal("Infinity")), "'x' holds a number that is not finite, or absurd", "1"),
    "an unknown field of 65 KB": (good(x="x" * 65 * 1024), "its unknown fields take more than 65536 characters", "1"),
    "an unknown field that says a key twice": (good(x=Ambiguous()), "a key stands twice in 'x'", "1"),
    "two unknown fields of one name": (
        good(**{"ConsumeItems.Unit": "a", "ConsumeItems": [price(1, Unit="b")]}), "two of its unknown fields have one name", "1",
    ),
    "a key twice": (Ambiguous(good()), "a key stands twice in it, with two values", "1"),
}  # fmt: skip


@pytest.mark.parametrize(("bad", "reason", "template_id"), BAD.values(), ids=BAD)
def test_a_bad_record_hurts_only_itself(bad: Any, reason: str, template_id: str | None) -> None:
    served = read(record("0", ConsumeItems=[]), bad, record("2", ConsumeItems=[]))
    assert list(served.templates) == ["0", "2"]
    (rejected,) = served.rejected
    assert (rejected.reason, rejected.template_id, rejected.page, rejected.position) == (reason, template_id, 1, 1)
    assert len(rejected.payload) < PAYLOAD_SHOWN + 40
    assert rejected.payload.isascii()
    rejected.reason.encode()
    assert all(len(name) < 100 and "\x00" not in name for name in served.wire_fields)


def test_a_bad_record_deeper_than_python_goes_is_told_without_its_payload() -> None:
    (rejected,) = read(good(x=nested(5000))).rejected
    assert rejected.payload == "(too deeply nested to show)"


def test_a_reason_is_cut_however_long_the_name_in_it() -> None:
    (rejected,) = read(good(**{"x" * 10**6: Decimal("NaN")})).rejected
    assert len(rejected.reason) < 350


def test_the_fields_of_a_bad_record_are_known_but_absurd_names_are_not() -> None:
    served = read(good(Title=5, New=1, **{"y" * 3000: 1, "\ud800": 1}))
    assert {"Title", "New"} <= served.wire_fields
    assert served.wire_fields == {*good(), "New"}
    assert read({str(number): 1 for number in range(2000)}).wire_fields == frozenset()


def test_the_same_record_twice_is_one() -> None:
    served = read(good(), good())
    assert (list(served.templates), served.rejected) == (["1"], ())


def test_the_same_record_signed_anew_and_in_another_order_is_one() -> None:
    served = read(
        good(Cover="https://m.example/c?sig=1", Tags=["a", "b"], Tags_en=["A", "B"]),
        good(Cover="https://m.example/c?sig=2", Tags=["b", "a"], Tags_en=["B", "A"]),
    )
    assert (list(served.templates), served.rejected) == (["1"], ())


def test_of_two_different_records_under_one_id_neither_is_believed() -> None:
    served = read(good(), good(Title="other"), good(), record("2", ConsumeItems=[]))
    assert (list(served.templates), served.ids) == (["2"], {"1", "2"})
    assert {bad.reason for bad in served.rejected} == {"the catalog served two different records under this TemplateId"}


def test_an_id_with_a_good_and_a_bad_record_is_not_believed() -> None:
    assert read(good(), good(Title=5)).templates == {}


def test_every_id_that_was_served_counts_as_served() -> None:
    assert read(good(), record("2", Title=5), record(TemplateId=7)).ids == {"1", "2", "7"}


@pytest.mark.parametrize(
    ("credit", "exact"),
    [
        (Decimal("355.20"), "355.2"), (400, "400"), (Decimal("4e2"), "400"), (0, "0"), (Decimal("-0.0"), "0"),
        (Decimal(999999999999999), "999999999999999"), (Decimal("0.000000000000001"), "0.000000000000001"),
        (Decimal("1." + "0" * 1000), "1"),
    ],
)  # fmt: skip
def test_a_credit_is_exact_however_it_is_written(credit: Any, exact: str) -> None:
    (found,) = read_record(good(ConsumeItems=[price(credit)])).consume_items
    assert found == Price("720p", Decimal(exact))


@pytest.mark.parametrize("duration", [10123, Decimal("10123.0"), Decimal("1.0123e4")])
def test_a_whole_number_is_one_however_it_is_written(duration: Any) -> None:
    assert read_record(good(Duration=duration)).duration_ms == 10123


@pytest.mark.parametrize("missing", [None, ...], ids=["null", "absent"])
def test_null_and_absent_are_nothing_and_empty_is_empty(missing: Any) -> None:
    template = read_record(
        good(**dict.fromkeys(["Title", "Duration", "Tags", "Tags_en", "ConsumeItems", "SupportAspectRatio"], missing))
    )
    assert (template.title, template.duration_ms, template.tags, template.consume_items, template.aspect_ratios) == (
        None, None, (), (), (),
    )  # fmt: skip
    assert read_record(good(Title="")).title == ""


def test_tags_are_pairs_and_the_same_pair_twice_is_one() -> None:
    template = read_record(good(Tags=["热", "热", "热"], Tags_en=["Hot", "Hot", "Trending"]))
    assert template.tags == (Tag("热", "Hot"), Tag("热", "Trending"))
    assert read_record(good(Tags_en=None)).tags == (Tag("🔥Seedance2.0模型", None), Tag("热门", None))


def test_english_tags_without_any_tags_in_the_whole_catalog_are_no_fault() -> None:
    served = read(good(Tags=...), record("2", Tags=..., ConsumeItems=[]))
    assert (served.templates["1"].tags, served.rejected) == ((), ())
    assert read(good(Tags=...), page=0).templates == {}  # one template by itself says nothing about the catalog


def test_unknown_fields_are_kept_with_plain_numbers() -> None:
    template = read_record(good(x=[Decimal("1.0"), Decimal("0.5"), None, True], ConsumeItems=[price(1, Unit="s")]))
    assert template.extra == {"x": [1, 0.5, None, True], "ConsumeItems.Unit": {"720p": "s"}}
    assert json.dumps(template.extra["x"]) == "[1, 0.5, null, true]"


@pytest.mark.parametrize(
    ("value", "found"), [("7", "7"), (70, "70"), (True, None), ("", None), ("\x00", None), (Decimal(7), None)]
)
def test_an_id_is_found_even_where_it_has_the_wrong_type(value: Any, found: str | None) -> None:
    assert record_id({"TemplateId": value}) == found
    assert record_id([value]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*good(), "Unknown"])


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_no_record_raises_anything_but_unreadable(changes: dict[str, Any]) -> None:
    body = json.dumps({"code": 200, "data": {"total": 1, "templates": [{**record("1"), **changes}]}})
    for found in read_envelope(body.encode()).records or []:
        try:
            template = read_record(found)
        except Unreadable:
            pass
        else:
            assert len(template.template_id) <= LONGEST["TemplateId"]
