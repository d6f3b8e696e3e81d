"""The exact lines of a recording; later versions must read them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from sync.recording.record import first_line, line_of
from sync.recording.replay import MOST_BYTES, RecordedResponse, RecordedRun, read_recording

RUN = RecordedRun("0.2.0", "2026-11-25T00:00:00Z", {"page_size": "50", "concurrency": "4", "max_removed": "0.10"}, 7)
FIRST = (
    '{"format": "template-sync-recording", "version": 1, "program": "0.2.0", "started_at": "2026-11-25T00:00:00Z",'
    ' "settings": {"page_size": "50", "concurrency": "4", "max_removed": "0.10"}, "seed": 7}'
)
BEGUN: dict[str, Any] = json.loads(FIRST)
ANSWER: dict[str, Any] = {
    "question": {"page": "1"}, "at": 0.5, "took": 0.25, "status": 200, "headers": {"server": "nginx"}, "body": "{}",
}  # fmt: skip


def redact(text: str) -> str:
    return text.replace("canary", "[secret]")


def refusal(*lines: bytes | dict[str, Any]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is what is compared
        read_recording([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines])
    return str(caught.value)


def answer(**changed: object) -> RecordedResponse:
    """Read an answer in which some things are other than in ANSWER."""
    _, (only,) = read_recording([FIRST.encode(), json.dumps(ANSWER | changed).encode()])
    return only


def test_a_recording_begins_with_the_run() -> None:
    assert first_line(RUN) == FIRST
    assert read_recording([FIRST.encode()]) == (RUN, [])


START = '{"question": {}, "at": 0.0, "took": 0.0, "status": null, "headers": {}, '
LINES: dict[str, tuple[RecordedResponse, str, RecordedResponse]] = {
    "times to a tenth of a millisecond": (
        RecordedResponse({"page": "1"}, 1.23456, 0.34567, 200, {"content-type": "text/plain"}, "战 {}".encode()),
        ('{"question": {"page": "1"}, "at": 1.2346, "took": 0.3457, "status": 200,'
        ' "headers": {"content-type": "text/plain"}, "body": "战 {}"}'),
        RecordedResponse({"page": "1"}, 1.2346, 0.3457, 200, {"content-type": "text/plain"}, "战 {}".encode()),
    ),
    "no response, with a reason": (
        RecordedResponse({}, trouble="reset"), f'{START}"body": "", "trouble": "reset"}}', RecordedResponse({}, trouble="reset"),
    ),
    "without trouble": (RecordedResponse({}), f'{START}"body": ""}}', RecordedResponse({})),
    "a body that is not UTF-8, in base64 with the secret masked": (
        RecordedResponse({}, body=b"\xffcanary"),
        f'{START}"body_base64": "/1tzZWNyZXRd"}}',
        RecordedResponse({}, body=b"\xff[secret]"),
    ),
    "a secret in each part": (
        RecordedResponse({"a canary": "1 canary"}, status=302, headers={"location": "/?canary"}, body=b"my canary"),
        ('{"question": {"a [secret]": "1 [secret]"}, "at": 0.0, "took": 0.0, "status": 302,'
        ' "headers": {"location": "/?[secret]"}, "body": "my [secret]"}'),
        RecordedResponse({"a [secret]": "1 [secret]"}, status=302, headers={"location": "/?[secret]"}, body=b"my [secret]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("response", "line", "parsed"), LINES.values(), ids=LINES)
def test_a_response_is_one_line(response: RecordedResponse, line: str, parsed: RecordedResponse) -> None:
    assert line_of(response, redact) == line
    assert read_recording([FIRST.encode(), line.encode()]) == (RUN, [parsed])


def test_responses_keep_their_order() -> None:
    _, read = read_recording([FIRST.encode(), *(json.dumps(ANSWER | {"body": body}).encode() for body in ("a", "b", "c"))])
    assert [each.body for each in read] == [b"a", b"b", b"c"]


def test_the_headers_that_a_run_uses_are_recorded_and_no_others() -> None:
    names = ("content-type", "content-encoding", "content-length", "date", "location", "retry-after", "server")
    known = {name: f"value of {name}" for name in names}
    assert answer(headers={**known, "set-cookie": "a=b"}).headers == known
    assert answer(headers={}).headers == {}
    assert answer(headers={"content-length": 5, "server": "caf\xe9\t\x01"}).headers == {
        "content-length": "5", "server": "caf\xe9\t\x01",
    }  # fmt: skip


@pytest.mark.parametrize("char", ["\x00", "\r", "\n", "\x0b", "\x0c", "\u0100", "\U0010ffff"])
def test_a_header_with_a_line_break_is_rejected(char: str) -> None:
    assert refusal(BEGUN, ANSWER | {"headers": {"server": f"a{char}b"}}) == ("line 2: a header has an invalid character")


@pytest.mark.parametrize("status", [None, 200, 304, 455, 999])
def test_a_status_of_http_or_none_is_accepted(status: int | None) -> None:
    assert answer(status=status).status == status


@pytest.mark.parametrize("status", [199, 1000, 0, -200, True, 200.0, "200", [200]])
def test_another_status_is_rejected(status: object) -> None:
    assert refusal(BEGUN, ANSWER | {"status": status}) == "line 2: its status is not an HTTP status"


@pytest.mark.parametrize(("recorded", "parsed"), [
    ({}, {}),
    ({"page_size": 50, "max_removed": 0.1}, {"page_size": "50", "max_removed": "0.1"}),
    ({"concurrency": "999999999", "else": "$(reboot)"}, {"concurrency": "999999999"}),
])  # fmt: skip
def test_the_settings_that_determine_the_requests_are_recorded(recorded: dict[str, object], parsed: dict[str, str]) -> None:
    run, _ = read_recording([json.dumps(BEGUN | {"settings": recorded}).encode()])
    assert run.settings == parsed


@pytest.mark.parametrize("setting", ["$(reboot)", "", "5;", "5\n", "-1", ".5", "1.", "1e3", "1234567890", True])
def test_a_recorded_setting_that_is_not_a_number_is_rejected(setting: object) -> None:
    for name in ("page_size", "concurrency", "max_removed", "hold"):
        assert refusal(BEGUN | {"settings": {name: setting}}) == "line 1: its settings are not numbers"


@pytest.mark.parametrize(("lines", "why"), [
    ([], "it is empty"),
    ([b"SQLite format 3\x00"], "line 1: it is not a line of a recording"),
    ([b"\xff"], "line 1: it is not a line of a recording"),
    ([b"7"], "line 1: it is not a line of a recording"),
    ([b"[" * 100_000], "line 1 is nested too deeply"),
    ([BEGUN | {"format": "something else"}], "line 1: it has no header of a recording"),
    ([BEGUN | {"version": 2}], "line 1: a newer version of this program wrote it"),
    ([BEGUN | {"seed": "x"}], "line 1: it is not a line of a recording"),
    ([FIRST.replace('"seed": 7', '"seed": 1e999').encode()], "line 1: it is not a line of a recording"),
    ([{"format": "template-sync-recording"}], "line 1: it is not a line of a recording"),
    ([BEGUN, b"[" * 100_000], "line 2 is nested too deeply"),
    ([BEGUN, {}], "line 2: it is not a line of a recording"),
    ([BEGUN, ANSWER, ANSWER | {"question": 5}], "line 3: it is not a line of a recording"),
    ([BEGUN, ANSWER | {"at": None}], "line 2: it is not a line of a recording"),
    ([BEGUN, ANSWER | {"body": "\ud800"}], "line 2: it is not a line of a recording"),
    ([BEGUN, ANSWER | {"body_base64": "YQ==!"}], "line 2: it is not a line of a recording"),
])  # fmt: skip
def test_an_invalid_recording_is_rejected_with_its_line_and_the_reason(lines: list[bytes | dict[str, Any]], why: str) -> None:
    assert refusal(*lines) == why


def test_the_limit_of_a_recording_is_256_mib() -> None:
    assert MOST_BYTES == 268_435_456


PACKED = gzip.compress(b"the key is canary")


@pytest.mark.parametrize(
    "body", [PACKED, "canary".encode("utf-16"), b"canary\0", b"\x01\xff"], ids=["gzip", "UTF-16", "NUL", "bytes"]
)
def test_a_binary_body_is_not_recorded_because_a_key_in_it_would_not_be_found(body: bytes) -> None:
    line = json.loads(line_of(RecordedResponse({}, status=401, body=body), str))
    assert (line["body"], line["left_out"]) == ("", len(body))


@pytest.mark.parametrize("body", ["热门".encode("gbk"), b"\x01 {}", b"\xff", b"{}\r\n\t"])
def test_text_in_another_encoding_or_with_control_characters_is_kept(body: bytes) -> None:
    (answer,) = read_recording([first_line(RUN).encode(), line_of(RecordedResponse({}, status=200, body=body), str).encode()])[1]
    assert answer.body == body
