"""Responses: the body is parsed to an envelope, and status and body code are classified."""

from __future__ import annotations

import gzip
import random
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.catalog.fields import DEEPEST_RECORD, MOST_BYTES
from sync.catalog.run_record import BY_CODE
from sync.client import response as responses
from sync.client.response import BODY_LIMIT, MOST_VALUES, Envelope, classify_response, decompress, read_envelope
from sync.errors import AccessDenied, Deferred, InvalidResponse, Maintenance, NoSuchPage, NotFound, SyncError, Unreachable
from tests.builders import record
from tests.catalog.runs import new_parser
from tests.hostile import failure, success
from tests.proof.fuzz import MARK, mutated, pages, shown


def reasons(records: list[bytes] | None) -> dict[str | None, str | None]:
    """Parse records; return the reason of each rejection by ID, None for a valid record."""
    return {each.template_id: each.reason for each in new_parser().parse_page(1, records or [])}


def test_the_documented_envelope_is_parsed_and_records_are_the_served_bytes() -> None:
    body = b'{"code": 200, "message": "success", "data": {"total": 1, "templates": [{"TemplateId" :  "1"} ]}}'
    assert read_envelope(body) == Envelope(200, "success", 1, [b'{"TemplateId" :  "1"}'])


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"code": 455, "code": 200, "data": {"total": 1, "templates": []}}', Envelope(200, "", 1, [])),
        (b'{"code": 200, "data": {"total": 9, "total": 0, "templates": []}}', Envelope(200, "", 0, [])),
        (b'{"code": 200, "data": {"templates": [1], "templates": [2, 3]}}', Envelope(200, "", None, [b"2", b"3"])),
        (b'{"code": 200, "data": {"total": 9, "templates": []}, "data": {"total": 1}}', Envelope(200, "", 1, None)),
        (rb'{"code": 200, "data": {"templates": [1], "templ\u0061tes": []}}', Envelope(200, "", None, [])),
    ],
)
def test_the_last_value_of_a_duplicate_key_wins(body: bytes, read: Envelope) -> None:
    assert read_envelope(body) == read


def test_a_record_with_a_duplicate_key_keeps_its_bytes() -> None:
    assert read_envelope(HEAD + b'[{"a": 1, "a": 2}]' + TAIL).records == [b'{"a": 1, "a": 2}']


@pytest.mark.parametrize("code", ["200", "200.0", "2e2"])
def test_a_code_is_an_integer_in_any_notation(code: str) -> None:
    assert read_envelope(b'{"code": %s}' % code.encode()).code == 200


@pytest.mark.parametrize(
    ("total", "read"),
    [
        ("280", 280), ("280.0", 280), ("2.8e2", 280), ("0", 0), ("0.0", 0), ("1.0", 1), ("1e12", 10**12),
        ("1000000000000", 10**12), ("1000000000001", None),
        ("null", None), ('"280"', None), ("-1", None), ("1.5", None), ("true", None), ("NaN", None), ("[]", None),
        ("1" + "0" * 50, None), ("1e999999", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_a_total_is_a_plausible_integer_or_none(total: str, read: int | None) -> None:
    assert read_envelope(b'{"code": 200, "data": {"total": ' + total.encode() + b', "templates": []}}').total == read


@pytest.mark.parametrize(("body", "records"), [
    (b'{"code": 200, "data": {"total": 0, "templates": null}}', []), (b'{"code": 200, "data": {"templates": null}}', None),
    (b'{"code": 200, "data": {"total": 0}}', None), (b'{"code": 200, "data": {"total": 1, "templates": {}}}', None),
    (b'{"code": 200, "data": []}', None), (b'{"code": 200}', None),
])  # fmt: skip
def test_a_missing_list_and_an_empty_list_differ(body: bytes, records: list[Any] | None) -> None:
    assert read_envelope(body).records == records


NOT_JSON = "not-json", "The response is not JSON."
NOT_ENVELOPE = "not-envelope", "The response is JSON, but not in the documented form."
DEEP_NONSENSE = b'{"code": 200, "data": {"templates": [' + b"[" * DEEPEST_RECORD + b"x" + b"]" * DEEPEST_RECORD + b"]}}"


@pytest.mark.parametrize(("body", "expected"), [
    (b"", NOT_JSON), (b"<html>", NOT_JSON), (b'{"code": 200', NOT_JSON), ('{"code": 200}'.encode("utf-16"), NOT_JSON),
    (DEEP_NONSENSE, NOT_JSON), (DEEP_NONSENSE + b" " * 500, NOT_JSON), (b"[" * 100_000, NOT_JSON),
    (b'{"a":' * 100_000, NOT_JSON), (b"null", NOT_ENVELOPE), (b"[200]", NOT_ENVELOPE), (b'{"code": "200"}', NOT_ENVELOPE),
    (b'{"code": 200.5}', NOT_ENVELOPE), (b'{"code": NaN}', NOT_ENVELOPE), (b'{"code": null}', NOT_ENVELOPE),
    (b'{"data": {"total": 0, "templates": []}}', NOT_ENVELOPE), (b'{"code": true}', NOT_ENVELOPE),
    (b'{"code": 1' + b"0" * 60 + b"}", NOT_ENVELOPE), (b'{"code": 1000000000}', NOT_ENVELOPE),
    (b'{"code": -1000000000}', NOT_ENVELOPE),
])  # fmt: skip
def test_an_invalid_body_is_reported(body: bytes, expected: tuple[str, str]) -> None:
    with pytest.raises(InvalidResponse) as caught:
        read_envelope(body)
    assert (caught.value.code, str(caught.value)) == expected


@pytest.mark.parametrize("code", [999_999_999, -999_999_999])
def test_a_code_may_have_nine_digits(code: int) -> None:
    assert read_envelope(b'{"code": %d}' % code).code == code


def test_invalid_utf_8_affects_only_the_record_that_contains_it() -> None:
    body = '{"code": 200, "data": {"total": 2, "templates": [{"TemplateId": "1", "Title": "é"}, {"TemplateId": "2"}]}}'
    found = reasons(read_envelope(body.encode("latin-1")).records)
    assert (found["2"], found["1"] is None) == (None, False)


def test_a_record_that_is_too_deep_affects_only_itself() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    text = f'[{{"TemplateId": "1", "x": {deep}}}, {{"TemplateId": "2", "Title": "]\\"["}}]'
    found = reasons(read_envelope(b'{"code": 200, "data": {"total": 2, "templates": ' + text.encode() + b"}}").records)
    assert (found["2"], found["1"] is None) == (None, False)


@given(st.binary(max_size=60) | st.text('[]{}",:\\0123456789.eE-+ntfu \x00é', max_size=80).map(str.encode))
def test_no_body_raises_another_error_than_invalid_response(body: bytes) -> None:
    for whole in (body, b'{"code": 200, "data": ' + body + b"}"):
        with suppress(InvalidResponse):
            read_envelope(whole)


# Bounds ------------------------------------------------------------------------------------------------------------------

FIVE_VALUES = b'{"code": 200, "data": {"total": 2, "templates": [1]}}'


def too_large(body: bytes) -> str:
    with pytest.raises(InvalidResponse) as caught:
        read_envelope(body)
    assert caught.value.code == "too-large"
    return str(caught.value)


def test_each_comma_and_each_opening_bracket_counts_as_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MOST_VALUES", 5)
    assert read_envelope(FIVE_VALUES).records == [b"1"]
    monkeypatch.setattr(responses, "MOST_VALUES", 4)
    assert too_large(FIVE_VALUES) == "The response is larger than any page of the catalog."


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["as served", "rewritten"])
def test_a_page_has_at_most_the_limit_of_records(monkeypatch: pytest.MonkeyPatch, mark: bytes) -> None:
    monkeypatch.setattr(responses, "MOST_RECORDS", 2)
    assert read_envelope(mark + HEAD + b"[1, 2]" + TAIL).records == [b"1", b"2"]
    assert too_large(mark + HEAD + b"[1, 2, 3]" + TAIL) == "The response has more templates than any page of the catalog."


def test_a_page_may_have_ten_thousand_records_and_four_hundred_thousand_values() -> None:
    assert (responses.MOST_RECORDS, MOST_VALUES) == (10_000, 400_000)


# Rewritten bodies ---------------------------------------------------------------------------------------------------------

HEAD, TAIL = b'{"code": 200, "data": {"total": 2, "templates": ', b"}}"
ONE, TWO = b'{"TemplateId": "1"}', b'{"TemplateId": "2", "x": [1.50, {"y": null}]}'
LIST = b"[" + ONE + b", " + TWO + b"]"

EXACT: dict[str, bytes] = {
    "nothing awkward": HEAD + LIST + TAIL,
    "space everywhere": b'\n{ "code" : 200 , "data" : { "total" : 2 , "templates" : [ ' + ONE + b"\t,\r\n" + TWO + b" ] } }\n",
    "a surrogate pair": HEAD + rb'[{"x": "\ud83d\ude00"}]' + TAIL,
    "a surrogate as bytes": HEAD + b'[{"x": "\xed\xa0\xbd"}]' + TAIL,
    "Latin-1 in a record": HEAD + b'[{"x": "\xe9"}]' + TAIL,
    "Latin-1 in a key": HEAD + b'[{"\xe9": 1}]' + TAIL,
    "minus zero": HEAD + b"[-0, -0.0]" + TAIL,
    "a number of 5000 digits": HEAD + b"[" + b"9" * 5000 + b"]" + TAIL,
    "a huge exponent": HEAD + b"[1e999999999, 1e-999999999]" + TAIL,
    "a key twice in a record": HEAD + b'[{"x": 1, "x": 2}]' + TAIL,
    "the list twice": HEAD + LIST + b', "templates": ' + LIST + TAIL,
    "the list twice, differently": HEAD + b"[1]" + b', "templates": ' + LIST + TAIL,
    "the data twice": HEAD + LIST + b'}, "data": {"templates": [3], "total": 1}}',
    "the code twice": b'{"code": 455, ' + (HEAD + LIST + TAIL)[1:],
    "keys written with escapes": rb'{"code": 200, "d\u0061ta": {"total": 2, "templ\u0061tes": ' + LIST + TAIL,
    "a key twice, once with an escape": HEAD + LIST + rb', "templ\u0061tes": []' + TAIL,
    "an empty list": HEAD + b"[]" + TAIL,
    "an empty list elsewhere first": b'{"errors": [], ' + (HEAD + b"[ ]" + TAIL)[1:],
    "the same list elsewhere": b'{"errors": ' + LIST + b", " + (HEAD + LIST + TAIL)[1:],
    "the same list elsewhere, after it": HEAD + LIST + b', "again": ' + LIST + TAIL,
    "the same list inside a record": HEAD + b"[[1], [[1], [[1]]]]" + TAIL,
    "the list's text in a string": b'{"message": "[1]", ' + (HEAD + b"[1]" + TAIL)[1:],
    "templates elsewhere": b'{"templates": [5], "x": {"data": {"templates": [6]}}, ' + (HEAD + LIST + TAIL)[1:],
    "records that are no objects": HEAD + b'[null, true, 1, "x", [], [[]], {}]' + TAIL,
    "60 levels": HEAD + b"[" + b"[" * 60 + b"]" * 60 + b"]" + TAIL,
    "null for a list": HEAD + b"null" + TAIL,
}
"""Bodies whose records are the served bytes."""
REWRITTEN: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + HEAD + LIST + TAIL,
    "NaN in a record": HEAD + b'[{"x": NaN}]' + TAIL,
    "NaN as the total": b'{"code": 200, "data": {"total": NaN, "templates": ' + LIST + TAIL,
    "Infinity in a record": HEAD + b'[{"x": -Infinity}]' + TAIL,
    "half a surrogate pair": HEAD + rb'[{"x": "\ud83d"}]' + TAIL,
    "Latin-1 in the message": b'{"message": "\xe9", ' + (HEAD + LIST + TAIL)[1:],
    "a huge total": b'{"code": 200, "data": {"total": ' + b"9" * 5000 + b', "templates": ' + LIST + TAIL,
    "an object for a list": HEAD + b'{"0": 1}' + TAIL,
    "a string for a list": HEAD + b'"[]"' + TAIL,
    "data that is a list": b'{"code": 200, "data": [' + LIST + b"]}",
}
"""Bodies whose records are serialised again."""
REFUSED: dict[str, bytes] = {
    "a byte order mark in the middle": HEAD + b"\xef\xbb\xbf" + LIST + TAIL,
    "a control character in a string": HEAD + b'[{"x": "a\x01b"}]' + TAIL,
    "a line break in a string": HEAD + b'[{"x": "a\nb"}]' + TAIL,
    "an unknown escape": HEAD + rb'[{"x": "\q"}]' + TAIL,
    "a null byte": HEAD + b"[\x00]" + TAIL,
    "a comma too many": HEAD + b"[1,]" + TAIL,
    "a comma too many in a record": HEAD + b'[{"x": 1,}]' + TAIL,
    "a comment": HEAD + b"[/* one */ 1]" + TAIL,
    "single quotes": HEAD + b"[{'x': 1}]" + TAIL,
    "a leading zero": HEAD + b"[01]" + TAIL,
    "a point without digits": HEAD + b"[1.]" + TAIL,
    "a hexadecimal number": HEAD + b"[0x1]" + TAIL,
    "a plus sign": HEAD + b"[+1]" + TAIL,
    "no code": b'{"data": {"total": 2, "templates": ' + LIST + TAIL,
    "something after the end": HEAD + LIST + TAIL + b"x",
    "a second answer after the end": (HEAD + LIST + TAIL) * 2,
    "cut short": (HEAD + LIST + TAIL)[:-1],
    "cut short in a record": HEAD + b'[{"x": "',
    "UTF-16": (HEAD + LIST + TAIL).decode().encode("utf-16"),
}
"""Bodies that are not JSON, or no envelope."""
AWKWARD = EXACT | REWRITTEN | REFUSED


def agree(body: bytes) -> None:
    if not body.startswith(MARK):
        assert shown(body) == shown(MARK + body)


@pytest.mark.parametrize("name", AWKWARD)
def test_both_parsers_give_the_same_result_and_an_ordinary_body_keeps_its_bytes(name: str) -> None:
    body = AWKWARD[name]
    agree(body)
    assert (shown(body) in ["not-json", "not-envelope"]) == (name in REFUSED)
    if name in REFUSED:
        return
    answer = read_envelope(body)
    assert answer.exact == (name in EXACT)
    assert all((raw in body) or not answer.exact for raw in answer.records or [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":200,"data":{"total":2,"templates":[NaN,12]}}',
        b'{ "code" : 200 , "data" : { "total" : 2 , "templates" : [ NaN , 12 ] } }',
        b'{\r\n\t"code": 200,\r\n\t"data": {\r\n\t\t"total": 2,\r\n\t\t"templates": [\r\n\t\t\tNaN,\r\n\t\t\t12\r\n]\r\n}\r\n}',
    ],
    ids=["none", "everywhere", "line breaks"],
)
def test_a_rewritten_body_may_have_any_white_space(body: bytes) -> None:
    assert read_envelope(body) == Envelope(200, "", 2, [b"NaN", b"12"], exact=False)


@pytest.mark.parametrize(
    ("levels", "kept"), [(DEEPEST_RECORD, b"NaN"), (DEEPEST_RECORD + 1, b"")], ids=["as deep as it may", "deeper"]
)
def test_a_rewritten_record_keeps_64_levels(levels: int, kept: bytes) -> None:
    body = HEAD + b"[" + b"[" * levels + b"NaN" + b"]" * levels + b"]" + TAIL
    assert read_envelope(body).records == [b"[" * levels + kept + b"]" * levels]


def deep(levels: int, padding: int = 0) -> bytes:
    inside = b"[" * levels + b" " * padding + b"]" * levels
    return HEAD + b'[{"TemplateId": "1", "x": ' + inside + b'}, {"TemplateId": "2"}]' + TAIL


@pytest.mark.parametrize("levels", [60, 63, 64, 65, 67, 68, 300, 2000, 5000, 20_000])
def test_both_parsers_agree_at_every_depth(levels: int) -> None:
    agree(deep(levels))
    found = read_envelope(deep(levels)).records
    assert reasons(found) == {"1": "'x' is nested deeper than 20 levels", "2": None}


def test_a_deep_record_of_too_many_bytes_is_rejected_for_its_size() -> None:
    assert reasons(read_envelope(deep(60, padding=MOST_BYTES)).records) == {"1": "it has more than 262144 bytes", "2": None}


# Any answer, and any damage to it ------------------------------------------------------------------------------------------

ORDINARY = HEAD + LIST + TAIL


@pytest.mark.parametrize("seed", range(4))
def test_both_parsers_agree_on_damaged_answers(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - the same damage each time
    for _ in range(400):
        agree(mutated(rng.choice((*pages(), *AWKWARD.values())), rng))


@pytest.mark.parametrize("token", [b",", b"[", b'"', b"0", b"\xe9", b"\\", b'"templates": [], ', b"NaN"])
def test_both_parsers_agree_wherever_a_token_stands_in_an_ordinary_answer(token: bytes) -> None:
    for place in range(1, len(ORDINARY) + 1):
        agree(ORDINARY[:place] + token + ORDINARY[place:])
        agree(ORDINARY[:place] + token + ORDINARY[place + 1 :])


# Bounds and messages -------------------------------------------------------------------------------------------------------


def test_a_message_is_escaped_and_truncated_to_one_line() -> None:
    body = b'{"code": 422, "message": "a\\u001b[31m\\nb\\u0000", "errors": ["\\ud800", 1, null, "' + b"d" * 10**6 + b'"]}'
    message = read_envelope(body).message
    assert message.startswith("a\\x1b[31m\\nb\\x00; \\ud800; ddd")
    assert len(message) == 200


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["as served", "rewritten"])
def test_a_message_is_followed_by_the_errors(mark: bytes) -> None:
    assert read_envelope(mark + b'{"code": 422, "message": "a", "errors": ["b", "c"]}').message == "a; b; c"


def test_secrets_are_removed_from_ten_thousand_characters_of_a_message() -> None:
    body = b'{"code": 422, "message": "' + b"a" * 20_000 + b'", "errors": ["b"]}'
    assert read_envelope(body, lambda part: str(len(part))).message == "10000; 1"


NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEXT_RUN = "Nothing was changed; the next run retries."


def judged(status: int, body: bytes, /, **headers: str) -> tuple[int, Any]:
    return classify_response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, NOW)


def parts(status: int, body: bytes = b"", /, **headers: str) -> tuple[type[SyncError], str, str, str]:
    """Return the class, code, message and hint of an error."""
    _, error = judged(status, body, **headers)
    assert isinstance(error, SyncError)
    return type(error), str(error.code), str(error), str(error.hint)


@pytest.mark.parametrize(
    ("status", "kind", "code", "sentence", "hint"),
    [
        (401, AccessDenied, "401", "The API key was refused (401).", BY_CODE["401"].action),
        (402, AccessDenied, "402", "The account has insufficient credits (402).", BY_CODE["402"].action),
        (403, AccessDenied, "403", "Access was refused (403).", BY_CODE["403"].action),
        (505, AccessDenied, "505", "The template catalog is disabled for this account (505).", BY_CODE["505"].action),
        (404, NotFound, "404", "This address has no template catalog (404).", BY_CODE["404"].action),
        (422, NoSuchPage, "422", "The endpoint refused the request's parameters (422).", BY_CODE["422"].action),
        (455, Maintenance, "455", "The catalog is under maintenance (455).", NEXT_RUN),
        (429, Deferred, "429", "The rate limit was exceeded (429).", NEXT_RUN),
        (408, Unreachable, "408", "The server failed (408).", "The next run retries."),
        (500, Unreachable, "500", "The server failed (500).", "The next run retries."),
        (599, Unreachable, "599", "The server failed (599).", "The next run retries."),
        (299, InvalidResponse, "299", "The response has an undocumented code (299).", ""),
        (304, InvalidResponse, "304", "The response has an unexpected status (304): no request was conditional.", ""),
        (400, InvalidResponse, "400", "The response has an undocumented code (400).", ""),
        (600, InvalidResponse, "600", "The response has an undocumented code (600).", ""),
    ],
)
def test_an_error_has_the_meaning_of_its_code_and_a_hint(
    status: int, kind: type[SyncError], code: str, sentence: str, hint: str
) -> None:
    assert parts(status, b"") == (kind, code, sentence, hint)
    kind_, code_, sentence_, hint_ = parts(200, failure(status, message="Sorry.").body)
    assert (kind_, code_, sentence_, hint_) == (kind, code, f"{sentence} Message: Sorry.", hint)


@pytest.mark.parametrize("status", [300, 301, 399])
def test_the_error_of_a_redirect_names_the_setting_to_change(status: int) -> None:
    sentence = (
        f"The server redirects to another URL ({status}); redirects are not followed, because the API key is sent to the "
        "configured origin only."
    )
    assert parts(status) == (InvalidResponse, str(status), sentence, "Set CRUN_BASE_URL to the origin that serves the API.")


def test_the_error_contains_the_seconds_of_retry_after() -> None:
    kind, _, sentence, hint = parts(503, retry_after="7")
    assert (kind, sentence, hint) == (Deferred, "The server failed (503). Retry after 7 s.", NEXT_RUN)
    assert parts(455, retry_after="7")[2] == "The catalog is under maintenance (455). Retry after 7 s."
    assert parts(418, retry_after="7")[0] is InvalidResponse


ORDER = [200, 404, 422, 500, 429, 455, 418, 401]
"""In the order of severity."""


@pytest.mark.parametrize(("milder", "worse"), [*pairwise(ORDER), (418, 402), (418, 403), (418, 505)])
def test_the_worse_of_status_and_body_code_decides(milder: int, worse: int) -> None:
    assert judged(milder, failure(worse).body)[0] == judged(worse, failure(milder).body)[0] == worse


def test_a_success_has_a_list_of_templates() -> None:
    code, envelope = judged(200, success([record()]).body)
    assert (code, isinstance(envelope, Envelope), len(envelope.records)) == (200, True, 1)
    assert parts(200, b'{"code": 200, "data": {}}')[:3] == (
        InvalidResponse, "not-envelope", "The response reports success but has no list of templates.",
    )  # fmt: skip


@pytest.mark.parametrize("code", [404, 422])
def test_a_404_that_contains_templates_is_invalid(code: int) -> None:
    assert parts(code, success([record()]).body)[:3] == (
        InvalidResponse, "contradiction", f"The response has code {code} but contains templates.",
    )  # fmt: skip


def test_only_a_404_in_the_envelope_of_the_api_has_an_envelope() -> None:
    """A 404 page of a proxy must not count as evidence that a template is gone."""
    own, proxys = judged(404, failure(404, message="gone").body)[1], judged(404, b"<html>")[1]
    assert (own.envelope.message, proxys.envelope) == ("gone", None)


def test_a_response_of_another_service_names_the_setting_to_check() -> None:
    page = "Check CRUN_BASE_URL; a login page or a proxy may intercept the request."
    assert parts(200, b"<html>", content_type="text/html")[1:] == ("html", "The response is a web page, not the catalog.", page)
    assert parts(200, b"?")[3] == "Check CRUN_BASE_URL; if it is right, the API may have changed."
    assert parts(200, b"?", content_type="application/json")[1] == "not-json"


TEXT = b"effects " * 2000
ZIPPED = gzip.compress(TEXT)
NOT_REQUESTED = "The response has a content encoding that was not requested."
TOO_LARGE = "The response is larger than 16 MiB."
TRAILING = "The compressed response has trailing data."
INCOMPLETE = "The response was incomplete."


@pytest.mark.parametrize(
    ("encoding", "wire", "body", "error"),
    [
        ("", TEXT, TEXT, None),
        (" Identity ", TEXT, TEXT, None),
        ("", bytes(BODY_LIMIT), bytes(BODY_LIMIT), None),
        (" GZip", ZIPPED, TEXT, None),
        ("x-gzip", ZIPPED, TEXT, None),
        ("gzip", ZIPPED + ZIPPED, TEXT + TEXT, None),
        ("gzip", gzip.compress(b"") * 999 + ZIPPED, TEXT, None),
        ("gzip", gzip.compress(bytes(BODY_LIMIT)), bytes(BODY_LIMIT), None),
        ("gzip", b"\0" * BODY_LIMIT, b"", (Unreachable, "gzip", "The compressed response is corrupt.")),
        ("gzip", zlib.compress(TEXT), b"", (Unreachable, "gzip", "The compressed response is corrupt.")),
        ("gzip", b"", b"", (Unreachable, "gzip", INCOMPLETE)),
        ("gzip", ZIPPED[:-1], TEXT, (Unreachable, "gzip", INCOMPLETE)),
        ("gzip", ZIPPED + ZIPPED[:5], TEXT, (Unreachable, "gzip", INCOMPLETE)),
        ("gzip", ZIPPED + b"\x1f" + ZIPPED, TEXT, (InvalidResponse, "encoding", TRAILING)),
        ("br", TEXT, TEXT, (InvalidResponse, "encoding", NOT_REQUESTED)),
        ("gzip, gzip", ZIPPED, ZIPPED, (InvalidResponse, "encoding", NOT_REQUESTED)),
        ("", bytes(BODY_LIMIT + 1), bytes(BODY_LIMIT + 1), (InvalidResponse, "too-large", TOO_LARGE)),
        ("gzip", bytes(BODY_LIMIT + 1), bytes(BODY_LIMIT + 1), (InvalidResponse, "too-large", TOO_LARGE)),
        ("gzip", gzip.compress(bytes(BODY_LIMIT + 9)), bytes(BODY_LIMIT + 1), (InvalidResponse, "too-large", TOO_LARGE)),
        (
            "gzip",
            gzip.compress(bytes(BODY_LIMIT)) + ZIPPED,
            bytes(BODY_LIMIT) + TEXT[:1],
            (InvalidResponse, "too-large", TOO_LARGE),
        ),
        ("gzip", gzip.compress(b"") * 1000 + ZIPPED, b"", (InvalidResponse, "too-large", TOO_LARGE)),
    ],
    ids=range(21),
)
def test_a_body_is_decompressed_as_far_as_it_is_intact_and_not_too_large(
    encoding: str, wire: bytes, body: bytes, error: tuple[type[SyncError], str, str] | None
) -> None:
    found, failure = decompress(encoding, wire)
    assert bytes(found) == body
    assert (failure and (type(failure), failure.code, str(failure))) == error
