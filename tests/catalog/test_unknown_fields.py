"""Unknown fields: kept under their own names, in numbers that every engine gives back, and within every bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync.catalog.document import decode_json
from sync.catalog.fields import DEEPEST, LONGEST_NAME, MOST_EXTRA, MOST_FIELDS
from sync.catalog.parsing import RecordRejected, unknown_fields
from tests.builders import record
from tests.catalog.runs import nested, wire


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
    assert reason({"x": [{"y": decode_json(number.encode())}]}) == "'x' holds a number that is not finite, or absurd"


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
        ({"ConsumeItems.Unit": 1, **prices({"Unit": 1})}, "two of its unknown fields have one name"),
    ],
)
def test_a_value_that_no_database_can_store_is_rejected(extra: dict[str, Any], why: str) -> None:
    assert reason(extra) == why
