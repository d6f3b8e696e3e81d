"""Requests end at the deadline, on an interrupt, and when the iterator is closed; no thread remains."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sync.errors import DeadlineExceeded, Interrupted, Unreachable
from tests.builders import HASTY, QUICK, record
from tests.client.sending import GOOD, PAGE, PAGES, endpoint_threads, error_of, open_client, send_request
from tests.faults import wait_for
from tests.hostile import Hostile, Reply, Request, failure, one_after_another, success

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.client.api_client import Params


SOON = 12.0
"""Seconds, also on a busy machine; without the limit, these requests would take twenty or more."""


@contextmanager
def ends_soon(error: type[Exception], match: str | None = None) -> Iterator[None]:
    """Expect an error, and that all of the block, including the end of the client, takes less than SOON."""
    began = time.monotonic()
    with pytest.raises(error, match=match):
        yield
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("start", [0, 150], ids=["head", "body"])
def test_a_response_of_one_byte_per_second_ends_at_the_deadline(start: int) -> None:
    with Hostile(one_after_another(replace(GOOD, pause=1.0, drip_from=start))) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="SYNC_DEADLINE"):
            send_request(server, deadline=0.4, timeouts=replace(QUICK, request=60, read=20))
        assert 0.35 < time.monotonic() - began < SOON


def test_a_slow_response_ends_at_the_timeout_of_the_request() -> None:
    with Hostile(one_after_another(replace(GOOD, pause=0.1), GOOD)) as server:
        send_request(server, timeouts=replace(QUICK, request=0.4))
        assert len(server.requests) == 2


def test_a_server_that_does_not_respond_is_unreachable() -> None:
    error, requests = error_of(replace(GOOD, hold=9), timeouts=replace(QUICK, read=0.1), retry_policy=replace(HASTY, attempts=2))
    assert isinstance(error, Unreachable)
    assert (requests, "no response within the deadline" in str(error)) == (2, True)


def test_another_thread_can_interrupt_a_request() -> None:
    with Hostile(one_after_another(replace(GOOD, hold=30))) as server, open_client(server.url) as endpoint:
        threading.Timer(0.2, endpoint.interrupt).start()
        with ends_soon(Interrupted):
            endpoint.get(PAGE)
        with pytest.raises(Interrupted):
            endpoint.get(PAGE)
        assert len(server.requests) == 1


def test_concurrent_requests_end_at_the_deadline() -> None:
    with Hostile(lambda _: replace(GOOD, pause=1.0, drip_from=150)) as server:
        began = time.monotonic()
        with open_client(server.url, deadline=0.5, timeouts=replace(QUICK, request=60, read=20)) as endpoint:
            with pytest.raises(DeadlineExceeded):
                list(endpoint.get_many(PAGES))
            assert time.monotonic() - began < SOON
            with pytest.raises(DeadlineExceeded):
                endpoint.check_deadline()
        assert endpoint_threads() == []
        assert time.monotonic() - began < SOON


def test_a_slow_tls_handshake_ends_at_the_deadline() -> None:
    with Hostile(one_after_another(GOOD), greeting=b"\x16\x03\x03\x40\x00") as server:
        url = server.url.replace("http:", "https:")
        with ends_soon(DeadlineExceeded), open_client(url, deadline=0.5, timeouts=replace(QUICK, connect=20)) as endpoint:
            endpoint.get(PAGE)
        assert endpoint_threads() == []


def test_connecting_to_a_full_port_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        port = full.getsockname()[1]
        others = [waiting.enter_context(socket.socket()) for _ in range(4)]
        for each in others:
            each.settimeout(0)
            each.connect_ex(("127.0.0.1", port))
        url = f"http://127.0.0.1:{port}"
        with ends_soon(DeadlineExceeded), open_client(url, deadline=0.5, timeouts=replace(QUICK, connect=20)) as endpoint:
            endpoint.get(PAGE)
    assert endpoint_threads() == []


def test_a_late_request_is_cancelled_while_others_succeed() -> None:
    def script(request: Request) -> Reply:
        first = sum(each.page == 1 for each in server.requests) == 1
        return replace(GOOD, pause=0.1) if request.page == 1 and first else replace(GOOD, hold=0.03)

    with Hostile(script) as server, open_client(server.url, concurrency=2, timeouts=replace(QUICK, request=0.3)) as endpoint:
        pages: Iterator[Params] = ({"page": page, "page_size": 50} for page in range(1, 41))
        order = [params["page"] for params, _ in endpoint.get_many(pages)]
    assert (len(order), order.index(1) < 30) == (40, True)


WAITING: dict[str, tuple[Reply, dict[str, Any]]] = {
    "for an answer": (replace(GOOD, hold=30), {}),
    "for the rest of an answer": (replace(GOOD, pause=1.0, drip_from=150), {}),
    "for its turn": (GOOD, {"rate": 0.02}),
    "for another attempt": (failure(500), {"retry_policy": replace(HASTY, waits=(20.0,))}),
}


@pytest.mark.parametrize(("reply", "settings"), WAITING.values(), ids=WAITING)
def test_an_interrupt_ends_each_kind_of_wait_at_once_and_leaves_no_thread(reply: Reply, settings: dict[str, Any]) -> None:
    with Hostile(lambda _: reply) as server:
        with ends_soon(Interrupted), open_client(server.url, concurrency=3, **settings) as endpoint:
            threading.Timer(0.2, endpoint.interrupt).start()
            list(endpoint.get_many(PAGES))
        assert endpoint_threads() == []


def test_a_retry_that_is_not_sent_any_more_is_not_counted() -> None:
    policy = replace(HASTY, waits=(20.0,))
    with Hostile(one_after_another(failure(500))) as server, open_client(server.url, retry_policy=policy) as endpoint:
        threading.Timer(0.2, endpoint.interrupt).start()
        with ends_soon(Interrupted):
            endpoint.get(PAGE)
    assert (endpoint.statistics.requests, endpoint.statistics.retries) == (1, 0)


def test_no_thread_remains_after_the_caller_finishes_stops_or_fails() -> None:
    with Hostile(one_after_another(GOOD, GOOD, replace(GOOD, hold=30))) as server:
        with open_client(server.url, concurrency=3) as endpoint:
            endpoint.get(PAGE)
            answers = endpoint.get_many(PAGES)
            next(answers)
            assert 1 <= len(endpoint_threads()) <= 3
        assert endpoint_threads() == []
        with pytest.raises(ZeroDivisionError), open_client(server.url) as endpoint:
            list(endpoint.get_many({"page": 1 // zero} for zero in (1, 0)))
        assert endpoint_threads() == []


def test_an_abandoned_response_is_not_read_by_the_next_request() -> None:
    def script(request: Request) -> Reply:
        return replace(success([record(str(request.page))]), hold=0.1 * (request.page == 2))

    with Hostile(script) as server, open_client(server.url, concurrency=2) as endpoint:
        for params, _answer in endpoint.get_many(PAGES):
            assert params == PAGE
            break
        for page in (3, 4):
            records = endpoint.get({"page": page, "page_size": 50}).records
            assert records == [json.dumps(record(str(page))).encode()]


def test_the_next_request_is_drawn_only_when_a_worker_is_free() -> None:
    drawn: list[int] = []

    def pages() -> Iterator[Params]:
        for page in range(1, 7):
            drawn.append(page)
            yield {"page": page, "page_size": 50}

    with Hostile(one_after_another(GOOD)) as server, open_client(server.url, concurrency=2) as endpoint:
        seen = [len(drawn) for _ in endpoint.get_many(pages())]
    assert seen == [2, 3, 4, 5, 6, 6]


def test_errors_are_yielded_as_results_and_the_other_requests_continue() -> None:
    def script(request: Request) -> Reply:
        return failure(404) if request.page == 2 else GOOD

    with Hostile(script) as server, open_client(server.url) as endpoint:
        answers = {params["page"]: type(answer).__name__ for params, answer in endpoint.get_many(PAGES)}
    assert answers == {page: "NotFound" if page == 2 else "Envelope" for page in range(1, 7)}


def test_a_look_up_uses_a_new_connection() -> None:
    with Hostile(one_after_another(GOOD)) as server, open_client(server.url) as endpoint:
        requests: list[Params] = [PAGE, PAGE, {"template_id": "1"}, {"template_id": "2"}, PAGE]
        opened = [(endpoint.get(params), server.connections)[1] for params in requests]
        closing = [request.headers.get("connection") == "close" for request in server.requests]
    assert (opened, closing) == ([1, 1, 2, 3, 3], [False, False, True, True, False])


def test_a_process_ends_while_a_daemon_thread_waits_for_a_response() -> None:
    """As the thread of a web server that calls `ensure_fresh`."""
    code = (
        "import sys, threading\n"
        "from sync.client.network import Timeouts\n"
        "from tests.client.sending import PAGE, open_client\n"
        "def work():\n"
        "    with open_client(sys.argv[1], timeouts=Timeouts()) as endpoint: endpoint.get(PAGE)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "sys.stdin.readline()"
    )
    with Hostile(lambda _: replace(GOOD, hold=30)) as server:
        process = subprocess.Popen([sys.executable, "-c", code, server.url], stdin=subprocess.PIPE)
        with process:
            wait_for(lambda: bool(server.requests))
            process.communicate(b"\n", timeout=SOON)
    assert process.returncode == 0


def test_an_interrupt_after_the_end_has_no_effect() -> None:
    with Hostile(one_after_another(GOOD)) as server, open_client(server.url) as endpoint:
        endpoint.get(PAGE)
    endpoint.interrupt()
