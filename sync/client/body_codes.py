"""PURE. Classify a response by its HTTP status and body code; the worse of the two decides.

The API sends 455 (maintenance) and even 401 in the body of an HTTP 200, so the status alone is not enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.catalog.run_record import BY_CODE
from sync.client.envelope import Envelope, read_envelope
from sync.client.retry_after import retry_after
from sync.errors import AccessDenied, Deferred, InvalidResponse, Maintenance, NoSuchPage, NotFound, SyncError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime


OK, NOT_FOUND, REQUEST_TIMEOUT, RATE_LIMITED, MAINTENANCE = 200, 404, 408, 429, 455
_NOT_MODIFIED, _REDIRECTS = 304, range(300, 400)
_REFUSALS = {
    401: "The API key was refused (401).",
    402: "The account has insufficient credits (402).",
    403: "Access was refused (403).",
    505: "The template catalog is disabled for this account (505).",
}
_STOPS = {
    NOT_FOUND: "There is no template catalog at this address (404).",
    422: "The endpoint refused the request's parameters (422).",
}
_DEFERRALS = {MAINTENANCE: "The catalog is under maintenance (455).", RATE_LIMITED: "The rate limit was exceeded (429)."}


def classify_response(
    status: int, headers: Mapping[str, str], body: bytes, now: datetime, redact: Callable[[str], str] = str
) -> tuple[int, Envelope | SyncError]:
    """Return the worse of HTTP status and body code, and the envelope or an error.

    Args:
        status: HTTP status.
        headers: values by lower-case name.
        body: decompressed; empty if it could not be decompressed.
        now: the time, for a Retry-After that is a date.
        redact: removes secrets from the server's message.
    """
    try:
        envelope = read_envelope(body, redact)
    except InvalidResponse as error:
        if status == OK:
            return status, _not_the_catalog(error, headers.get("content-type", ""))
        envelope, own = Envelope(status, "", None, None), False
    else:
        own = True
    code = max(status, envelope.code, key=_severity)
    if code == OK:
        if envelope.records is None:
            return code, InvalidResponse("The response reports success but has no list of templates.", code="not-envelope")
        return code, envelope
    if code in _STOPS and envelope.records:
        return code, InvalidResponse(f"The response has code {code} but contains templates.", code="contradiction")
    if code == NOT_FOUND:
        text = _STOPS[code] + _message(envelope.message)
        return code, NotFound(text, hint=BY_CODE[str(code)].action, envelope=envelope if own else None)
    return code, _error(code, envelope.message, retry_after(headers.get("retry-after"), now))


def _severity(code: int) -> int:
    """Rank a code: access denied, then undocumented codes, then maintenance, rate limits and server errors.

    404 and 422 rank lowest among errors, because they may mean that a template or page does not exist.
    """
    order = {OK: 0, 404: 1, 422: 2, RATE_LIMITED: 4, MAINTENANCE: 5, **dict.fromkeys(_REFUSALS, 7)}
    return order.get(code, 3 if _may_pass(code) else 6)


def _may_pass(code: int) -> bool:
    return code == REQUEST_TIMEOUT or 500 <= code < 600  # noqa: PLR2004 - server errors of RFC 9110


def _error(code: int, message: str, after: float | None) -> SyncError:
    suffix = _message(message)
    if code in _REFUSALS:
        return AccessDenied(_REFUSALS[code] + suffix, hint=BY_CODE[str(code)].action, code=str(code))
    if code in _STOPS:
        return NoSuchPage(_STOPS[code] + suffix, hint=BY_CODE[str(code)].action)
    if code in _DEFERRALS or (_may_pass(code) and after is not None):
        wait = f" Retry after {after:.0f} s." if after is not None else ""
        hint = "Nothing was changed; the next run retries."
        kind = Maintenance if code == MAINTENANCE else Deferred
        text = _DEFERRALS.get(code, f"The server failed ({code}).")
        return kind(f"{text}{wait}{suffix}", hint=hint, code=str(code), after=after)
    if _may_pass(code):
        return Unreachable(f"The server failed ({code}).{suffix}", hint="The next run retries.", code=str(code))
    text, hint = f"The response has an undocumented code ({code}).", ""
    if code == _NOT_MODIFIED:
        text = f"The response has an unexpected status ({code}): no request was conditional."
    elif code in _REDIRECTS:
        text = (
            f"The server redirects to another URL ({code}); redirects are not followed, because the API key is sent to the "
            "configured origin only."
        )
        suffix, hint = "", "Set CRUN_BASE_URL to the origin that serves the API."
    return InvalidResponse(text + suffix, hint=hint, code=str(code))


def _message(message: str) -> str:
    return f" Message: {message}" if message else ""


def _not_the_catalog(error: InvalidResponse, content_type: str) -> InvalidResponse:
    if "html" in content_type:
        return InvalidResponse(
            "The response is a web page, not the catalog.",
            hint="Check CRUN_BASE_URL; a login page or a proxy may intercept the request.", code="html",
        )  # fmt: skip
    error.hint = "Check CRUN_BASE_URL; if it is right, the API may have changed."
    return error
