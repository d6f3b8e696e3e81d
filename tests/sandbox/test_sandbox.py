"""The sandbox has the documented API of Crun, and reports its weekly changes exactly."""

from __future__ import annotations

import copy
import json
import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from msgspec.structs import asdict

from sync.errors import UsageError
from sync.forms.form import JOB_PATH
from sync.sandbox.catalog import Record, evolve, make_catalog
from sync.sandbox.server import ENDPOINT, SANDBOX_KEY, Sandbox
from tests import builders
from tests.sandbox.conftest import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.outputs.commands import Evolution

DOCUMENTED = builders.record(
    "104909826", Cover="http://127.0.0.1:8456/media/9x16-4.webp", PreviewVideo="http://127.0.0.1:8456/media/preview.mp4",
    Tags=["🔥Seedance2.0模型"], Tags_en=["🔥Seedance2.0 Model"], SupportAspectRatio="9:16,1:1,16:9,4:3,3:4",
)  # fmt: skip
SEEDS = range(40)
COUNTS = (0, 1, 2, 3, 4, 5, 10, 60, 280)
CHANGING = {"ConsumeItems", "Title", "Title_en", "Tags", "Tags_en"}


def ids(catalog: list[Record]) -> list[str]:
    return [record["TemplateId"] for record in catalog]


# The catalog


@pytest.mark.parametrize("seed", [0, 1, 7, 123456789])
def test_the_first_record_is_the_documented_one_with_any_seed(seed: int) -> None:
    first = make_catalog(3, seed)[0]
    assert first == DOCUMENTED
    assert list(first) == list(DOCUMENTED)


def test_a_seed_determines_the_catalog_and_its_changes() -> None:
    assert make_catalog(50, seed=3) == make_catalog(50, seed=3)
    assert make_catalog(50, seed=3)[1:] != make_catalog(50, seed=4)[1:]
    assert make_catalog(300)[:20] == make_catalog(20)
    assert evolve(make_catalog(), seed=5) == evolve(make_catalog(), seed=5)
    assert evolve(make_catalog(), seed=5) != evolve(make_catalog(), seed=6)


@pytest.mark.parametrize("count", [0, 1, 2, 280, 20_000])
def test_ids_and_titles_are_unique_in_a_catalog_of_any_size(count: int) -> None:
    catalog = make_catalog(count)
    assert len(catalog) == count
    for field in ("TemplateId", "ServiceId", "MediaId", "Title", "Title_en"):
        assert len({record[field] for record in catalog}) == count, field


def test_every_record_has_the_documented_fields_and_types() -> None:
    media = re.escape("http://127.0.0.1:8456/media/")
    types = {field: type(value) for field, value in DOCUMENTED.items()}
    for record in make_catalog():
        assert list(record) == list(DOCUMENTED)
        assert {field: type(value) for field, value in record.items()} == types
        assert re.fullmatch(r"\d{19} \d{9} \d{9}", " ".join(record[name] for name in ("MediaId", "TemplateId", "ServiceId")))
        shape = record["CoverAspectRatio"].replace(":", "x")
        assert re.fullmatch(media + shape + r"-\d+\.webp(\?media_id=\d{19}&signature=[0-9a-f]{32})?", record["Cover"])
        assert re.fullmatch(media + rf"preview\.mp4(\?media_id={record['MediaId']})?", record["PreviewVideo"])
        assert 1 <= len(record["Tags"]) == len(record["Tags_en"]) <= 3
        assert record["CoverAspectRatio"] in record["SupportAspectRatio"].split(",")
        assert_prices_rise_with_the_resolution(record)


def assert_prices_rise_with_the_resolution(record: Record) -> None:
    pixels = [int(item["Resolution"].removesuffix("p")) for item in record["ConsumeItems"]]
    credits_ = [item["Credit"] for item in record["ConsumeItems"]]
    assert set() < set(pixels) <= {480, 720, 1080}
    assert (pixels, credits_) == (sorted(set(pixels)), sorted(set(credits_)))
    assert all(isinstance(credit, float) and credit > 0 for credit in credits_)


def test_each_input_requirement_has_one_number_of_images() -> None:
    requirements = {(record["InputRequirement"], record["InputNum"]) for record in make_catalog()}
    assert ("SINGLE_PERSON", 1) in requirements
    assert ("DOUBLE_PERSON", 2) in requirements
    assert len(requirements) == len({requirement for requirement, _ in requirements})


# Weekly changes


def aspects_that_differ(before: Record, after: Record) -> set[str]:
    """Return the kinds of changes of a template, ignoring order."""
    aspects: dict[str, Callable[[Record], object]] = {
        "repriced": lambda record: {item["Resolution"]: item["Credit"] for item in record["ConsumeItems"]},
        "renamed": lambda record: (record["Title"], record["Title_en"]),
        "retagged": lambda record: set(zip(record["Tags"], record["Tags_en"], strict=True)),
        "else": lambda record: [record[field] for field in DOCUMENTED if field not in CHANGING],
    }
    return {name for name, read in aspects.items() if read(before) != read(after)}


def real_difference(before: list[Record], after: list[Record]) -> dict[str, set[str]]:
    old = {record["TemplateId"]: record for record in before}
    new = {record["TemplateId"]: record for record in after}
    difference = {"added": new.keys() - old.keys(), "removed": old.keys() - new.keys()}
    for name in ("repriced", "renamed", "retagged"):
        difference[name] = {key for key in old.keys() & new.keys() if aspects_that_differ(old[key], new[key]) == {name}}
    return difference


def as_sets(evolution: Evolution) -> dict[str, set[str]]:
    return {name: set(changed) for name, changed in asdict(evolution).items()}


@pytest.mark.parametrize("count", COUNTS)
def test_the_reported_changes_are_the_real_ones_and_each_template_has_one_kind(count: int) -> None:
    for seed in SEEDS:
        before = make_catalog(count, seed)
        after, evolution = evolve(before, seed)
        reported = [template_id for changed in asdict(evolution).values() for template_id in changed]
        assert real_difference(before, after) == as_sets(evolution)
        assert len(set(ids(after))) == len(after)
        assert len(set(reported)) == len(reported)
        assert [r for r in after if r["TemplateId"] not in reported] == [r for r in before if r["TemplateId"] not in reported]
        assert [i for i in ids(after) if i not in evolution.added] == [i for i in ids(before) if i not in evolution.removed]


def test_a_week_of_280_templates_adds_3_removes_2_and_changes_8() -> None:
    before = make_catalog()
    kept = copy.deepcopy(before)
    after, evolution = evolve(before, seed=1)
    old, new = ({record["TemplateId"]: record for record in catalog} for catalog in (before, after))

    assert before == kept
    assert {name: len(changed) for name, changed in asdict(evolution).items()} == {
        "added": 3, "removed": 2, "repriced": 4, "renamed": 2, "retagged": 2,
    }  # fmt: skip
    # One of four repricings adds or removes a resolution; the others change one price.
    prices = [(old[i]["ConsumeItems"], new[i]["ConsumeItems"]) for i in evolution.repriced]
    assert [len(ours) != len(theirs) for ours, theirs in prices] == [False, True, False, False]
    for number in (0, 2, 3):
        assert sum(a != b for a, b in zip(*prices[number], strict=True)) == 1
    # A rename changes both languages, and titles stay unique.
    for i in evolution.renamed:
        assert all(new[i][title] != old[i][title] for title in ("Title", "Title_en"))
    assert len({record["Title"] for record in after}) == len(after)


@pytest.mark.parametrize("count", [0, 1, 5, 30])
def test_a_catalog_stays_valid_after_years_of_weekly_changes(count: int) -> None:
    catalog = make_catalog(count)
    for week in range(500):
        before = catalog
        catalog, evolution = evolve(catalog, seed=week)
        assert real_difference(before, catalog) == as_sets(evolution)
        assert evolution.added == ids(catalog)[: len(evolution.added)]

    released = [record["ReleaseOnlineTime"] for record in catalog]
    assert released == sorted(released, reverse=True)
    for record in catalog:
        assert_prices_rise_with_the_resolution(record)
        assert 1 <= len(record["Tags"]) == len(record["Tags_en"]) <= 3


# The endpoint


def get(client: httpx.Client, **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(ENDPOINT, params=query).raise_for_status().json()
    return answer


def test_the_envelope_is_the_documented_one_in_utf_8_without_escapes(client: httpx.Client) -> None:
    response = client.get(ENDPOINT, params={"page_size": 1})
    assert response.json() == {"code": 200, "message": "success", "data": {"total": 45, "templates": [DOCUMENTED]}}
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert '"🔥Seedance2.0模型"'.encode() in response.content


PAGES: dict[str, tuple[int, slice]] = {
    "": (45, slice(20)),
    "page=3": (45, slice(40, 45)),
    "page=1&page_size=50": (45, slice(45)),
    "page=4": (45, slice(0)),
    "page=999999999999": (45, slice(0)),
    "template_id=": (45, slice(20)),
    "colour=red": (45, slice(20)),
    "template_id=104909826&page=9&page_size=999": (1, slice(1)),
    "template_id=1": (0, slice(0)),
}


@pytest.mark.parametrize("query", PAGES)
def test_a_page_or_look_up_is_a_slice_of_the_catalog(client: httpx.Client, query: str) -> None:
    total, part = PAGES[query]
    assert client.get(f"{ENDPOINT}?{query}").json()["data"] == {"total": total, "templates": make_catalog(45)[part]}


PAGE, SIZE = "page: must be an integer, 1 or more", "page_size: must be an integer from 1 to 50"
INVALID = {
    **dict.fromkeys(("page=0", "page=-1", "page=", "page=1_0", "page=%D9%A1"), (PAGE,)),
    **dict.fromkeys(("page_size=51", "page_size=0"), (SIZE,)),
    "page=x&page_size=y": (PAGE, SIZE),
}


@pytest.mark.parametrize("query", INVALID)
def test_invalid_parameters_are_a_422_that_names_each(client: httpx.Client, query: str) -> None:
    message = "The request parameters failed validation checks"
    assert_error(client.get(f"{ENDPOINT}?{query}"), 422, message, errors=[*INVALID[query]])


def assert_error(response: httpx.Response, code: int, message: str, **more: Any) -> None:
    assert (response.status_code, response.json()) == (code, {"code": code, "message": message, **more})


@pytest.mark.parametrize("key", [None, b"", SANDBOX_KEY[:-1].encode(), b"\xff"])
def test_a_missing_or_wrong_key_is_a_401(sandbox: Sandbox, key: bytes | None) -> None:
    headers = [] if key is None else [(b"x-api-key", key)]
    response = httpx.get(sandbox.url + ENDPOINT, headers=headers, trust_env=False)
    assert_error(response, 401, "Authentication credentials are missing or invalid")
    assert re.fullmatch(r"ak_[A-Za-z0-9]{32}", SANDBOX_KEY)  # the documented form


@pytest.mark.parametrize("path", ["/", "/api/v1/client/job/kling-templates", ENDPOINT + "/", "//", "/%00"])
def test_another_path_is_a_404(client: httpx.Client, path: str) -> None:
    assert_error(client.get(path), 404, "The requested resource or endpoint does not exist")


@pytest.mark.parametrize(
    ("method", "path"),
    [*((method, ENDPOINT) for method in ("POST", "PUT", "DELETE", "BREW", "HEAD")), ("GET", "/sandbox/evolve"), ("GET", JOB_PATH),
     ("POST", "/sandbox")],
)  # fmt: skip
def test_another_method_is_a_405(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path, content=b"a body")
    assert response.status_code == 405
    assert response.content == b"" if method == "HEAD" else response.json()["code"] == 405
    assert get(client)["code"] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.2", ""])
def test_a_host_that_is_not_loopback_is_refused_with_a_valid_key(client: httpx.Client, host: str) -> None:
    for method, path in (("GET", ENDPOINT), ("GET", "/sandbox"), ("POST", "/sandbox/evolve"), ("POST", JOB_PATH)):
        response = client.request(method, path, headers={"Host": host})
        assert_error(response, 403, "The sandbox answers to loopback names only")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]:9"])
def test_every_loopback_name_is_accepted_with_any_port(client: httpx.Client, host: str) -> None:
    assert client.get(ENDPOINT, headers={"Host": host}).status_code == 200


# Changes over HTTP


def test_evolving_over_http_needs_no_key_and_returns_the_changes(sandbox: Sandbox, client: httpx.Client) -> None:
    evolution = httpx.post(f"{sandbox.url}/sandbox/evolve", trust_env=False).raise_for_status().json()
    after = get(client, page_size=50)["data"]["templates"]
    assert real_difference(make_catalog(45), after) == {name: set(changed) for name, changed in evolution.items()}


def test_each_week_has_its_own_seed() -> None:
    with Sandbox(make_catalog(), evolve_seed=10) as sandbox:
        weeks = [sandbox.evolve(), sandbox.evolve()]
    catalog, first = evolve(make_catalog(), seed=10)
    assert weeks == [first, evolve(catalog, seed=11)[1]]


def test_a_request_after_the_interval_applies_one_week_of_changes() -> None:
    now = [1000.0]
    first, second = make_catalog(45), evolve(make_catalog(45), seed=7)[0]
    third = evolve(second, seed=8)[0]
    with Sandbox(first, evolve_seed=7, evolve_every=30, clock=lambda: now[0]) as sandbox, client_of(sandbox) as client:
        for at, served in ((1029.9, first), (1030, second), (1059.9, second), (1999, third), (2028.9, third)):
            now[0] = at
            assert client.get(ENDPOINT, headers={"x-api-key": "wrong"}).status_code == 401
            assert get(client, page_size=50)["data"]["templates"] == served


def test_concurrent_requests_apply_one_week_of_changes() -> None:
    together, begun = Barrier(2), [False]

    def clock() -> float:
        """Wait for another request to read the clock; none can while the first one has the lock."""
        if begun[0]:
            with suppress(BrokenBarrierError):
                together.wait(0.05)
        return 1000.0 + 30 * begun[0]

    with Sandbox(make_catalog(45), evolve_seed=7, evolve_every=30, clock=clock) as sandbox, ThreadPoolExecutor(2) as pool:
        begun[0] = True
        list(pool.map(lambda _: sandbox.answer(ENDPOINT, "", None), range(2)))
        assert list(sandbox.catalog) == evolve(make_catalog(45), seed=7)[0]


def test_a_request_gets_the_catalog_before_or_after_a_change(sandbox: Sandbox, client: httpx.Client) -> None:
    states = [make_catalog(7, seed=1), make_catalog(11, seed=2)]

    def swap() -> None:
        for turn in range(400):
            sandbox.replace(states[turn % 2])

    sandbox.replace(states[0])
    with ThreadPoolExecutor() as pool:
        swapping = pool.submit(swap)
        answers = list(pool.map(lambda _: get(client, page_size=50)["data"], range(100)))
        swapping.result()

    assert all(answer in [{"total": len(state), "templates": state} for state in states] for answer in answers)


def test_concurrent_weeks_are_all_applied(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        evolutions = list(pool.map(lambda _: sandbox.evolve(), range(40)))
    added = [template_id for evolution in evolutions for template_id in evolution.added]
    removed = [template_id for evolution in evolutions for template_id in evolution.removed]
    assert len(added) == len(set(added))
    assert len(sandbox.catalog) == 45 + len(added) - len(removed)


def test_the_description_has_the_settings_of_a_client(sandbox: Sandbox) -> None:
    assert httpx.get(f"{sandbox.url}/sandbox", trust_env=False).json() == {
        "base_url": sandbox.url,
        **{name: f"{sandbox.url}/api/v1/client/job/{path}" for name, path in ENDPOINTS.items()},
        "key": SANDBOX_KEY, "count": 45, "evolve": f"POST {sandbox.url}/sandbox/evolve",
        "media": "http://127.0.0.1:8456/media/", "faults": [],
    }  # fmt: skip


ENDPOINTS = {"endpoint": "bytedance-templates", "job_endpoint": "CreateTask", "task_endpoint": "TaskInfo"}


# Start and stop


def test_a_port_in_use_or_out_of_range_is_an_error(sandbox: Sandbox) -> None:
    for port in (sandbox.port, 70_000):
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            Sandbox([], port=port)
        assert caught.value.hint == "Choose another --port; 0 takes a free one."


def test_a_stopped_sandbox_frees_its_port_and_closes_open_connections(sandbox: Sandbox) -> None:
    never_started = Sandbox([])
    never_started.stop()
    never_started.stop()
    with client_of(sandbox) as client:
        assert client.get("/sandbox").status_code == 200
        sandbox.stop()
        with pytest.raises(httpx.TransportError):
            client.get("/sandbox")
    with Sandbox([], port=sandbox.port) as successor:
        assert httpx.get(f"{successor.url}/sandbox", trust_env=False).json()["count"] == 0


def converse(sandbox: Sandbox, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_connection_serves_many_requests_and_a_body_is_not_the_next_request(sandbox: Sandbox) -> None:
    first = b"GET /sandbox HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\nGET / HTTP/1.1\r\n\r\n"[:-1]
    last = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = converse(sandbox, first + last)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404"]


@pytest.mark.parametrize(
    "request_", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"]
)
def test_an_invalid_request_gets_a_json_error_and_its_connection_is_closed(sandbox: Sandbox, request_: bytes) -> None:
    body = json.loads(converse(sandbox, request_).rpartition(b"\r\n\r\n")[2])
    assert (400 <= body["code"] < 600, body["message"] != "") == (True, True)


def test_nothing_is_printed_also_not_for_a_client_that_disconnects_early(capfd: pytest.CaptureFixture[str]) -> None:
    ask = f"GET {ENDPOINT}?page_size=50 HTTP/1.1\r\nHost: localhost\r\nx-api-key: {SANDBOX_KEY}\r\n\r\n".encode()
    with Sandbox(make_catalog(50), latency_ms=20) as sandbox:
        for request in (b"", b"GET /sand", ask, ask * 20):
            with socket.create_connection(("127.0.0.1", sandbox.port)) as connection:
                connection.sendall(request)
                reset_on_close = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
        with client_of(sandbox) as client:
            assert [get(client)["code"] for _ in range(5)] == [200] * 5
            client.get("/nowhere")
            client.put(ENDPOINT)
        converse(sandbox, b"nonsense\r\n\r\n")
    assert capfd.readouterr() == ("", "")


def test_a_response_takes_at_least_the_configured_latency() -> None:
    with Sandbox([], latency_ms=60) as sandbox:
        response = httpx.get(sandbox.url + ENDPOINT, headers={"x-api-key": SANDBOX_KEY}, trust_env=False)
    assert response.elapsed.total_seconds() >= 0.06
