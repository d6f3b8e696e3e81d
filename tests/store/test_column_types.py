"""Stored JSON: msgspec reads and writes the same values as the json module."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.catalog.json_values import encode_json
from sync.store.column_types import read_json

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_both_decoders_read_the_output_of_both_encoders(value: Any) -> None:
    for written in (json.dumps(value), encode_json(value)):
        assert repr(read_json(written)) == repr(json.loads(written)) == repr(value)


@pytest.mark.parametrize(
    "written",
    [
        r'"\ud800"', '"\ud800"', r'"\u0000"', "1e400", "-1e400", "1" + "0" * 400, "-0", "-0.0", "1e16", "5e-324",
        "9223372036854775808", "18446744073709551616", '{"a": 1, "a": 2}', " [ 1 , 2 ] ", '"\x7f"', "NaN", "-Infinity",
    ],
)  # fmt: skip
def test_json_that_decoders_treat_differently_is_read_as_by_the_json_module(written: str) -> None:
    assert repr(read_json(written)) == repr(json.loads(written))
    assert repr(read_json(written.encode("utf-8", "surrogatepass"))) == repr(json.loads(written))


def test_what_msgspec_refuses_is_encoded_by_the_json_module_and_a_decimal_is_a_string() -> None:
    assert encode_json({"猫": Decimal("1.50")}) == '{"猫":"1.50"}'
    assert encode_json({"猫": Decimal("1.50"), "half": "\ud83d"}) == '{"猫": "1.50", "half": "\ud83d"}'


@pytest.mark.parametrize("broken", ["", "{", "[1,]", "nul", "'a'", '{"a": 1} x'])
def test_invalid_json_raises_an_error(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(broken)
