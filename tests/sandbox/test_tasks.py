"""Generation tasks of the sandbox: validation of the request, status of the task, callback."""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from sync.forms.form import JOB_PATH
from sync.sandbox.catalog import make_catalog
from sync.sandbox.media_files import read_media
from sync.sandbox.responses import Fault
from sync.sandbox.server import TASK_PATH, Sandbox
from sync.sandbox.tasks import NOTE, Tasks
from tests.builders import record
from tests.command_line import of_sandbox, template_sync
from tests.hostile import Hostile, Reply, Request
from tests.sandbox.conftest import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOG = [record("1"), record("2", InputNum=2)]
INPUT = {"template_id": "1", "img_urls": ["https://a.example/1.png"], "resolution": "720p"}
VALID = {"model": "bytedance/template", "input": INPUT}
TAKEN: dict[str, Any] = {"code": 200, "message": "success", "data": {"task_id": "task_sandbox_00000001", "sandbox": NOTE}}
NO_SUCH = "input.template_id: the catalog has no such template"
NOT_LOOPBACK = (
    "callback_url: must be a loopback address, such as http://127.0.0.1:8000/callback; the sandbox calls no other address"
)
FAILED = "The request parameters failed validation checks"

VIDEO = "http://127.0.0.1:1/media/preview.mp4"


def answer(request: Any, tasks: Tasks | None = None, *, fails: bool = False) -> dict[str, Any]:
    body = request if isinstance(request, bytes | None) else json.dumps(request).encode()
    return (tasks or Tasks(lambda: 1000.7, VIDEO)).create(CATALOG, body, lambda: fails)


def test_a_valid_request_is_accepted_and_the_response_names_the_sandbox() -> None:
    assert answer(VALID) == TAKEN
    two = {"template_id": "2", "img_urls": ["https://a.example/1.png", "https://a.example/2.png"], "resolution": "480p"}
    assert answer({**VALID, "input": two}) == TAKEN


INVALID: dict[str, tuple[Any, list[str]]] = {
    "no length": (None, ["the request: needs a Content-Length, of at most 99999 bytes"]),
    "no JSON": (b"{", ["the request: must be JSON"]),
    "nested too deeply": (b"[" * 90_000, ["the request: must be JSON"]),
    "a list": ([VALID], ["the request: must be an object, not a list"]),
    "nothing": ({}, ["model: is missing", "input: is missing"]),
    "another model": ({**VALID, "model": "kling/template"}, ['model: must be "bytedance/template", not "kling/template"']),
    "the input alone": (INPUT, ["model: is missing", "input: is missing",
        *(f"{name}: unknown field; the fields are model, input, callback_url" for name in INPUT)]),
    "a callback that is no URL": ({**VALID, "callback_url": "app"},
        ['callback_url: must be an http or https URL (no Base64, no local path), not "app"']),
    "a callback that is a number": ({**VALID, "callback_url": 5}, ["callback_url: must be a string, not a number"]),
    **{
        f"a callback to {url}": ({**VALID, "callback_url": url}, [NOT_LOOPBACK])
        for url in ("https://app.example/done", "http://127.0.0.1.app.example/", "http://10.0.0.1/", "http://u:p@localhost/", "http://localhost/\0")
    },
    "an input that is not an object": ({**VALID, "input": "x"}, ["input: must be an object, not a string"]),
    "no template": ({**VALID, "input": {}}, ["input.template_id: is missing"]),
    "an unknown template": ({**VALID, "input": {**INPUT, "template_id": "9"}}, [NO_SUCH]),
    "a template that is a list": ({**VALID, "input": {**INPUT, "template_id": []}}, [NO_SUCH]),
    "another number of images and no price": ({**VALID, "input": {**INPUT, "img_urls": [], "resolution": "4k"}},
        ["input.img_urls: must hold 1 image, not 0", 'input.resolution: must be one of "480p", "720p", not "4k"']),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "errors"), INVALID.values(), ids=INVALID)
def test_an_invalid_request_is_a_422_with_the_path_of_the_problem(request_: Any, errors: list[str]) -> None:
    assert answer(request_) == {"code": 422, "message": FAILED, "errors": errors}


def test_without_the_extra_the_feature_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    disabled = answer(VALID)
    assert (disabled["code"], "data" in disabled) == (505, False)
    assert ".[validate]" in disabled["message"]


def test_tasks_need_the_key_and_each_has_its_own_id(client: httpx.Client) -> None:
    body = {**VALID, "input": {**INPUT, "template_id": "104909826"}}
    assert client.post(JOB_PATH, json=body, headers={"x-api-key": ""}).status_code == 401
    answers = [client.post(JOB_PATH, json=body).raise_for_status().json() for _ in range(2)]
    assert [each["data"]["task_id"] for each in answers] == ["task_sandbox_00000001", "task_sandbox_00000002"]
    wrong = client.post(JOB_PATH, json={**body, "input": {}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, 422)
    assert client.post(JOB_PATH, content=iter([b"{}"])).json()["errors"] == INVALID["no length"][1]
    assert client.post(JOB_PATH, json=body).status_code == 200
    assert client.get("/sandbox").json()["count"] == 45


def test_the_request_printed_by_form_is_accepted_unchanged(sandbox: Sandbox, tmp_path: Path) -> None:
    variables = of_sandbox(sandbox)
    assert template_sync("run", folder=tmp_path, variables=variables).code == 0
    made = json.loads(template_sync("form", "104909826", "--request", folder=tmp_path, variables=variables).out)
    headers = {name: value.replace("$CRUN_API_KEY", sandbox.key) for name, value in made["headers"].items()}
    taken = httpx.request(made["method"], made["url"], headers=headers, json=made["body"], trust_env=False)
    assert taken.json() == TAKEN


# Status and callbacks


def info(tasks: Tasks, number: int = 1) -> dict[str, Any]:
    data: dict[str, Any] = tasks.info({"task_id": f"task_sandbox_{number:08}"})["data"]
    return data


ENDS = {
    "success": {"code": 200, "message": "success", "media_urls": [VIDEO]},
    "failed": {"code": 501, "message": "The generation failed", "media_urls": []},
}


@pytest.mark.parametrize("status", ENDS)
def test_a_task_is_pending_for_one_second_and_ends_after_three(status: str) -> None:
    now = [1000.7]
    tasks = Tasks(lambda: now[0], VIDEO)
    answer(VALID, tasks, fails=status == "failed")
    running = {"create_at": 1000, "complete_at": None, "duration_s": None, "result": None, "sandbox": NOTE}

    ended = {**running, "complete_at": 1003, "duration_s": 3, "result": ENDS[status]}
    times = {1000.7: "pending", 1001.6: "pending", 1001.7: "running", 1003.6: "running", 1003.7: status, 9999.0: status}
    for at, shown in times.items():
        now[0] = at
        rest = ended if shown == status else running
        assert info(tasks) == {"task_id": "task_sandbox_00000001", "status": shown, **rest}


def test_the_thousand_newest_tasks_are_kept_and_another_task_is_an_error() -> None:
    tasks = Tasks(lambda: 0.0, VIDEO)
    assert [answer(VALID, tasks)["code"] for _ in range(1001)] == [200] * 1001
    assert tasks.info({"task_id": "task_sandbox_00000001"})["code"] == 404
    assert tasks.info({"task_id": "task_sandbox_00001002"})["code"] == 404
    assert [tasks.info(query)["code"] for query in ({}, {"task_id": ""})] == [422, 422]
    assert info(tasks, 2)["status"] == "pending"


@contextmanager
def listening() -> Iterator[tuple[str, SimpleQueue[tuple[str, dict[str, str], bytes]]]]:
    """Yield the URL of an app for callbacks, and the received callbacks: path, headers, body."""
    received: SimpleQueue[tuple[str, dict[str, str], bytes]] = SimpleQueue()

    def receive(request: Request) -> Reply:
        received.put((request.target, request.headers, request.body))
        return Reply(b"", status=204)

    with Hostile(receive) as server:
        yield f"{server.url}/done", received


def join_callbacks() -> None:
    for thread in threading.enumerate():
        if thread.name == "sandbox callback":
            thread.join(5)


def test_an_ended_task_sends_one_callback_with_the_response_of_task_info() -> None:
    now = [1000.0]
    body = {**VALID, "input": {**INPUT, "template_id": "104909826"}}
    canary = "ak_CanaryKeyThatMustNotBeEchoed00000"
    with (
        listening() as (url, received),
        Sandbox(make_catalog(1), key=canary, clock=lambda: now[0], faults=[Fault("failed", 1)]) as sandbox,
        client_of(sandbox) as client,
    ):
        taken = [client.post(JOB_PATH, json={**body, "callback_url": f"{url}?{number}"}) for number in (1, 2)]
        assert received.empty()
        now[0] += 3
        sent = dict(sorted((path, (headers, content)) for path, headers, content in (received.get(timeout=5) for _ in taken)))
        join_callbacks()
        infos = [client.get(TASK_PATH, params={"task_id": each.json()["data"]["task_id"]}) for each in taken]
        video = httpx.get(infos[1].json()["data"]["result"]["media_urls"][0], trust_env=False)

    answers = [each.json() for each in infos]
    assert [each["data"]["status"] for each in answers] == ["failed", "success"]
    assert {each["data"].pop("sandbox") for each in answers} == {f"{NOTE} The callback was answered with 204."}
    called = {path: json.loads(content) for path, (_, content) in sent.items()}
    assert {each["data"].pop("sandbox") for each in called.values()} == {NOTE}
    assert called == {"/done?1": answers[0], "/done?2": answers[1]}
    assert [headers["content-type"] for headers, _ in sent.values()] == ["application/json"] * 2
    assert received.empty()
    assert (video.headers["content-type"], video.content) == read_media("/media/preview.mp4")
    seen = [repr(sent), *(each.text + repr(each.headers) for each in (*taken, *infos))]
    assert [text for text in seen if canary in text] == []


FAILURES = {"127.0.0.1": "the connection was refused", "192.0.2.1": "its address is not permitted"}


@pytest.mark.parametrize("address", FAILURES)
def test_task_info_reports_a_failed_callback(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    now = [0.0]
    with listening() as (url, _):
        pass
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, urlsplit(url).port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    tasks = Tasks(lambda: now[0], VIDEO)
    answer({**VALID, "callback_url": url.replace("127.0.0.1", "localhost")}, tasks)
    now[0] = 3.0
    tasks.send_callbacks()
    join_callbacks()
    assert info(tasks)["sandbox"] == f"{NOTE} The callback failed: {FAILURES[address]}."
