"""A recording has the same result as the run, does not contain the key, and does not affect the run if it fails."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from sync.client.api_client import ApiClient
from sync.client.response import Envelope
from sync.errors import Interrupted, SyncError
from sync.recording.record import Recording
from sync.recording.replay import RecordedRun, open_recording
from sync.sandbox.server import Sandbox
from tests.builders import HASTY, make_settings
from tests.client.sending import GOOD, KEY, PAGE, RECORD
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
