"""PURE. What an answer means: HTTP status and body code are both judged, and the worse one wins.

The vendor's service says 455 (maintenance) and even 401 inside an HTTP 200, so the status alone proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.decode import Envelope, read_envelope, retry_after
from sync.errors import BadAnswer, Deferred, Refused, SyncError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

OK = 200
MAINTENANCE, RATE_LIMITED = 455, 429
_REFUSALS = {
    401: ("The API key was refused (401).", "Check CRUN_API_KEY; the key management page shows the valid ones."),
    402: ("The account has not enough credits (402).", "Top the account up, then run again."),
    403: ("Access was refused (403).", "Check CRUN_API_KEY and what the account may use."),
    505: ("The template catalog is disabled for this account (505).", "Ask Crun's support to enable it."),
}
_STOPS = {
    404: ("There is no template catalog at this address (404).", "Check CRUN_BASE_URL; the default is https://api.crun.ai."),
    422: ("The endpoint refused the request's parameters (422).", "Its interface may have changed; look for a newer version."),
}
_ASKS = {MAINTENANCE: "The catalog is under maintenance (455).", RATE_LIMITED: "The catalog asks for fewer requests (429)."}
_RETRIED = frozenset({408, 500, 501, 502, 503, 504})  # and the rest of the 5xx but 505


def judge(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> tuple[int, Envelope | SyncError]:
    """Judge an answer.

    Args:
        status: of HTTP.
        headers: by lower-case name.
        body: decompressed; empty where it could not be read.
        now: the time, for a Retry-After that is a date.

    Returns:
        The worse of the two codes, and the envelope, or the error that the answer stands for.
    """
    try:
        envelope = read_envelope(body)
    except BadAnswer as error:
        if status == OK:
            return status, _not_the_catalog(error, headers.get("content-type", ""))
        envelope = Envelope(status, "", None, None)
    code = max(status, envelope.code, key=_severity)
    if code == OK:
        if envelope.records is None:
            return code, BadAnswer("The answer says success but holds no list of templates.", code="not-envelope")
        return code, envelope
    if code in _STOPS and envelope.records:
        return code, BadAnswer(f"The answer says {code} and holds templates nevertheless.", code="contradiction")
    return code, _error(code, envelope.message, retry_after(headers.get("retry-after"), now))


def _severity(code: int) -> int:
    """Rank a code by how much it rules out: what a person must mend, then nonsense, then waiting, then trying again.

    404 and 422 come last: they say "not there" and "no such page", which an answer must not say that is an error as well.
    """
    order = {OK: 0, 404: 1, 422: 2, RATE_LIMITED: 4, MAINTENANCE: 5, **dict.fromkeys(_REFUSALS, 7)}
    return order.get(code, 3 if _may_pass(code) else 6)


def _may_pass(code: int) -> bool:
    return code in _RETRIED or 500 <= code < 600  # noqa: PLR2004 - the class of codes that RFC 9110 calls server errors


def _error(code: int, message: str, after: float | None) -> SyncError:
    said = f" It said: {message}" if message else ""
    if code in _REFUSALS:
        sentence, hint = _REFUSALS[code]
        return Refused(sentence + said, hint=hint, code=str(code))
    if code in _STOPS:
        sentence, hint = _STOPS[code]
        return BadAnswer(sentence + said, hint=hint, code=str(code))
    if code in _ASKS or (_may_pass(code) and after is not None):
        wait = f" It asks to come back in {after:.0f} s." if after is not None else ""
        hint = "Nothing is wrong here and nothing was changed; the next run tries again."
        return Deferred(f"{_ASKS.get(code, f'The server failed ({code}).')}{wait}{said}", hint=hint, code=str(code), after=after)
    if _may_pass(code):
        return Unreachable(f"The server failed ({code}).{said}", hint="The next run tries again.", code=str(code))
    return _undocumented(code, said)


def _undocumented(code: int, said: str) -> BadAnswer:
    if 300 <= code < 400:  # noqa: PLR2004 - redirects, likewise
        return BadAnswer(
            f"The server redirects elsewhere ({code}); redirects are not followed, the key is for the configured origin only.",
            hint="Set CRUN_BASE_URL to the origin that answers.", code=str(code),
        )  # fmt: skip
    return BadAnswer(f"The answer has a code that is not documented ({code}).{said}", code=str(code))


def _not_the_catalog(error: BadAnswer, content_type: str) -> BadAnswer:
    if "html" in content_type:
        return BadAnswer(
            "The answer is a web page, not the catalog.",
            hint="Check CRUN_BASE_URL; a login page or a proxy may be in the way.", code="html",
        )  # fmt: skip
    error.hint = "Check CRUN_BASE_URL; if it is right, the interface may have changed."
    return error
