"""The fast way to read a record declines, or reads what the patient way reads: to the same document, types and order included."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sync.catalog.documented_record import read_documented
from sync.catalog.raw_record import decode
from sync.catalog.set_aside import Unreadable
from sync.catalog.validation import read_record

from sync.catalog.template import document
from tests.builders import record
from tests.catalog.runs import twice, wire
from tests.catalog.test_validation import BAD, JSON, good, price


def agree(raw: bytes) -> bool:
    """Check that both ways agree; say whether the fast one took the record."""
    fast = read_documented(raw)
    if fast is not None:
        assert repr(fast) == repr(document(read_record(decode(raw))))
    return fast is not None


TAKEN = {
    "the documented one": wire(record()),
    "other keys first": wire(dict(reversed(record().items()))),
    "spaces": json.dumps(record(), ensure_ascii=False, indent=1).encode(),
    "no spaces": json.dumps(record(), ensure_ascii=False, separators=(",", ":")).encode(),
    "escapes of letters": wire(record(Title="战é🔥")),
    "quotes and slashes": wire(record(Title='"a" said')).replace(b"https://", b"https:\\/\\/"),
    "a key in escapes": wire(record()).replace(b'"Title"', b'"T\\u0069tle"'),
    "a line end": wire(record(Title="a\nb")),
    "nothing in its lists": wire(record(ConsumeItems=[], Tags=[], Tags_en=[], SupportAspectRatio="")),
    "a tag twice": wire(record(Tags=["热", "热"], Tags_en=["Hot", "Hot"])),
    "ratios with spaces and twice": wire(record(SupportAspectRatio=" 9:16, 1:1,,9:16 ")),
    "whole credits": wire(good(ConsumeItems=[price(400), price(Decimal("355.20"), "480p"), price(0, "1080p")])),
    "15 digits": wire(good(ConsumeItems=[price(Decimal("0.00001234567890")), price(999999999999999, "480p")])),
    "the longest title": wire(record(Title="🔥" * 2000)),
}
DECLINED = {
    "a key twice": wire(twice(record())),
    "a key twice, the second in escapes": wire(record())[:-1] + b', "T\\u0069tle": "x"}',
    "a key twice in a price": wire(good(ConsumeItems=[twice(price(1))])),
    "a key twice, and as many quotes in an escaped string": wire(record(Title='\\"')),
    "an escaped backslash": wire(record(Title="a\\b")),
    "an unknown field": wire(record(Later=1)),
    "an unknown field of a price": wire(good(ConsumeItems=[price(1, Unit="s")])),
    "a null": wire(record(Title=None)),
    "a field too few": wire(record(Title=...)),
    "only Chinese tags": wire(record(Tags_en=...)),
    "a price with an exponent": wire(good(ConsumeItems=[price(Decimal("4e2"))])),
    "a price below zero": wire(good(ConsumeItems=[price(Decimal("-0.0"))])),
    "a whole number with a point": wire(record(Duration=Decimal("10123.0"))),
}


@pytest.mark.parametrize("raw", TAKEN.values(), ids=TAKEN)
def test_a_documented_record_takes_the_fast_way(raw: bytes) -> None:
    assert agree(raw)


@pytest.mark.parametrize("raw", DECLINED.values(), ids=DECLINED)
def test_what_is_not_plainly_as_documented_takes_the_patient_way(raw: bytes) -> None:
    assert read_documented(raw) is None


@pytest.mark.parametrize("bad", [bad for bad, _reason, _id in BAD.values()], ids=BAD)
def test_no_bad_record_gets_by(bad: Any) -> None:
    raw = wire(bad)
    if read_documented(raw) is not None:
        with pytest.raises(Unreadable):
            read_record(decode(raw))
        pytest.fail("the fast way took it")


@given(st.dictionaries(st.sampled_from([*good()]), JSON | st.text('\\"/u0{}[]:,é\x00', max_size=12), max_size=3), st.booleans())
def test_whatever_a_field_holds_both_ways_agree(changes: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    agree(json.dumps({**good(ConsumeItems=[price(1.5)]), **changes}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@given(st.data())
def test_whatever_is_damaged_both_ways_agree(data: st.DataObject) -> None:
    raw = wire(record(Title='a "b" c'))
    place = data.draw(st.integers(0, len(raw)))
    token = data.draw(
        st.sampled_from([b"", b'"', b"\\", b'\\"', b"\\\\", b',"Title":"x"', b"\\u0000", b"1", b" ", b"\xff", b"{", b"]"])
    )
    end = place + data.draw(st.integers(0, 3))
    try:
        agree(raw[:place] + token + raw[end:])
    except (Unreadable, ValueError) as refused:
        pytest.fail(f"the fast way took what the patient one refuses: {refused}")
