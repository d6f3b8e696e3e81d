"""A recording is served as it came: in its order, to the same questions, and nothing is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from sync.errors import UsageError
from sync.recording.record import first_line, line_of
from sync.recording.replay import RecordedResponse, RecordedRun, Replay, open_recording
from sync.sandbox.server import ENDPOINT, SANDBOX_KEY, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

RUN = RecordedRun("0.2.0", "2026-11-25T00:00:00Z", {"page_size": "2"}, 7)


def answers(*bodies: str, **question: str) -> list[RecordedResponse]:
    return [RecordedResponse(question, status=200, body=body.encode()) for body in bodies]


def after_first(answer: RecordedResponse) -> bytes:
    return f"{first_line(RUN)}\n{line_of(answer, str)}".encode()


def test_a_request_gets_its_responses_in_order_and_then_the_last_one_repeatedly() -> None:
    replay = Replay(RUN, [*answers("a", "b", page="1"), *answers("c", page="2")])
    with Sandbox((), replay=replay) as sandbox, httpx.Client(headers={"x-api-key": SANDBOX_KEY}) as client:
        said = [client.get(f"{sandbox.url}{ENDPOINT}?page={page}").text for page in (1, 2, 1, 2, 1)]
        assert said == ["a", "c", "b", "c", "b"]
        never = client.get(f"{sandbox.url}{ENDPOINT}?page=3")
        assert (never.status_code, never.json()["message"]) == (404, "The recording has no response to this request")
        assert client.get(f"{sandbox.url}{ENDPOINT}?page=1", headers={"x-api-key": "wrong"}).status_code == 401
        assert client.post(f"{sandbox.url}/sandbox/evolve").status_code == 404, "a recording does not change"
        assert client.get(f"{sandbox.url}/sandbox").json()["replay"] == 3


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"SQLite format 3\x00", "line 1: it is not a line of a recording"),
        (b"[" * 100_000, "line 1"),
        (b'{"format": "something else", "version": 1}', "line 1: it has no header of a recording"),
        (first_line(RUN).replace('"version": 1', '"version": 2').encode(), "line 1: a newer version of this program wrote it"),
        (first_line(RUN).replace('"2"', '"$(reboot)"').encode(), "line 1: its settings are not numbers"),
        (first_line(RUN).replace("7", "1e999").encode(), "line 1: it is not a line of a recording"),
        (b"%s\n{}" % first_line(RUN).encode(), "line 2: it is not a line of a recording"),
        (b'%s\n{"question": 5}' % first_line(RUN).encode(), "line 2: it is not a line of a recording"),
        (after_first(RecordedResponse({}, status=101)), "line 2: its status is none of HTTP"),
        (after_first(RecordedResponse({}, status=200, headers={"server": "a\r\nb: c"})), "line 2: a header holds a character"),
    ],
)  # fmt: skip
def test_an_invalid_recording_is_rejected_with_its_line(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=why):
        open_recording(tmp_path / "odd.jsonl")


def test_a_file_that_cannot_be_read_is_reported_in_one_sentence(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "none", f"{tmp_path}/a\0b"):
        with pytest.raises(UsageError, match="cannot be read"):
            open_recording(name)
