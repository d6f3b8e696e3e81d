"""An answer is read fast or patiently: the fast reader declines, or says exactly what the patient one says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sync.catalog.bounds import MOST_BYTES
from sync.catalog.intake import Intake
from sync.catalog.raw_record import Ambiguous, decode
from sync.endpoint.envelope import _cut_fast, _read_frame, _read_slowly
from sync.errors import BadAnswer
from sync.spool import Spool

# What an answer is made of, and damage to it -------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["[", "]", "\\", '"', "\ud83d"])
)
NAMES = st.sampled_from(["TemplateId", "x", "data", "templates", "total", "code", "é", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
RECORDS = st.lists(VALUES | st.fixed_dictionaries({"TemplateId": st.text(max_size=3)}), max_size=4)
AROUND = st.dictionaries(st.sampled_from(["message", "errors", "templates", "Data", "again"]), VALUES, max_size=2)
TOKENS = st.sampled_from(
    [
        b"", b" ", b"\n", b"\t", b",", b":", b"[", b"]", b"{", b"}", b'"', b"\\", b"[]", b"{}", b"null", b"NaN", b"-Infinity",
        b"-", b"0", b"-0", b"1.50", b"1e400", b"9" * 120, b"1.", b"01", b"\x00", b"\x1f", b"\xe9", b"\xed\xa0\xbd",
        b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", rb"\ud83d", rb"\ud83d\ude00", rb"\u0000", rb"\u0061", rb"\q", rb'\"',
        b'"x": 1, ', b'"x": 1, "x": 2, ', b'"templates": [], ', rb'"templ\u0061tes": [1], ', b'"data": {}, ', b'"total": 7, ',
        b'"code": 200, ', b"/* */", b"[" * 70, b"[" * 70 + b"]" * 70, b'{"x": ' * 70 + b"1" + b"}" * 70,
    ]
)  # fmt: skip
PLACES = st.floats(0, 1, exclude_max=True)
DAMAGE = st.lists(
    st.tuples(st.sampled_from(["put in", "put over", "cut out", "double", "swap"]), PLACES, PLACES, TOKENS), max_size=3
)


def damaged(body: bytes, damage: list[tuple[str, float, float, bytes]]) -> bytes:
    """Damage an answer: each time between two places, or at the first of them."""
    for kind, one, other, token in damage:
        start, end = sorted((int(one * len(body)), int(other * len(body))))
        head, middle, tail = body[:start], body[start:end], body[end:]
        body = {
            "put in": head + token + middle + tail,
            "put over": head + token + middle[len(token) :] + tail,
            "cut out": head + tail,
            "double": head + middle + middle + tail,
            "swap": head + middle[::-1] + tail,
        }[kind]
    return body


# What is compared ----------------------------------------------------------------------------------------------------------


def shown(value: Any) -> Any:
    """Write a value so that what compares equal but is not the same differs: 1 and 1.0, a marked object and a plain one."""
    if isinstance(value, dict):
        return ["twice" if isinstance(value, Ambiguous) else "object", [(name, shown(inner)) for name, inner in value.items()]]
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return f"{type(value).__name__} {value!r}"


def patiently(body: bytes) -> tuple[Any, ...] | str:
    try:
        answer = _read_slowly(body)
    except BadAnswer as refused:
        return refused.code
    records = None if answer.records is None else [shown(decode(raw)) for raw in answer.records]
    return (answer.code, answer.message, answer.total, records)


def fast(body: bytes) -> tuple[Any, ...] | str | None:
    """Read as `read_envelope` does where the fast reader takes the answer; None where it declines."""
    cut = _cut_fast(body)
    if cut is None:
        return None
    frame, records = cut
    try:
        answer = _read_frame(frame)
    except BadAnswer as refused:
        return refused.code
    assert answer.records == []
    return (answer.code, answer.message, answer.total, [shown(decode(raw)) for raw in records])


def agree(body: bytes) -> bool:
    """Check that both readers agree; say whether the fast one took the answer."""
    found = fast(body)
    if found is not None:
        assert found == patiently(body)
    return found is not None


# The property --------------------------------------------------------------------------------------------------------------

ORDINARY = (
    b'{"code": 200, "data": {"templates": [{"TemplateId": "1", "x": [1.50, {"y": null}]}, {"TemplateId": "2"}], "total": 2}}'
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    records=RECORDS,
    around=AROUND,
    inside=AROUND,
    damage=DAMAGE,
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    echo=st.booleans(),
)
def test_the_fast_reader_declines_or_agrees(
    records: list[Any],
    around: dict[str, Any],
    inside: dict[str, Any],
    damage: list[tuple[str, float, float, bytes]],
    *,
    ascii_only: bool,
    indent: int | None,
    echo: bool,
) -> None:
    if echo:
        around["errors"] = records  # the list stands twice, and this one is shown
    answer = {**around, "code": 200, "data": {**inside, "templates": records, "total": len(records)}}
    body = json.dumps(answer, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    agree(body)
    agree(damaged(body, damage))


@settings(max_examples=400)
@example(b"")
@given(st.lists(TOKENS | st.sampled_from([ORDINARY, ORDINARY[:-1], ORDINARY[:30], ORDINARY[30:]]), max_size=6).map(b"".join))
def test_the_fast_reader_declines_or_agrees_on_heaps_of_tokens(body: bytes) -> None:
    agree(body)
    agree(b'{"code": 200, "data": {"templates": [' + body + b']}, "message": "m"}')


@pytest.mark.parametrize("token", [b",", b"[", b'"', b"0", b"\xe9", b"\\", b'"templates": [], ', b"NaN", b"\xef\xbb\xbf"])
def test_no_place_of_an_ordinary_answer_takes_a_token_otherwise(token: bytes) -> None:
    for place in range(len(ORDINARY) + 1):
        agree(ORDINARY[:place] + token + ORDINARY[place:])
        agree(ORDINARY[:place] + token + ORDINARY[place + 1 :])


def test_these_properties_are_not_empty() -> None:
    assert agree(ORDINARY)
    assert agree(ORDINARY.replace(b"1.50", b"1.50, 2"))
    assert agree(ORDINARY.replace(b'"total": 2', b'"total": 2, "total": 3'))
    assert not agree(ORDINARY.replace(b"1.50", b"NaN"))
    assert not agree(ORDINARY[:-1])
    assert not agree(b'{"errors": ["shown"], "code": 200, "data": {"templates": ["shown"], "total": 1}}')


# Depth ---------------------------------------------------------------------------------------------------------------------


def deep(levels: int, padding: int = 0) -> bytes:
    inside = b"[" * levels + b" " * padding + b"]" * levels
    return b'{"code": 200, "data": {"total": 2, "templates": [{"TemplateId": "1", "x": ' + inside + b'}, {"TemplateId": "2"}]}}'


@pytest.mark.parametrize("levels", [60, 63, 64, 65, 67, 68, 300, 2000, 5000, 20_000])
def test_nesting_is_read_alike_at_every_depth(levels: int) -> None:
    agree(deep(levels))


@pytest.mark.parametrize("levels", [60, 63, 64, 65, 300])
def test_what_is_deep_or_large_or_both_is_set_aside_for_one_reason_whichever_way_it_came(levels: int) -> None:
    body = deep(levels, padding=MOST_BYTES)
    cut = _cut_fast(body)
    assert cut is not None
    reasons = [
        [each.reading and each.reading.reason for each in Intake({}, frozenset(), Spool()).take(1, records)]
        for records in (cut[1], _read_slowly(body).records or [])
    ]
    assert reasons[0] == reasons[1]
