"""The sandbox's job endpoint: a request is checked against the template's form, answered as if taken, and dropped."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sync.forms.form import JOB_PATH
from sync.sandbox.catalog import make_catalog
from sync.sandbox.job import NOTE, answer_job
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from tests.builders import record
from tests.command_line import of_sandbox, template_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOG = [record("1"), record("2", InputNum=2), {"TemplateId": "3", "Title": 5}]
INPUT = {"template_id": "1", "img_urls": ["https://a.example/1.png"], "resolution": "720p"}
GOOD = {"model": "bytedance/template", "input": INPUT}
TAKEN: dict[str, Any] = {"code": 200, "message": "success", "data": {"task_id": "task_sandbox_00000007", "sandbox": NOTE}}
NO_SUCH = "input.template_id: the catalog has no such template"
FAILED = "The request parameters failed validation checks"


def answer(request: Any) -> dict[str, Any]:
    return answer_job(CATALOG, request if isinstance(request, bytes | None) else json.dumps(request).encode(), 7)


def test_a_request_that_fits_is_answered_as_if_taken_and_says_that_it_is_a_sandbox() -> None:
    assert answer(GOOD) == TAKEN
    assert answer({**GOOD, "callback_url": "https://app.example/done"}) == TAKEN
    two = {"template_id": "2", "img_urls": ["https://a.example/1.png", "https://a.example/2.png"], "resolution": "480p"}
    assert answer({**GOOD, "input": two}) == TAKEN


WRONG: dict[str, tuple[Any, list[str]]] = {
    "no length": (None, ["the request: needs a Content-Length, of at most 99999 bytes"]),
    "no JSON": (b"{", ["the request: must be JSON"]),
    "nested too deeply": (b"[" * 90_000, ["the request: must be JSON"]),
    "a list": ([GOOD], ["the request: must be an object, not a list"]),
    "nothing": ({}, ["model: is missing", "input: is missing"]),
    "another model": ({**GOOD, "model": "kling/template"}, ['model: must be "bytedance/template", not "kling/template"']),
    "the input alone": (
        INPUT,
        [
            "model: is missing",
            "input: is missing",
            *(f"{name}: there is no such field; there are model, input, callback_url" for name in INPUT),
        ],
    ),
    "a callback that is no URL": (
        {**GOOD, "callback_url": "app"},
        ['callback_url: must be an http or https URL (no Base64, no local path), not "app"'],
    ),
    "an input that is no object": ({**GOOD, "input": "x"}, ["input: must be an object, not a string"]),
    "no template": ({**GOOD, "input": {}}, ["input.template_id: is missing"]),
    "an unknown template": ({**GOOD, "input": {**INPUT, "template_id": "9"}}, [NO_SUCH]),
    "a template that is a list": ({**GOOD, "input": {**INPUT, "template_id": []}}, [NO_SUCH]),
    "a template with a bad record": (
        {**GOOD, "input": {**INPUT, "template_id": "3"}},
        ["input.template_id: the catalog's record of this template is rejected: Title must be a string, not a number"],
    ),
    "another number of images and no price": (
        {**GOOD, "input": {**INPUT, "img_urls": [], "resolution": "4k"}},
        ["input.img_urls: must hold 1 image, not 0", 'input.resolution: must be one of "480p", "720p", not "4k"'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "errors"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_a_422_that_names_its_place(request_: Any, errors: list[str]) -> None:
    assert answer(request_) == {"code": 422, "message": FAILED, "errors": errors}


def test_without_the_extra_the_feature_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    disabled = answer(GOOD)
    assert (disabled["code"], "data" in disabled) == (505, False)
    assert "crun-template-sync[validate]" in disabled["message"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(make_catalog(45)) as serving:
        yield serving


def test_it_is_served_with_the_key_only_and_every_task_has_an_id_of_its_own(sandbox: Sandbox) -> None:
    body = {**GOOD, "input": {**INPUT, "template_id": "104909826"}}
    with httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        assert client.post(JOB_PATH, json=body).status_code == 401
        client.headers["x-api-key"] = SANDBOX_KEY
        answers = [client.post(JOB_PATH, json=body).raise_for_status().json() for _ in range(2)]
        assert [each["data"]["task_id"] for each in answers] == ["task_sandbox_00000001", "task_sandbox_00000002"]
        wrong = client.post(JOB_PATH, json={**body, "input": {}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, 422)
        chunked = client.post(JOB_PATH, content=iter([b"{}"]))
        assert chunked.json()["errors"] == WRONG["no length"][1]
        assert client.post(JOB_PATH, json=body).status_code == 200
        assert client.get("/sandbox").json()["count"] == 45


def test_the_request_that_form_prints_is_taken_as_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    variables = of_sandbox(sandbox)
    assert template_sync("run", folder=tmp_path, variables=variables).code == 0
    made = json.loads(template_sync("form", "104909826", "--request", folder=tmp_path, variables=variables).out)
    headers = {name: value.replace("$CRUN_API_KEY", sandbox.key) for name, value in made["headers"].items()}
    taken = httpx.request(made["method"], made["url"], headers=headers, json=made["body"], trust_env=False)
    assert taken.json() == {**TAKEN, "data": {**TAKEN["data"], "task_id": "task_sandbox_00000001"}}
