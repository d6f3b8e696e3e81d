"""The classification of a response by HTTP status and body code, with the messages and hints."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from sync.catalog.run_record import BY_CODE
from sync.client.response import Envelope, classify_response
from sync.errors import AccessDenied, Deferred, InvalidResponse, Maintenance, NoSuchPage, NotFound, SyncError, Unreachable
from tests.builders import record
from tests.hostile import failure, success

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEXT_RUN = "Nothing was changed; the next run retries."


def judged(status: int, body: bytes, /, **headers: str) -> tuple[int, Any]:
    return classify_response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, NOW)


def told(status: int, body: bytes = b"", /, **headers: str) -> tuple[type[SyncError], str, str, str]:
    """Return the class, code, message and hint of an error."""
    _, error = judged(status, body, **headers)
    assert isinstance(error, SyncError)
    return type(error), str(error.code), str(error), str(error.hint)


@pytest.mark.parametrize(
    ("status", "kind", "code", "sentence", "hint"),
    [
        (401, AccessDenied, "401", "The API key was refused (401).", BY_CODE["401"].action),
        (402, AccessDenied, "402", "The account has insufficient credits (402).", BY_CODE["402"].action),
        (403, AccessDenied, "403", "Access was refused (403).", BY_CODE["403"].action),
        (505, AccessDenied, "505", "The template catalog is disabled for this account (505).", BY_CODE["505"].action),
        (404, NotFound, "404", "There is no template catalog at this address (404).", BY_CODE["404"].action),
        (422, NoSuchPage, "422", "The endpoint refused the request's parameters (422).", BY_CODE["422"].action),
        (455, Maintenance, "455", "The catalog is under maintenance (455).", NEXT_RUN),
        (429, Deferred, "429", "The rate limit was exceeded (429).", NEXT_RUN),
        (408, Unreachable, "408", "The server failed (408).", "The next run retries."),
        (500, Unreachable, "500", "The server failed (500).", "The next run retries."),
        (599, Unreachable, "599", "The server failed (599).", "The next run retries."),
        (299, InvalidResponse, "299", "The response has an undocumented code (299).", ""),
        (304, InvalidResponse, "304", "The response has an unexpected status (304): no request was conditional.", ""),
        (400, InvalidResponse, "400", "The response has an undocumented code (400).", ""),
        (600, InvalidResponse, "600", "The response has an undocumented code (600).", ""),
    ],
)
def test_an_error_says_what_the_code_means_and_what_to_do(
    status: int, kind: type[SyncError], code: str, sentence: str, hint: str
) -> None:
    assert told(status, b"") == (kind, code, sentence, hint)
    kind_, code_, sentence_, hint_ = told(200, failure(status, message="Sorry.").body)
    assert (kind_, code_, sentence_, hint_) == (kind, code, f"{sentence} Message: Sorry.", hint)


@pytest.mark.parametrize("status", [300, 301, 399])
def test_the_error_of_a_redirect_names_the_setting_to_change(status: int) -> None:
    sentence = (
        f"The server redirects to another URL ({status}); redirects are not followed, because the API key is sent to the "
        "configured origin only."
    )
    assert told(status) == (InvalidResponse, str(status), sentence, "Set CRUN_BASE_URL to the origin that serves the API.")


def test_the_error_contains_the_seconds_of_retry_after() -> None:
    kind, _, sentence, hint = told(503, retry_after="7")
    assert (kind, sentence, hint) == (Deferred, "The server failed (503). Retry after 7 s.", NEXT_RUN)
    assert told(455, retry_after="7")[2] == "The catalog is under maintenance (455). Retry after 7 s."
    assert told(418, retry_after="7")[0] is InvalidResponse


ORDER = [200, 404, 422, 500, 429, 455, 418, 401]
"""In the order of severity."""


@pytest.mark.parametrize(("milder", "worse"), list(pairwise(ORDER)))
def test_the_worse_of_status_and_body_code_decides(milder: int, worse: int) -> None:
    assert judged(milder, failure(worse).body)[0] == judged(worse, failure(milder).body)[0] == worse


def test_a_success_has_a_list_of_templates() -> None:
    code, envelope = judged(200, success([record()]).body)
    assert (code, isinstance(envelope, Envelope), len(envelope.records)) == (200, True, 1)
    assert told(200, b'{"code": 200, "data": {}}')[:3] == (
        InvalidResponse, "not-envelope", "The response reports success but has no list of templates.",
    )  # fmt: skip


@pytest.mark.parametrize("code", [404, 422])
def test_a_404_that_contains_templates_is_invalid(code: int) -> None:
    assert told(code, success([record()]).body)[:3] == (
        InvalidResponse, "contradiction", f"The response has code {code} but contains templates.",
    )  # fmt: skip


def test_only_a_404_in_the_envelope_of_the_api_has_an_envelope() -> None:
    """A 404 page of a proxy must not count as evidence that a template is gone."""
    own, proxys = judged(404, failure(404, message="gone").body)[1], judged(404, b"<html>")[1]
    assert (own.envelope.message, proxys.envelope) == ("gone", None)


def test_a_response_of_another_service_names_the_setting_to_check() -> None:
    page = "Check CRUN_BASE_URL; a login page or a proxy may intercept the request."
    assert told(200, b"<html>", content_type="text/html")[1:] == ("html", "The response is a web page, not the catalog.", page)
    assert told(200, b"?")[3] == "Check CRUN_BASE_URL; if it is right, the API may have changed."
    assert told(200, b"?", content_type="application/json")[1] == "not-json"
