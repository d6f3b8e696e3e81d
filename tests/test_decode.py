"""Bytes of an answer -> the envelope: exact numbers, oddities kept, nonsense named, and never an exception of another kind."""

from __future__ import annotations

import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.decode import DEEPEST_KEPT, Envelope, cut_depth, read_envelope, visible
from sync.errors import BadAnswer
from sync.validate import Ambiguous, Placed, read_records


def templates(text: str) -> list[Any]:
    """Read an answer whose list of templates is this JSON text."""
    records = read_envelope(b'{"code": 200, "data": {"total": 1, "templates": ' + text.encode() + b"}}").records
    assert records is not None
    return records


def test_the_documented_envelope_is_read() -> None:
    body = b'{"code": 200, "message": "success", "data": {"total": 1, "templates": [{"TemplateId": "1"}]}}'
    assert read_envelope(body) == Envelope(200, "success", 1, [{"TemplateId": "1"}])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("166.5", Decimal("166.5")),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("1e400", Decimal("1e400")),
        ("7642552612302307355", 7642552612302307355),
        ("9" * 5000, Decimal("9" * 5000)),
        ("1e99999999999999999999", Decimal("Infinity")),
        ("Infinity", None),
        ("-Infinity", None),
        ("NaN", None),
    ],
)
def test_numbers_stay_exact_and_what_is_none_is_no_number(text: str, value: Any) -> None:
    (found,) = templates(f"[{text}]")
    assert found == value if value is not None else found.is_nan()


def test_a_key_that_stands_twice_is_marked() -> None:
    (found,) = templates('[{"a": 1, "a": 2}]')
    assert isinstance(found, Ambiguous)


@pytest.mark.parametrize(
    ("total", "read"),
    [
        ("280", 280), ("280.0", 280), ("2.8e2", 280), ("0", 0),
        ("null", None), ('"280"', None), ("-1", None), ("1.5", None), ("true", None), ("NaN", None), ("[]", None),
        ("1" + "0" * 50, None), ("1e999999", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_a_total_is_a_whole_number_of_sane_size_or_none(total: str, read: int | None) -> None:
    assert read_envelope(b'{"code": 200, "data": {"total": ' + total.encode() + b', "templates": []}}').total == read


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'{"code": 200, "data": {"total": 0, "templates": null}}', []),
        (b'{"code": 200, "data": {"templates": null}}', None),
        (b'{"code": 200, "data": {"total": 0}}', None),
        (b'{"code": 200, "data": {"total": 1, "templates": {}}}', None),
        (b'{"code": 200, "data": []}', None),
        (b'{"code": 200}', None),
    ],
)
def test_a_list_is_missing_or_empty_but_not_both(body: bytes, records: list[Any] | None) -> None:
    assert read_envelope(body).records == records


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-json"),
        (b"<html>", "not-json"),
        (b'{"code": 200', "not-json"),
        ('{"code": 200}'.encode("utf-16"), "not-json"),
        (b"[" * 100_000, "not-json"),
        (b'{"a":' * 100_000, "not-json"),
        (b"null", "not-envelope"),
        (b"[200]", "not-envelope"),
        (b'{"code": "200"}', "not-envelope"),
        (b'{"code": 200.0}', "not-envelope"),
        (b'{"code": true}', "not-envelope"),
        (b'{"code": 1' + b"0" * 60 + b"}", "not-envelope"),
        (b'{"code": 455, "code": 200, "data": {"total": 0, "templates": []}}', "not-envelope"),
        (b'{"code": 200, "data": {"total": 9, "total": 0, "templates": []}}', "not-envelope"),
    ],
)
def test_nonsense_is_named(body: bytes, code: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        read_envelope(body)
    assert caught.value.code == code


def test_bytes_that_are_not_utf8_harm_only_the_record_that_holds_them() -> None:
    body = '{"code": 200, "data": {"total": 2, "templates": [{"TemplateId": "1", "Title": "é"}, {"TemplateId": "2"}]}}'
    envelope = read_envelope(body.encode("latin-1"))
    served = read_records([Placed(1, position, record) for position, record in enumerate(envelope.records or [])])
    assert (list(served.templates), [bad.template_id for bad in served.rejected]) == (["2"], ["1"])


def test_a_record_too_deep_for_the_parser_harms_only_itself() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    found = templates(f'[{{"TemplateId": "1", "x": {deep}}}, {{"TemplateId": "2", "Title": "]\\"["}}]')
    served = read_records([Placed(1, position, record) for position, record in enumerate(found)])
    assert (list(served.templates), [bad.template_id for bad in served.rejected]) == (["2"], ["1"])


def test_cutting_depth_leaves_what_is_shallow_and_does_not_look_into_strings() -> None:
    shallow = "[" * DEEPEST_KEPT + '"[[[[\\"[["' + "]" * DEEPEST_KEPT
    assert cut_depth(shallow) == shallow
    assert (
        cut_depth("[" * DEEPEST_KEPT + '[[1], "]"], 2' + "]" * DEEPEST_KEPT) == "[" * DEEPEST_KEPT + "[], 2" + "]" * DEEPEST_KEPT
    )


@pytest.mark.parametrize("unending", ['"' + '\\"' * 300_000, '"' + "a" * 1_000_000, '"\\' * 300_000])
def test_a_string_that_never_ends_takes_linear_time(unending: str) -> None:
    began = time.monotonic()
    cut_depth("[" * 2000 + unending)
    assert time.monotonic() - began < 2


@given(st.binary(max_size=60) | st.text('[]{}",:\\0123456789.eE-+ntfu \x00é', max_size=80).map(str.encode))
def test_no_body_raises_anything_but_a_bad_answer(body: bytes) -> None:
    for whole in (body, b'{"code": 200, "data": ' + body + b"}"):
        with suppress(BadAnswer):
            read_envelope(whole)


def test_a_message_is_one_safe_line_and_cut() -> None:
    body = b'{"code": 422, "message": "a\\u001b[31m\\nb", "errors": ["c", 1, null, "' + b"d" * 10**6 + b'"]}'
    said = read_envelope(body).message
    assert said.startswith("a\\x1b[31m\\nb; c; ddd")
    assert len(said) == 200


def test_control_characters_become_visible() -> None:
    assert visible("战斗 🔥\x1b]0;x\x07\u202e\x00\ud83d") == "战斗 🔥\\x1b]0;x\\x07\\u202e\\x00\\ud83d"
