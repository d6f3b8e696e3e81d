"""One question to the endpoint: what is asked again, what is given up, and what a hostile server cannot do."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from sync import fetch
from sync.decode import retry_after
from sync.errors import BadAnswer, DeadlineExceeded, Deferred, Interrupted, Refused, SyncError, Unreachable
from sync.fetch import Endpoint, Pace
from tests.builders import HASTY, make_settings, record
from tests.hostile import (
    GARBAGE,
    NO_REPLY,
    RESET,
    Hostile,
    Reply,
    as_json,
    bomb,
    chunked,
    failure,
    html,
    one_after_another,
    redirect,
    success,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.decode import Envelope

KEY = "ak_TheKeyThatMustGoNowhereElse00000"
RECORD = record("1", ConsumeItems=[])
GOOD = success([RECORD])
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def asking(url: str, **settings: Any) -> Iterator[Endpoint]:
    patience = settings.pop("patience", HASTY)
    with Endpoint(make_settings(url, **settings), KEY, patience=patience, chance=lambda: 0.5) as endpoint:
        yield endpoint


def ask(server: Hostile, **settings: Any) -> Envelope:
    with asking(server.url, **settings) as endpoint:
        return endpoint.run(endpoint.ask(page=1, page_size=50))


def error_of(*replies: Reply, **settings: Any) -> tuple[SyncError, int]:
    """Ask a server that gives these replies; give the error, and how many requests it took."""
    with Hostile(one_after_another(*replies)) as server:
        with pytest.raises(SyncError) as caught:
            ask(server, **settings)
        return caught.value, len(server.requests)


# What is asked again ----------------------------------------------------------------------------------------------------

PASSING = {
    "body code 429": failure(429),
    "body code 500": failure(500),
    "body code 501": failure(501),
    "body code 599": failure(599),
    "HTTP 408": html(408),
    "HTTP 429": html(429),
    "HTTP 500": html(500),
    "HTTP 502": html(502),
    "HTTP 503": html(503),
    "HTTP 504": html(504),
    "HTTP 500 over body code 200": replace(GOOD, status=500),
    "no reply": NO_REPLY,
    "a reset connection": RESET,
    "garbage": GARBAGE,
    "a body shorter than its length": replace(GOOD, cut=300),
    "a broken chunk": chunked(GOOD.body, end=b"zzz\r\n"),
    "missing chunks": chunked(GOOD.body, end=b""),
    "a truncated body without a length": replace(GOOD, length=-1, cut=300),
    "half a gzip": replace(zipped(GOOD), body=zipped(GOOD).body[:-20]),
    "damaged gzip": replace(GOOD, headers=(("content-encoding", "gzip"),)),
    "200 KB of headers": replace(GOOD, headers=(("x-filler", "x" * 200_000),)),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_asked_again_and_then_believed(reply: Reply) -> None:
    with Hostile(one_after_another(reply, reply, GOOD)) as server:
        envelope = ask(server)
        assert len(server.requests) == 3
    assert envelope.records == [RECORD]


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_what_does_not_pass_is_given_up_after_so_many_attempts(reply: Reply) -> None:
    error, requests = error_of(reply)
    assert requests == HASTY.attempts
    assert error.exit_code == (76 if error.code == "not-json" else 75)


FATAL = {
    "401": (failure(401), Refused, "401", 77),
    "402": (failure(402), Refused, "402", 77),
    "403": (html(403), Refused, "403", 77),
    "505": (failure(505), Refused, "505", 77),
    "404": (failure(404), BadAnswer, "404", 76),
    "422": (failure(422), BadAnswer, "422", 76),
    "HTTP 404": (html(404), BadAnswer, "404", 76),
    "a redirect": (redirect("https://elsewhere.example/"), BadAnswer, "302", 76),
    "an unknown code": (failure(299), BadAnswer, "299", 76),
    "an absurd code": (failure(10**40), BadAnswer, "not-envelope", 76),
    "a code in words": (as_json({"code": "200"}), BadAnswer, "not-envelope", 76),
    "a code that is true": (as_json({"code": True}), BadAnswer, "not-envelope", 76),
    "no code": (as_json({"status": "ok"}), BadAnswer, "not-envelope", 76),
    "a list": (as_json([1]), BadAnswer, "not-envelope", 76),
    "two codes": (Reply(b'{"code": 401, "code": 200, "data": {"total": 0, "templates": []}}'), BadAnswer, "not-envelope", 76),
    "success without templates": (as_json({"code": 200, "data": {}}), BadAnswer, "not-envelope", 76),
    "HTML": (html(), BadAnswer, "html", 76),
    "a HTTP status of 204": (Reply(status=204, length=-1), BadAnswer, "204", 76),
    "brotli": (zipped(GOOD, encoding="br"), BadAnswer, "encoding", 76),
    "gzip in gzip": (zipped(GOOD, 2, encoding="gzip, gzip"), BadAnswer, "encoding", 76),
    "something after the gzip": (replace(zipped(GOOD), body=zipped(GOOD).body + b" " * 300_000), BadAnswer, "encoding", 76),
}


@pytest.mark.parametrize(("reply", "kind", "code", "exit_code"), FATAL.values(), ids=FATAL)
def test_what_does_not_pass_by_itself_ends_at_once_and_is_named(
    reply: Reply, kind: type[SyncError], code: str, exit_code: int
) -> None:
    error, requests = error_of(reply)
    assert (type(error), error.code, error.exit_code, requests) == (kind, code, exit_code, 1)


def test_gzip_in_gzip_that_calls_itself_gzip_is_no_json() -> None:
    error, _ = error_of(zipped(GOOD, 2))
    assert error.code == "not-json"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (failure(455, status=500), "455"),
        (failure(401, status=503), "401"),
        (failure(500, status=401), "401"),
        (failure(429, status=503), "429"),
        (failure(500, status=404), "500"),
        (failure(404, status=500), "500"),
        (failure(404, status=404), "404"),
        (success([], status=404), "404"),
        (success([record("1")], status=404), "contradiction"),
        (as_json({"code": 404, "data": {"total": 1, "templates": [record("1")]}}), "contradiction"),
        (zipped(html(401), encoding="br"), "401"),
        (failure(200, status=299), "299"),
    ],
)
def test_status_and_body_code_are_both_judged_and_the_worse_one_wins(reply: Reply, code: str) -> None:
    assert error_of(reply)[0].code == code


def test_what_the_server_said_is_shown_without_its_control_characters_and_cut() -> None:
    error, _ = error_of(as_json({"code": 401, "message": "\x1b[2Jno\x00", "errors": ["\ud800", 7, "x" * 10_000]}))
    assert "\\x1b[2Jno\\x00; \\ud800; xxx" in str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf" + GOOD.body, b"\n " + GOOD.body + b"\n"], ids=["a BOM", "blank space"])
def test_harmless_oddities_of_a_body_are_read(body: bytes) -> None:
    with Hostile(one_after_another(Reply(body))) as server:
        assert ask(server).records == [RECORD]


def test_a_body_without_a_length_ends_where_the_connection_ends() -> None:
    with Hostile(one_after_another(replace(GOOD, length=-1, end="close"))) as server:
        assert ask(server).records == [RECORD]


def test_gzip_as_asked_for_is_read() -> None:
    with Hostile(one_after_another(zipped(GOOD))) as server:
        assert ask(server).records == [RECORD]
        assert server.requests[0].headers["accept-encoding"] == "gzip"


def test_a_list_written_as_null_is_an_empty_one() -> None:
    with Hostile(one_after_another(as_json({"code": 200, "data": {"total": 0, "templates": None}}))) as server:
        assert ask(server).records == []


# Waiting as asked -------------------------------------------------------------------------------------------------------


def test_455_is_deferred_at_once_and_says_when_to_come_back() -> None:
    error, requests = error_of(failure(455, headers=(("retry-after", "0"),)))
    assert isinstance(error, Deferred)
    assert (error.code, error.after, error.exit_code, requests) == ("455", 0.0, 75, 1)


def test_a_short_retry_after_is_waited_out() -> None:
    patience = replace(HASTY, longest_asked=2.0)
    with Hostile(one_after_another(failure(429, headers=(("retry-after", "1"),)), GOOD)) as server:
        ask(server, patience=patience)
        first, second = (request.at for request in server.requests)
    assert second - first >= 1.0


@pytest.mark.parametrize("code", [429, 503])
def test_a_long_retry_after_ends_the_run_as_deferred(code: int) -> None:
    error, requests = error_of(failure(code, headers=(("retry-after", "3600"),)))
    assert isinstance(error, Deferred)
    assert (error.code, error.after, requests) == (str(code), 3600.0, 1)


def test_a_retry_after_longer_than_the_run_has_left_is_not_waited_out() -> None:
    error, requests = error_of(
        failure(429, headers=(("retry-after", "30"),)), patience=replace(HASTY, longest_asked=60), deadline=9
    )
    assert isinstance(error, Deferred)
    assert (error.after, requests) == (30.0, 1)


def test_a_retry_after_as_a_date_is_understood() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    error, _ = error_of(failure(429, headers=(("retry-after", soon),)))
    assert isinstance(error, Deferred)
    assert error.after is not None
    assert 3590 < error.after <= 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("9" * 5000, 999_999_999.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 00:01:00", 60.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Fri, 01 Jan 2026 00:00:00 +999999999", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_is_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_backoff_doubles_with_jitter_and_stays_under_its_longest() -> None:
    with asking("http://127.0.0.1:9", patience=replace(HASTY, attempts=9, first_pause=1.0, longest_pause=5.0)) as endpoint:
        pauses = [endpoint._pause(Unreachable("no"), attempt) for attempt in range(1, 10)]
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0, None]


# Deadlines and stops ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 150], ids=["head", "body"])
def test_a_byte_a_second_does_not_outlive_the_deadline(start: int) -> None:
    with Hostile(one_after_another(replace(GOOD, pause=1.0, drip_from=start))) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="SYNC_DEADLINE"):
            ask(server, deadline=1.0, patience=replace(HASTY, request=60, read=20))
        assert 0.9 < time.monotonic() - began < 2.5


def test_a_byte_now_and_then_does_not_outlive_the_request_either() -> None:
    with Hostile(one_after_another(replace(GOOD, pause=0.1), GOOD)) as server:
        ask(server, patience=replace(HASTY, request=0.4))
        assert len(server.requests) == 2


def test_a_server_that_says_nothing_is_given_up_as_unreachable() -> None:
    error, requests = error_of(replace(GOOD, hold=9), patience=replace(HASTY, read=0.1, attempts=2))
    assert isinstance(error, Unreachable)
    assert (requests, "no answer within the time allowed" in str(error)) == (2, True)


def test_another_thread_interrupts_what_is_being_asked() -> None:
    with Hostile(one_after_another(replace(GOOD, hold=30))) as server, asking(server.url) as endpoint:
        threading.Timer(0.2, endpoint.interrupt).start()
        began = time.monotonic()
        with pytest.raises(Interrupted):
            endpoint.run(endpoint.ask(page=1, page_size=50))
        assert time.monotonic() - began < 2
        with pytest.raises(Interrupted):
            endpoint.run(endpoint.ask(page=1, page_size=50))
        assert len(server.requests) == 1


def test_an_interruption_after_the_end_does_no_harm() -> None:
    with Hostile(one_after_another(GOOD)) as server, asking(server.url) as endpoint:
        endpoint.run(endpoint.ask(page=1, page_size=50))
    endpoint.interrupt()


# Where the key goes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_the_key_never_reaches_the_other_origin(status: int) -> None:
    with Hostile(one_after_another(GOOD)) as other:
        error, requests = error_of(redirect(f"{other.url}/api/v1/client/job/bytedance-templates", status))
        assert (other.requests, other.connections, requests) == ([], 0, 1)
    assert (type(error), error.code, error.exit_code) == (BadAnswer, str(status), 76)


@pytest.mark.parametrize(
    "target", ["mailto:x@y", "http://[::1", "javascript:alert(1)", "//", "http://a:99999999/", "/" + "a" * 70000, "\xff\xfe"]
)
def test_a_redirect_to_an_odd_place_is_an_error_like_any_other(target: str) -> None:
    error, requests = error_of(redirect(target))
    assert (error.code, requests) == ("302", 1)


def test_no_cookie_is_kept() -> None:
    with Hostile(one_after_another(replace(failure(500), headers=(("set-cookie", "track=me; Path=/"),)), GOOD)) as server:
        ask(server)
        assert [request.headers.get("cookie") for request in server.requests] == [None, None]


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(one_after_another(GOOD)) as proxy, Hostile(one_after_another(GOOD)) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        ask(server)
        assert (proxy.connections, len(server.requests)) == (0, 1)


def test_a_proxy_of_the_settings_is_asked() -> None:
    with Hostile(one_after_another(GOOD)) as proxy, asking("http://127.0.0.1:9", proxy=proxy.url) as endpoint:
        assert endpoint.run(endpoint.ask(page=1, page_size=50)).records == [RECORD]


def test_the_key_is_in_one_header_and_in_no_error() -> None:
    with Hostile(one_after_another(failure(401))) as server:
        with pytest.raises(Refused) as caught:
            ask(server)
        request = server.requests[0]
    assert [name for name, value in request.headers.items() if KEY in value] == ["x-api-key"]
    assert KEY not in f"{request.path}{request.query}{caught.value}{caught.value.hint}"


def test_a_name_that_no_resolver_takes_is_unreachable() -> None:
    with asking(f"https://{'a' * 70}.example") as endpoint, pytest.raises(Unreachable):
        endpoint.run(endpoint.ask(page=1, page_size=50))


def test_a_server_that_does_not_speak_tls_is_not_told_the_key() -> None:
    once = replace(HASTY, attempts=1, connect=0.3)
    with Hostile(one_after_another(GARBAGE)) as server, asking(server.url.replace("http:", "https:"), patience=once) as endpoint:
        with pytest.raises(Unreachable):
            endpoint.run(endpoint.ask(page=1, page_size=50))
        assert server.requests == []


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with asking(f"http://127.0.0.1:{port}") as endpoint:
        with pytest.raises(Unreachable, match="the connection was refused"):
            endpoint.run(endpoint.ask(page=1, page_size=50))
        assert (endpoint.tally.requests, endpoint.tally.retries, endpoint.tally.by_code) == (3, 2, {0: 3})


# Bounds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "code"), [(bomb(300), "too-large"), (bomb(300, times=2), "not-json")], ids=["bomb", "nested"])
def test_a_bomb_of_300_mib_takes_no_more_than_the_limit(reply: Reply, code: str) -> None:
    with Hostile(one_after_another(reply)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(BadAnswer) as caught:
                ask(server)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 2 * fetch.BODY_LIMIT


def test_a_body_that_never_ends_is_cut_off_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BODY_LIMIT", 100_000)
    with Hostile(one_after_another(Reply(b" " * 20_000_000))) as server:
        with pytest.raises(BadAnswer) as caught:
            ask(server)
        assert len(server.requests) == 1
    assert caught.value.code == "too-large"


def test_all_answers_of_a_run_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RUN_LIMIT", 2 * len(GOOD.body))
    with Hostile(one_after_another(GOOD)) as server, asking(server.url) as endpoint:
        for _ in range(2):
            endpoint.run(endpoint.ask(page=1, page_size=50))
        with pytest.raises(BadAnswer, match="larger than any catalog"):
            endpoint.run(endpoint.ask(page=1, page_size=50))


def test_a_body_that_is_all_brackets_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "VALUES_LIMIT", 1000)
    error, requests = error_of(as_json({"code": 200, "data": {"total": 1, "templates": [[]] * 600}}))
    assert (error.code, requests) == ("too-large", 1)


def test_no_more_connections_than_allowed_are_open_at_once() -> None:
    with Hostile(lambda _: replace(GOOD, hold=0.05)) as server, asking(server.url, concurrency=3) as endpoint:

        async def many() -> None:
            await asyncio.gather(*(endpoint.ask(page=page, page_size=50) for page in range(1, 13)))

        endpoint.run(many())
        assert (server.most_at_once, server.connections) == (3, 3)


# The pace ---------------------------------------------------------------------------------------------------------------


def test_all_requests_together_keep_the_rate() -> None:
    with Hostile(one_after_another(GOOD)) as server, asking(server.url, rate=10.0, concurrency=8) as endpoint:

        async def many() -> None:
            await asyncio.gather(*(endpoint.ask(page=page, page_size=50) for page in range(1, 26)))

        began = time.monotonic()
        endpoint.run(many())
        # 25 requests at 10 a second: ten at once, ten a second later, five after another. A busy machine only makes it longer.
        assert time.monotonic() - began > 2.0
    assert len(server.requests) == 25


def begun(rate: float, requests: int, busy: float = 0.0) -> list[float]:
    """Give the moments at which requests begin, by a loop's clock that jumps instead of waiting."""

    async def all_of_them() -> list[float]:
        loop = asyncio.get_running_loop()
        clock = [0.0]
        loop.time = lambda: clock[0]  # type: ignore[method-assign]
        pace, moments = Pace(rate), []
        for number in range(requests):
            if len(pace._begun) == pace._burst:  # what `wait` is about to sleep
                clock[0] = max(clock[0], pace._begun[0] + pace._window)
            clock[0] += busy * (number == 1)
            await pace.wait()
            moments.append(round(clock[0], 6))
        return moments

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0, [0, 0, 0, 0, 0]),
        (2, [0, 0, 1.02, 1.02, 2.04]),
        (0.5, [0, 2.04, 4.08, 6.12, 8.16]),
        (2.5, [0, 0, 0.816, 0.816, 1.632]),
    ],
)
def test_the_pace_keeps_whole_bursts_apart(rate: float, expected: list[float]) -> None:
    assert begun(rate, 5) == expected


def test_the_pace_counts_from_when_a_request_really_began() -> None:
    assert begun(2, 4, busy=0.9) == [0, 0.9, 1.02, 1.92]


def test_requests_retries_and_bytes_are_counted() -> None:
    with Hostile(one_after_another(failure(500), GOOD)) as server, asking(server.url) as endpoint:
        endpoint.run(endpoint.ask(page=1, page_size=50))
        assert (endpoint.tally.requests, endpoint.tally.retries, endpoint.tally.by_code) == (2, 1, {500: 1, 200: 1})
        assert endpoint.tally.bytes == len(failure(500).body) + len(GOOD.body)


def test_a_deep_answer_is_read_in_linear_time() -> None:
    deep = b'{"code": 200, "x": ' + b"[" * 2000 + b'"' + b'\\"' * 500_000
    began = time.monotonic()
    error, _ = error_of(Reply(deep))
    assert (error.code, time.monotonic() - began < 3) == ("not-json", True)
