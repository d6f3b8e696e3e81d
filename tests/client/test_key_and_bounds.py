"""A hostile server gets no key for another host and cannot exhaust memory; the rate limit."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
from dataclasses import replace

import pytest

from sync.client import api_client, response
from sync.client.api_client import ApiClient
from sync.client.network import RateLimiter
from sync.client.response import BODY_LIMIT
from sync.errors import AccessDenied, InvalidResponse, Unreachable
from tests.builders import HASTY, QUICK, make_settings
from tests.client.sending import GOOD, KEY, PAGE, RECORD, error_of, open_client, send_request
from tests.hostile import GARBAGE, Hostile, Reply, bomb, failure, one_after_another, redirect, success, zipped


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_the_key_never_reaches_the_other_origin(status: int) -> None:
    with Hostile(one_after_another(GOOD)) as other:
        error, requests = error_of(redirect(f"{other.url}/api/v1/client/job/bytedance-templates", status))
        assert (other.requests, other.connections, requests) == ([], 0, 1)
    assert (type(error), error.code, error.exit_code) == (InvalidResponse, str(status), 76)


@pytest.mark.parametrize(
    "target", ["mailto:x@y", "http://[::1", "javascript:alert(1)", "//", "http://a:99999999/", "/" + "a" * 70000, "\xff\xfe"]
)
def test_a_redirect_to_an_invalid_url_is_the_same_error(target: str) -> None:
    error, requests = error_of(redirect(target))
    assert (error.code, requests) == ("302", 1)


def test_no_cookie_is_kept() -> None:
    with Hostile(one_after_another(replace(failure(500), headers=(("set-cookie", "track=me; Path=/"),)), GOOD)) as server:
        send_request(server)
        assert [request.headers.get("cookie") for request in server.requests] == [None, None]


def test_the_key_is_in_one_header_and_in_no_error() -> None:
    with Hostile(one_after_another(failure(401))) as server:
        with pytest.raises(AccessDenied) as caught:
            send_request(server)
        request = server.requests[0]
    assert [name for name, value in request.headers.items() if KEY in value] == ["x-api-key"]
    assert KEY not in f"{request.path}{request.query}{caught.value}{caught.value.hint}"


def test_a_key_in_a_response_is_removed() -> None:
    quoting = success([{**RECORD, "Title": f"for {KEY}"}])
    refusing = failure(401, message=f"no such key: {KEY}")
    with Hostile(one_after_another(quoting, refusing)) as server, open_client(server.url) as endpoint:
        (raw,) = endpoint.get(PAGE).records or []
        assert json.loads(raw)["Title"] == "for [secret]"
        with pytest.raises(AccessDenied, match=r"no such key: \[secret\]"):
            endpoint.get(PAGE)


def test_the_beginning_of_a_key_at_the_end_of_a_truncated_message_is_removed() -> None:
    """Masked keys shorten the text, so that the truncated end is nearer to what is shown."""
    escaped = "".join(f"\\u{ord(char):04x}" for char in KEY)
    long = failure(401, message=(escaped * (10_000 // len(escaped) + 1))[: 10_000 - len(KEY) + 9] + KEY)
    with Hostile(one_after_another(long)) as server, open_client(server.url) as endpoint, pytest.raises(AccessDenied) as caught:
        endpoint.get(PAGE)
    assert KEY[:8] not in str(caught.value)
    assert "[secret]" in str(caught.value)


def test_a_message_may_contain_a_number_of_thousands_of_digits() -> None:
    refusing = one_after_another(failure(401, message=f"no: &#{'0' * 5000}65;"))
    with Hostile(refusing) as server, open_client(server.url) as endpoint, pytest.raises(AccessDenied, match="no: &#0000"):
        endpoint.get(PAGE)


def test_a_name_that_cannot_be_resolved_is_unreachable() -> None:
    """Settings reject such a name; the rules of a proxy or resolver may be stricter."""
    absurd = replace(make_settings(), base_url=f"https://{'a' * 70}.example")
    with ApiClient(absurd, KEY, retry_policy=HASTY) as endpoint, pytest.raises(Unreachable):
        endpoint.get(PAGE)


def test_the_key_is_not_sent_to_a_server_without_tls() -> None:
    once = {"retry_policy": replace(HASTY, attempts=1), "timeouts": replace(QUICK, connect=0.3)}
    with Hostile(one_after_another(GARBAGE)) as server, open_client(server.url.replace("http:", "https:"), **once) as endpoint:
        with pytest.raises(Unreachable):
            endpoint.get(PAGE)
        assert server.requests == []


def test_a_closed_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open_client(f"http://127.0.0.1:{port}") as endpoint:
        with pytest.raises(Unreachable, match="the connection was refused"):
            endpoint.get(PAGE)
        assert (endpoint.statistics.requests, endpoint.statistics.retries, endpoint.statistics.by_code) == (3, 2, {0: 3})


# Bounds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "code"), [
    pytest.param(1, "too-large", id="bomb", marks=pytest.mark.ci_slice),
    pytest.param(2, "not-json", id="nested", marks=pytest.mark.long),
])  # fmt: skip
def test_a_decompression_bomb_of_300_mib_takes_no_more_memory_than_the_limit(times: int, code: str) -> None:
    with Hostile(one_after_another(bomb(300, times))) as server:
        tracemalloc.start()
        try:
            with pytest.raises(InvalidResponse) as caught:
                send_request(server)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 2 * BODY_LIMIT


def test_a_body_that_never_ends_is_cut_off_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (response, api_client):
        monkeypatch.setattr(module, "BODY_LIMIT", 100_000)
    with Hostile(one_after_another(Reply(b" " * 20_000_000))) as server:
        with pytest.raises(InvalidResponse) as caught:
            send_request(server)
        assert len(server.requests) == 1
    assert caught.value.code == "too-large"


def test_the_responses_of_a_run_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "RUN_LIMIT", 2 * len(GOOD.body))
    with Hostile(one_after_another(GOOD)) as server, open_client(server.url) as endpoint:
        for _ in range(2):
            endpoint.get(PAGE)
        with pytest.raises(InvalidResponse, match="larger than any catalog"):
            endpoint.get(PAGE)


def test_the_number_of_concurrent_connections_is_limited() -> None:
    with Hostile(lambda _: replace(GOOD, hold=0.05)) as server, open_client(server.url, concurrency=3) as endpoint:
        answers = list(endpoint.get_many({"page": page, "page_size": 50} for page in range(1, 13)))
        assert sorted(int(params["page"]) for params, _ in answers) == list(range(1, 13))
        assert (server.most_at_once, server.connections) == (3, 3)


# The rate limit ---------------------------------------------------------------------------------------------------------------


@pytest.mark.ci_slice
def test_all_requests_together_obey_the_rate_limit() -> None:
    with Hostile(one_after_another(GOOD)) as server, open_client(server.url, rate=10.0, concurrency=8) as endpoint:
        began = time.monotonic()
        assert len(list(endpoint.get_many({"page": page, "page_size": 50} for page in range(1, 26)))) == 25
        # 25 requests at 10 a second: ten at once, ten a second later, five after another. A busy machine only makes it longer.
        assert time.monotonic() - began > 2.0
    assert len(server.requests) == 25


def begun(rate: float, requests: int, busy: float = 0.0) -> list[float]:
    """Return the times at which requests begin, by a clock that jumps instead of waiting.

    `busy` is how long the second request has to wait for a processor after its turn has come.
    """
    now = 0.0
    moments: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    limiter = RateLimiter(rate, clock=lambda: now)
    for number in range(requests):
        now += busy * (number == 1)
        limiter.wait(sleep)
        moments.append(round(now, 6))
    return moments


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0, [0, 0, 0, 0, 0]), (2, [0, 0, 1.02, 1.02, 2.04]), (0.5, [0, 2.04, 4.08, 6.12, 8.16]), (2.5, [0, 0, 0.816, 0.816, 1.632])],
)
def test_the_rate_limit_separates_whole_bursts(rate: float, expected: list[float]) -> None:
    assert begun(rate, 5) == expected


def test_the_rate_limit_counts_from_the_actual_start_of_a_request() -> None:
    assert begun(2, 4, busy=0.9) == [0, 0.9, 1.02, 1.92]


def test_a_response_that_cannot_be_decompressed_is_counted_with_its_status() -> None:
    whole = zipped(GOOD)
    with Hostile(one_after_another(replace(whole, body=whole.body[:-1]), whole)) as server, open_client(server.url) as endpoint:
        endpoint.get(PAGE)
        assert (endpoint.statistics.requests, endpoint.statistics.by_code) == (2, {200: 2})


def test_requests_retries_and_bytes_are_counted() -> None:
    with Hostile(one_after_another(failure(500), GOOD)) as server, open_client(server.url) as endpoint:
        endpoint.get(PAGE)
        counted = endpoint.statistics
        assert (counted.requests, counted.retries, counted.by_code) == (2, 1, {500: 1, 200: 1})
        assert counted.bytes == len(failure(500).body) + len(GOOD.body)
