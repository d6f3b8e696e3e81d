"""A recording has the same result as the run, does not contain the key, and does not affect the run if it fails."""

from __future__ import annotations

import base64
import json
import resource
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from sync import __version__
from sync.client.api_client import ApiClient
from sync.client.response import Envelope
from sync.errors import Interrupted, InvalidResponse, SyncError, UsageError
from sync.recording.record import Recording, first_line, start_recording
from sync.recording.replay import RecordedRun, open_recording
from sync.sandbox.server import Sandbox
from tests.builders import HASTY, make_settings
from tests.client.sending import GOOD, KEY, PAGE, RECORD, open_client
from tests.hostile import (
    GARBAGE,
    NO_REPLY,
    RESET,
    Hostile,
    Reply,
    bomb,
    failure,
    html,
    one_after_another,
    redirect,
    success,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = RecordedRun("0.2.0", "2026-11-25T00:00:00Z", {"page_size": "50"}, 7)
ONCE = replace(HASTY, attempts=1)


def result_of(url: str, recording: Recording | None = None) -> tuple[object, ...]:
    """Request a page; return the result of the response."""
    with ApiClient(make_settings(url), KEY, retry_policy=ONCE, record=recording.add if recording else None) as endpoint:
        try:
            answer: Envelope | SyncError = endpoint.get(PAGE)
        except SyncError as error:
            answer = error
    if isinstance(answer, Envelope):
        return (answer.code, answer.total, answer.records)
    return (type(answer), answer.exit_code)


def record(file: Path, *replies: Reply, most: int = 2**28) -> Recording:
    with Hostile(one_after_another(*replies)) as server, Recording(str(file), KEY, RUN, most=most) as recording:
        for _ in replies:
            result_of(server.url, recording)
    return recording


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(GOOD, id="good"),
        pytest.param(zipped(GOOD), id="compressed"),
        pytest.param(failure(455), id="maintenance under 200"),
        pytest.param(failure(503, 503, headers=(("retry-after", "0"),)), id="503"),
        pytest.param(failure(429, 429, headers=(("retry-after", "9999"),)), id="a Retry-After beyond the deadline"),
        pytest.param(html(), id="a web page"),
        pytest.param(redirect("https://elsewhere.example/\xff"), id="redirect"),
        pytest.param(Reply(b"\xff\xfe\x00{", headers=(("server", "caf\xe9\x01"),)), id="bytes that are no text"),
        pytest.param(replace(GOOD, cut=100, end="close"), id="broken off"),
        pytest.param(replace(zipped(GOOD), body=zipped(GOOD).body[:40]), id="compressed and broken off"),
        pytest.param(replace(zipped(GOOD), body=zipped(GOOD).body[:-8] + b"\x00" * 8), id="compressed and damaged"),
        pytest.param(zipped(GOOD, encoding="br"), id="compressed in another encoding"),
        pytest.param(bomb(17), id="a bomb"),
        pytest.param(GARBAGE, id="no HTTP"),
        pytest.param(NO_REPLY, id="no reply"),
        pytest.param(RESET, id="reset"),
    ],
)
def test_a_recorded_response_has_the_same_result_when_it_is_replayed(reply: Reply, tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    with Hostile(one_after_another(reply)) as server, Recording(str(file), KEY, RUN) as recording:
        seen = result_of(server.url, recording)
        assert result_of(server.url) == seen, "recording changes nothing"
    assert (recording.responses > 0, recording.failure) == (True, "")
    with Sandbox((), key=KEY, replay=open_recording(file)) as sandbox:
        assert [result_of(sandbox.url), result_of(sandbox.url)] == [seen, seen]


def test_a_response_beyond_the_limit_is_replayed_as_one(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    record(file, bomb(17))
    with Sandbox((), key=KEY, replay=open_recording(file)) as sandbox, open_client(sandbox.url) as client:
        with pytest.raises(InvalidResponse) as caught:
            client.get(PAGE)
        assert caught.value.code == "too-large"


def test_a_recording_does_not_contain_the_key_in_any_spelling(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    spelt = [
        KEY,
        "".join(f"\\u{ord(char):04x}" for char in KEY),
        quote(KEY).replace("_", "%5F"),
    ]
    for reply in (
        *(Reply(b'{"message": "%s"}' % each.encode()) for each in spelt),
        *(zipped(Reply(b"\xff\x00" + each.encode())) for each in spelt),
        Reply(b"", 302, (("location", f"https://elsewhere.example/?key={KEY}"), ("set-cookie", f"key={KEY}"), ("server", KEY))),
        zipped(replace(success([{**RECORD, "Title": KEY}]), end="close"), encoding="br"),
        replace(zipped(success([{**RECORD, "Title": KEY}])), cut=400, end="close"),
    ):
        record(file, reply)
        text = file.read_text()
        bodies = [
            base64.b64decode(line["body_base64"]).decode("latin-1")
            for line in map(json.loads, text.splitlines())
            if "body_base64" in line
        ]
        for form in spelt:
            assert all(form not in each and form not in json.dumps(each) for each in (text, *bodies)), form
    with (
        Hostile(one_after_another(GOOD)) as server,
        Recording(str(file), KEY, RUN) as recording,
        ApiClient(make_settings(server.url), KEY, retry_policy=ONCE, record=recording.add) as endpoint,
    ):
        endpoint.get({"template_id": KEY})
    assert (recording.responses, KEY in file.read_text()) == (1, False)


def test_only_the_owner_can_read_a_recording_and_it_replaces_the_file_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    file.write_text("an older one")
    file.chmod(0o644)
    with Hostile(one_after_another(GOOD)) as server, Recording(str(file), KEY, RUN) as recording:
        result_of(server.url, recording)
        assert file.read_text() == "an older one"
    assert file.stat().st_mode & 0o777 == 0o600
    whole = file.read_bytes()
    with Recording(str(file), KEY, RUN):
        pass
    assert file.read_bytes() == whole, "a request without a response is not recorded"
    assert [each.name for each in tmp_path.iterdir()] == ["seen.jsonl"]


def test_responses_beyond_the_limit_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    recording = record(file, GOOD, success([{**RECORD, "Title": "x" * 9000}]), GOOD, most=8000)
    assert (recording.responses, recording.left_out, recording.failure) == (2, 1, "")
    assert len(file.read_text().splitlines()) == 3
    assert file.stat().st_size <= 8000
    more = "; 1 response more exceeded the size limit"
    assert recording.summary() == f"note: 2 responses recorded in {file}, without the API key{more}."


def test_the_limit_is_for_all_lines_together_and_inclusive(tmp_path: Path) -> None:
    large = success([{**RECORD, "Title": "x" * 9000}])
    recording = record(tmp_path / "seen.jsonl", large, large, most=12_000)
    assert (recording.responses, recording.left_out) == (1, 1)
    begun = record(tmp_path / "begun.jsonl", GOOD, most=len(first_line(RUN)) + 1)
    assert (begun.responses, begun.left_out) == (0, 1)


def test_the_summary_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    assert record(file, GOOD).summary() == f"note: 1 response recorded in {file}, without the API key."
    assert record(file).summary() == f"note: no request was made, so nothing is recorded; {file} is unchanged."


def test_a_recording_that_cannot_replace_its_file_reports_that(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    with Hostile(one_after_another(GOOD)) as server, Recording(str(file), KEY, RUN) as recording:
        result_of(server.url, recording)
        file.mkdir()
    assert recording.summary() == f"warning: The recording could not be written: Is a directory. {file} is unchanged."
    assert [each.name for each in tmp_path.iterdir()] == ["seen.jsonl"]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, 100_000], ids=["at the end", "at the first response"])
def test_a_full_disk_leaves_the_file_unchanged(size: int, tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    file.write_text("an older one")
    reply = success([{**RECORD, "Title": "x" * size}])
    with Hostile(one_after_another(reply, reply)) as server, files_of_at_most(100), Recording(str(file), KEY, RUN) as recording:
        seen = [result_of(server.url, recording) for _ in range(2)]
        assert seen[0] == seen[1]
    assert recording.summary() == f"warning: The recording could not be written: File too large. {file} is unchanged."
    assert file.read_text() == "an older one"
    assert [each.name for each in tmp_path.iterdir()] == ["seen.jsonl"]


@pytest.mark.parametrize(("name", "reason"), [
    ("none/seen.jsonl", "No such file or directory"),
    (".", "it is not a regular file, or a new name: no link, device or directory"),
])  # fmt: skip
def test_a_file_that_cannot_be_replaced_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        Recording(f"{tmp_path}/{name}", KEY, RUN)
    assert str(refused.value) == f"{tmp_path}/{name} cannot be written: {reason}."
    assert refused.value.hint == "Name another file for the recording."


def lines_of(file: Path, *replies: Reply) -> list[dict[str, Any]]:
    """Record responses; return their lines."""
    record(file, *replies)
    return [json.loads(line) for line in file.read_text().splitlines()[1:]]


def test_the_line_of_a_response_has_its_times_in_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    (line,) = lines_of(tmp_path / "seen.jsonl", GOOD)
    assert 0 <= line["at"] <= line["at"] + line["took"] <= time.monotonic() - began + 0.001


def test_the_line_of_an_incomplete_response_has_the_reason(tmp_path: Path) -> None:
    whole = zipped(GOOD)
    replies = [
        whole,
        replace(whole, body=whole.body[:-8] + bytes(8)),
        replace(whole, body=whole.body + b"more"),
        zipped(GOOD, encoding="br"),
        replace(whole, cut=len(whole.body) - 4, end="close"),
    ]
    lines = lines_of(tmp_path / "seen.jsonl", *replies)
    assert [line.get("trouble", "") for line in lines][:4] == [
        "", "its compression was damaged or broke off", "something follows its compressed end", "",
    ]  # fmt: skip
    assert lines[4]["trouble"] == "the connection was closed during a response"
    assert [lines[number]["body"] for number in (0, 2)] == [GOOD.body.decode()] * 2


def test_a_recording_has_the_settings_and_the_random_numbers_of_its_run(tmp_path: Path) -> None:
    file, now = tmp_path / "seen.jsonl", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    with Hostile(one_after_another(GOOD)) as server:
        settings = make_settings(server.url, page_size=20, max_removed=Decimal("0.05"), hold=90.0)
        with start_recording(str(file), settings, now) as recording:
            result_of(server.url, recording)
    run = open_recording(file).run
    assert (run.program, run.started_at) == (__version__, "2026-01-02T03:04:05Z")
    assert run.settings == {"page_size": "20", "concurrency": "4", "max_removed": "0.05", "hold": "90"}
    assert recording.random() == Random(run.seed).random()  # noqa: S311 - as the recording


def test_a_request_that_was_cancelled_is_not_recorded(tmp_path: Path) -> None:
    with (
        Hostile(one_after_another(replace(GOOD, hold=30))) as server,
        Recording(str(tmp_path / "seen.jsonl"), KEY, RUN) as recording,
    ):
        with ApiClient(make_settings(server.url), KEY, retry_policy=ONCE, record=recording.add) as endpoint:
            threading.Timer(0.2, endpoint.interrupt).start()
            with pytest.raises(Interrupted):
                endpoint.get(PAGE)
        assert recording.responses == 0
