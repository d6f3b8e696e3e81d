"""The replay of a recording: the same responses in the same order; and recordings with the result that a run must have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from sync.catalog.run_record import Status
from sync.errors import UsageError
from sync.recording.record import first_line
from sync.recording.replay import RecordedResponse, RecordedRun, Replay, open_recording
from sync.sandbox.server import ENDPOINT, SANDBOX_KEY, Sandbox
from tests.replayed import RECORDINGS, replay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

RUN = RecordedRun("0.2.0", "2026-11-25T00:00:00Z", {"page_size": "2"}, 7)


def answers(*bodies: str, **question: str) -> list[RecordedResponse]:
    return [RecordedResponse(question, status=200, body=body.encode()) for body in bodies]


def test_a_request_gets_its_responses_in_order_and_then_the_last_one_repeatedly() -> None:
    recording = Replay(RUN, [*answers("a", "b", page="1"), *answers("c", page="2")])
    with Sandbox((), replay=recording) as sandbox, httpx.Client(headers={"x-api-key": SANDBOX_KEY}) as client:
        bodies = [client.get(f"{sandbox.url}{ENDPOINT}?page={page}").text for page in (1, 2, 1, 2, 1)]
        assert bodies == ["a", "c", "b", "c", "b"]
        never = client.get(f"{sandbox.url}{ENDPOINT}?page=3")
        assert (never.status_code, never.json()["message"]) == (404, "The recording has no response to this request")
        assert client.get(f"{sandbox.url}{ENDPOINT}?page=1", headers={"x-api-key": "wrong"}).status_code == 401
        assert client.post(f"{sandbox.url}/sandbox/evolve").status_code == 404, "a recording does not change"
        assert client.get(f"{sandbox.url}/sandbox").json()["replay"] == 3


def test_an_invalid_recording_is_rejected_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text(f"{first_line(RUN)}\n{{}}")
    with pytest.raises(UsageError) as invalid:
        open_recording(tmp_path / "odd.jsonl")
    assert str(invalid.value) == f"{tmp_path}/odd.jsonl is not a recording: line 2: it is not a line of a recording."
    assert invalid.value.hint == "`template-sync run --record FILE` writes one."


@pytest.mark.parametrize(("name", "reason"), [
    ("", "Is a directory"), ("none", "No such file or directory"), ("a\0b", "embedded null byte"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_reported_in_one_sentence(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as unreadable:
        open_recording(f"{tmp_path}/{name}")
    assert str(unreadable.value) == f"{tmp_path}/{name} cannot be read: {reason}."


def test_a_recording_larger_than_the_limit_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").write_text(first_line(RUN))
    size = len(first_line(RUN))
    assert open_recording(tmp_path / "seen.jsonl", most=size).count == 0
    with pytest.raises(UsageError) as too_large:
        open_recording(tmp_path / "seen.jsonl", most=size - 1)
    assert str(too_large.value) == f"{tmp_path}/seen.jsonl has more than {size - 1} bytes."


def test_an_empty_parameter_belongs_to_a_request() -> None:
    recording = Replay(RUN, answers("a", tag="", page="1"))
    assert recording.next_response("page=1&tag=") == answers("a", tag="", page="1")[0]
    assert recording.next_response("page=1") is None


def test_a_template_that_disappears_during_an_outage_is_removed_by_its_look_up(database: Database) -> None:
    assert replay(RECORDINGS / "removed-before.jsonl", database.engine).run.added == 5
    outcome = replay(RECORDINGS / "removed-after.jsonl", database.engine)
    assert (outcome.run.status, outcome.run.retries, outcome.error) == (Status.SUCCEEDED, 2, None)
    (removed,) = (row for row in database.rows("template_changes") if row["kind"] == "removed")
    assert (removed["template_id"], removed["evidence"]) == ("3", "lookup")


def test_a_replay_into_an_empty_database_sends_no_request_that_was_not_recorded(sqlite: Database) -> None:
    outcome = replay(RECORDINGS / "removed-after.jsonl", sqlite.engine)
    assert (outcome.run.status, outcome.run.added) == (Status.SUCCEEDED, 4)
