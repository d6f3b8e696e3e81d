"""Faults on demand: the requests to which they apply, their replacement, and the result of a run with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sync.forms.form import JOB_PATH
from sync.sandbox.responses import CODES, Fault, Faults, parse_faults
from sync.sandbox.server import ENDPOINT, TASK_PATH, Sandbox
from tests.builders import records, run_against

if TYPE_CHECKING:
    from tests.builders import Database


@pytest.mark.parametrize(
    ("text", "faults"),
    [("", []), ("429", [Fault("429")]), ("429:3,short:1", [Fault("429", 3), Fault("short", 1)]),
     (" 455 , failed:20 ,", [Fault("455"), Fault("failed", 20)])],
)  # fmt: skip
def test_a_fault_is_a_kind_and_a_number_of_requests(text: str, faults: list[Fault]) -> None:
    assert parse_faults(text) == faults


@pytest.mark.parametrize(
    "text", ["200", "418", "short:0", "429:-1", "429:", ":3", "429:x", "429:3:4", "429 500", "4294:9999999999"]
)
def test_an_unknown_fault_is_refused_with_the_known_kinds(text: str) -> None:
    with pytest.raises(ValueError, match=r"KIND or KIND:COUNT, .* 401, 402, 404, 422, 429, 455, 500, 501, 505, short or failed"):
        parse_faults(text)


def test_a_request_consumes_the_first_applicable_fault() -> None:
    faults = Faults(parse_faults("short:1,429:2,455"))
    assert [faults.take(*CODES) for _ in range(2)] == ["429", "429"]
    assert faults.as_json() == ["short:1", "455"]
    assert [faults.take("short", *CODES) for _ in range(3)] == ["short", "455", "455"]
    assert faults.take("short") is None


def test_faults_can_be_replaced_while_the_sandbox_serves(client: httpx.Client) -> None:
    for body, left in ((b"429:2,short", ["429:2", "short"]), (b"500", ["500"]), (b"", [])):
        assert client.post("/sandbox/faults", content=body).json() == {"faults": left}
        assert client.get("/sandbox").json()["faults"] == left
    refused = client.post("/sandbox/faults", content=b"teapot")
    assert (refused.status_code, refused.json()["code"]) == (422, 422)
    assert refused.json()["errors"][0].startswith("the body: expected a list of KIND or KIND:COUNT")
    assert client.post("/sandbox/faults", content=iter([b"429"])).status_code == 422  # without a length


@pytest.mark.parametrize("code", [int(code) for code in CODES])
def test_an_error_fault_applies_to_every_endpoint_with_the_key(client: httpx.Client, code: int) -> None:
    client.post("/sandbox/faults", content=f"{code}:3")
    assert client.get(ENDPOINT, headers={"x-api-key": "wrong"}).status_code == 401  # consumes no fault
    answers = [client.get(ENDPOINT), client.post(JOB_PATH, json={}), client.get(TASK_PATH, params={"task_id": "x"})]
    assert [(each.status_code, each.json()["code"], bool(each.json()["message"])) for each in answers] == [(code, code, True)] * 3
    assert client.get(ENDPOINT).status_code == 200


def test_a_short_page_lacks_its_last_template_and_a_look_up_is_complete(client: httpx.Client) -> None:
    client.post("/sandbox/faults", content=b"short:1")

    def data(**query: Any) -> Any:
        served = client.get(ENDPOINT, params=query).json()["data"]
        return served["total"], len(served["templates"])

    assert [data(template_id="104909826"), data(), data()] == [(1, 1), (45, 19), (45, 20)]


RUNS = {
    **dict.fromkeys(("401", "402", "505"), ("failed", 77)),
    **dict.fromkeys(("404", "422"), ("failed", 76)),
    **dict.fromkeys(("429", "455"), ("deferred", 75)),
    **dict.fromkeys(("500", "501"), ("failed", 75)),
    "short": ("incomplete", 76),
    "failed": ("succeeded", 0),
    **dict.fromkeys(("429:2", "500:2", "501:1", "short:1"), ("succeeded", 0)),
}


@pytest.mark.parametrize("fault", RUNS)
def test_a_run_with_a_fault_has_the_documented_result_and_removes_nothing(sqlite: Database, fault: str) -> None:
    with Sandbox(records(30)) as sandbox:
        run_against(sandbox.url, sqlite.engine)
        httpx.post(f"{sandbox.url}/sandbox/faults", content=fault, trust_env=False)
        outcome = run_against(sandbox.url, sqlite.engine, page_size=10)
    assert (outcome.run.status, outcome.error.exit_code if outcome.error else 0) == RUNS[fault]
    assert sqlite.scalar("SELECT count(*) FROM current_templates") == 30
