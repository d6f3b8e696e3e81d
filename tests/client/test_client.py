"""One request: which failures are retried, which are reported at once, and the waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.errors import AccessDenied, Deferred, InvalidResponse, NotFound, SyncError
from tests.builders import HASTY
from tests.client.sending import GOOD, WIRE, error_of, send_request
from tests.hostile import (
    GARBAGE,
    NO_REPLY,
    RESET,
    Hostile,
    Reply,
    as_json,
    chunked,
    failure,
    html,
    one_after_another,
    redirect,
    zipped,
)

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
    "a 404 whose body is cut off": failure(404, 404, cut=-5),
    "a 422 whose body is cut off": failure(422, 422, cut=-5),
    "a 503 whose body is cut off": failure(503, 503, cut=-5),
    "a broken chunk": chunked(GOOD.body, end=b"zzz\r\n"),
    "missing chunks": chunked(GOOD.body, end=b""),
    "a truncated body without a length": replace(GOOD, length=-1, cut=300),
    "half a gzip": replace(zipped(GOOD), body=zipped(GOOD).body[:-20]),
    "damaged gzip": replace(GOOD, headers=(("content-encoding", "gzip"),)),
    "200 KB of headers": replace(GOOD, headers=(("x-filler", "x" * 200_000),)),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_a_transient_failure_is_retried_and_then_succeeds(reply: Reply) -> None:
    with Hostile(one_after_another(reply, reply, GOOD)) as server:
        answer = send_request(server)
        assert len(server.requests) == 3
    assert answer.records == [WIRE]


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_a_permanent_outage_ends_after_the_last_attempt(reply: Reply) -> None:
    error, requests = error_of(reply)
    assert requests == HASTY.attempts
    assert error.exit_code == (76 if error.code == "not-json" else 75)


FATAL: dict[str, tuple[Reply, type[SyncError], str, int]] = {
    "401": (failure(401), AccessDenied, "401", 77),
    "404": (failure(404), NotFound, "404", 76),
    "a redirect": (redirect("https://elsewhere.example/"), InvalidResponse, "302", 76),
    "no envelope": (as_json({"status": "ok"}), InvalidResponse, "not-envelope", 76),
    "a HTTP status of 204": (Reply(status=204, length=-1), InvalidResponse, "204", 76),
    "brotli": (zipped(GOOD, encoding="br"), InvalidResponse, "encoding", 76),
    "401 whose page cannot be decompressed": (zipped(html(401), encoding="br"), AccessDenied, "401", 77),
    "401 whose page is cut off": (html(401, cut=-5), AccessDenied, "401", 77),
    "something after the gzip": (replace(zipped(GOOD), body=zipped(GOOD).body + b" " * 300_000), InvalidResponse, "encoding", 76),
}
"""`test_response` has the other codes, and `test_retry_after` the classes of errors that are not retried."""


@pytest.mark.parametrize(("reply", "kind", "code", "exit_code"), FATAL.values(), ids=FATAL)
def test_a_permanent_failure_is_not_retried(reply: Reply, kind: type[SyncError], code: str, exit_code: int) -> None:
    error, requests = error_of(reply)
    assert (type(error), error.code, error.exit_code, requests) == (kind, code, exit_code, 1)


def test_gzip_in_gzip_that_is_declared_as_gzip_is_not_json() -> None:
    error, _ = error_of(zipped(GOOD, 2))
    assert error.code == "not-json"


def test_a_gzip_response_is_decompressed() -> None:
    with Hostile(one_after_another(zipped(GOOD))) as server:
        assert send_request(server).records == [WIRE]
        assert server.requests[0].headers["accept-encoding"] == "gzip"


# Retry-After ------------------------------------------------------------------------------------------------------------


def test_455_is_deferred_without_a_retry_and_its_retry_after_is_reported() -> None:
    error, requests = error_of(failure(455, headers=(("retry-after", "0"),)))
    assert isinstance(error, Deferred)
    assert (error.code, error.after, error.exit_code, requests) == ("455", 0.0, 75, 1)


@pytest.mark.long
@pytest.mark.ci_slice
def test_a_short_retry_after_is_obeyed() -> None:
    retry_policy = replace(HASTY, longest_asked=2.0)
    with Hostile(one_after_another(failure(429, headers=(("retry-after", "1"),)), GOOD)) as server:
        send_request(server, retry_policy=retry_policy)
        first, second = (request.at for request in server.requests)
    assert second - first >= 1.0


@pytest.mark.parametrize("cut_off", [False, True])
@pytest.mark.parametrize("code", [429, 503])
def test_a_long_retry_after_ends_the_run_as_deferred(code: int, cut_off: bool) -> None:  # noqa: FBT001
    reply = failure(code, headers=(("retry-after", "3600"),))
    error, requests = error_of(replace(reply, status=code, cut=-5) if cut_off else reply)
    assert isinstance(error, Deferred)
    assert (error.code, error.after, requests) == (str(code), 3600.0, 1)


def test_a_retry_after_beyond_the_deadline_ends_the_run() -> None:
    error, requests = error_of(
        failure(429, headers=(("retry-after", "30"),)), retry_policy=replace(HASTY, longest_asked=60), deadline=9
    )
    assert isinstance(error, Deferred)
    assert (error.after, requests) == (30.0, 1)
