"""PURE. Read a response: bounded decompression, the documented envelope, whose records stay bytes, and the code that decides.

The API sends 455 (maintenance) and even 401 in the body of an HTTP 200, so the worse of HTTP status and body code decides.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sync.catalog.fields import DEEPEST_RECORD
from sync.catalog.json_values import exact_number, parse_json, write_json
from sync.catalog.run_record import BY_CODE
from sync.errors import AccessDenied, Deferred, InvalidResponse, Maintenance, NoSuchPage, NotFound, SyncError, Unreachable
from sync.retry_policy import retry_after
from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime


BODY_LIMIT = 16 * 2**20
"""Bytes of one body, as sent and after decompression. A page of 50 records takes 50 kB, of the largest ones 13 MB."""
MOST_VALUES = 400_000
"""Approximate number of values in one body; a body of brackets takes fifty times its size when parsed."""
MOST_RECORDS = 10_000
"""Records in one response, for any page size; each costs memory, however small it is."""
_LEVELS_AROUND = 3
"""Levels around a record: the envelope, its `data`, the list."""
_MESSAGE_SHOWN = 200
_MESSAGE_READ = 10_000
_GZIP = {"gzip", "x-gzip"}
_MAGIC = b"\x1f\x8b"
_MOST_MEMBERS = 1000  # pigz writes 130 for 16 MiB
_PIECE = 4096  # bytes; small, so that the data before damage is read
_LARGEST_TOTAL = 10**12
_LARGEST_CODE = 10**9


def decompress(encoding: str, wire: bytes) -> tuple[bytes | bytearray, SyncError | None]:
    """Decompress a body as far as possible.

    Returns:
        The decompressed data, and an error if it is incomplete: InvalidResponse if it is larger than BODY_LIMIT or not compressed
        by one gzip; Unreachable if the compressed data is damaged or truncated.
    """
    coding = encoding.strip().lower()
    if coding not in {"identity", ""} | _GZIP:
        return wire, InvalidResponse("The response has a content encoding that was not requested.", code="encoding")
    if len(wire) > BODY_LIMIT:
        return wire, _too_large()
    if coding not in _GZIP:
        return wire, None
    body = bytearray()
    try:
        _gunzip(wire, body)
    except SyncError as error:
        return body, error  # not copied, because it may be large
    return bytes(body), None


def _gunzip(wire: bytes, body: bytearray) -> None:
    """Decompress the gzip members of a body (RFC 1952); append the data to `body`."""
    place = 0
    for _ in range(_MOST_MEMBERS):
        unzip = zlib.decompressobj(31)
        while not unzip.eof:
            if place >= len(wire):
                raise Unreachable("The response was incomplete.", code="gzip")
            piece = wire[place : place + _PIECE]
            try:
                body += unzip.decompress(piece, BODY_LIMIT + 1 - len(body))
            except zlib.error:
                raise Unreachable("The compressed response is corrupt.", code="gzip") from None
            if len(body) > BODY_LIMIT:
                raise _too_large()
            place += len(piece) - len(unzip.unused_data)
        if place >= len(wire):
            return
        if not wire.startswith(_MAGIC, place):
            raise InvalidResponse("The compressed response has trailing data.", code="encoding")
    raise _too_large()


def _too_large() -> InvalidResponse:
    return InvalidResponse(f"The response is larger than {BODY_LIMIT // 2**20} MiB.", code="too-large")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of a response.

    Attributes:
        code: the code of the body, which may differ from the HTTP status.
        message: the server's message, truncated to one line.
        total: the number of templates that the catalog reports; None if it is missing or not a plausible integer.
        records: the bytes of each record; None if there was no list.
        exact: whether `records` are the served bytes; False if the body had to be rewritten.
    """

    code: int
    message: str
    total: int | None
    records: list[bytes] | None
    exact: bool = True


class _Data(msgspec.Struct):
    total: Any = None
    templates: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


class _Body(msgspec.Struct):
    code: Any = None
    message: Any = None
    errors: Any = None
    data: _Data | None = None


_decode = msgspec.json.Decoder(_Body, float_hook=exact_number).decode


def read_envelope(body: bytes, redact: Callable[[str], str] = str) -> Envelope:
    """Parse a decompressed body; `redact` removes secrets from the server's message.

    Raises:
        InvalidResponse: it is not JSON, not the documented envelope, or has too many values.
    """
    if len(body) > MOST_VALUES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise InvalidResponse("The response is larger than any page of the catalog.", code="too-large")
    try:
        parsed, exact = _decode(body), True
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        parsed, exact = _parse_leniently(body), False
    if not isinstance(parsed.code, int) or isinstance(parsed.code, bool) or abs(parsed.code) >= _LARGEST_CODE:
        raise InvalidResponse("The response is JSON, but not in the documented form.", code="not-envelope")
    data = parsed.data or _Data()
    total = _total(data.total)
    records = data.templates
    if records is None and total is not None:
        records = []  # some languages write an empty list as null
    if isinstance(records, list) and len(records) > MOST_RECORDS:
        raise InvalidResponse("The response has more templates than any page of the catalog.", code="too-large")
    raw = [*map(bytes, records)] if isinstance(records, list) else None
    return Envelope(parsed.code, _message(parsed, redact), total, raw, exact)


def _parse_leniently(body: bytes) -> _Body:
    """Parse a body that msgspec rejects (half a surrogate pair, NaN, invalid UTF-8, a byte order mark, another shape).

    Serialise each record again, so that an invalid one is rejected alone.
    """
    try:
        value = parse_json(body, DEEPEST_RECORD + _LEVELS_AROUND)
    except (ValueError, RecursionError):
        raise InvalidResponse("The response is not JSON.", code="not-json") from None
    if not isinstance(value, dict):
        return _Body()
    data = value.get("data")
    data = data if isinstance(data, dict) else {}
    records = data.get("templates", msgspec.UNSET)
    if records is not None:
        records = [msgspec.Raw(write_json(record)) for record in records] if isinstance(records, list) else msgspec.UNSET
    return _Body(value.get("code"), value.get("message"), value.get("errors"), _Data(data.get("total"), records))


def _total(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_TOTAL else None


def _message(parsed: _Body, redact: Callable[[str], str]) -> str:
    parts = [parsed.message, *(parsed.errors if isinstance(parsed.errors, list) else ())]
    # Secrets are removed before the text is truncated, because the first half of a key would not be found.
    text = "; ".join(redact(part[:_MESSAGE_READ])[:_MESSAGE_SHOWN] for part in parts[:_MESSAGE_SHOWN] if isinstance(part, str))
    return escape_control_characters(text[:_MESSAGE_SHOWN])[:_MESSAGE_SHOWN]


OK, NOT_FOUND, REQUEST_TIMEOUT, RATE_LIMITED, MAINTENANCE = 200, 404, 408, 429, 455
NEEDS_BODY = frozenset({OK, NOT_FOUND, 422})
"""HTTP statuses whose meaning depends on the body; of any other one, the status is enough."""
_NOT_MODIFIED, _REDIRECTS = 304, range(300, 400)
_MEANINGS: dict[int, tuple[type[SyncError], str]] = {
    401: (AccessDenied, "The API key was refused (401)."),
    402: (AccessDenied, "The account has insufficient credits (402)."),
    403: (AccessDenied, "Access was refused (403)."),
    NOT_FOUND: (NotFound, "This address has no template catalog (404)."),
    422: (NoSuchPage, "The endpoint refused the request's parameters (422)."),
    RATE_LIMITED: (Deferred, "The rate limit was exceeded (429)."),
    MAINTENANCE: (Maintenance, "The catalog is under maintenance (455)."),
    505: (AccessDenied, "The template catalog is disabled for this account (505)."),
}


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
    envelope = None
    try:
        envelope = read_envelope(body, redact)
    except InvalidResponse as error:
        if status == OK:
            return status, _not_the_catalog(error, headers.get("content-type", ""))
    code = status if envelope is None else max(status, envelope.code, key=_severity)
    if code == OK and envelope is not None:
        if envelope.records is None:
            return code, InvalidResponse("The response reports success but has no list of templates.", code="not-envelope")
        return code, envelope
    if code in {NOT_FOUND, 422} and envelope is not None and envelope.records:
        return code, InvalidResponse(f"The response has code {code} but contains templates.", code="contradiction")
    return code, _error(code, envelope, retry_after(headers.get("retry-after"), now))


def _severity(code: int) -> int:
    """Rank a code: access denied, then undocumented codes, then maintenance, rate limits and server errors.

    404 and 422 rank lowest among errors, because they may mean that a template or page does not exist.
    """
    order = {OK: 0, NOT_FOUND: 1, 422: 2, RATE_LIMITED: 4, MAINTENANCE: 5, 401: 7, 402: 7, 403: 7, 505: 7}
    return order.get(code, 3 if _may_pass(code) else 6)


def _may_pass(code: int) -> bool:
    return code == REQUEST_TIMEOUT or 500 <= code < 600  # noqa: PLR2004 - server errors of RFC 9110


def _error(code: int, envelope: Envelope | None, after: float | None) -> SyncError:
    kind, text = _MEANINGS.get(code, (InvalidResponse, f"The response has an undocumented code ({code})."))
    hint = BY_CODE[str(code)].action if str(code) in BY_CODE else ""
    message = f" Message: {envelope.message}" if envelope is not None and envelope.message else ""
    if kind is NotFound:
        return NotFound(text + message, hint=hint, envelope=envelope)
    if code not in _MEANINGS and _may_pass(code):
        kind, text, hint = Unreachable if after is None else Deferred, f"The server failed ({code}).", "The next run retries."
    if issubclass(kind, Deferred):
        wait = f" Retry after {after:.0f} s." if after is not None else ""
        hint = "Nothing was changed; the next run retries."
        return kind(f"{text}{wait}{message}", hint=hint, code=str(code), after=after)
    if code == _NOT_MODIFIED:
        text = f"The response has an unexpected status ({code}): no request was conditional."
    elif code in _REDIRECTS:
        text = (
            f"The server redirects to another URL ({code}); redirects are not followed, because the API key is sent to the "
            "configured origin only."
        )
        message, hint = "", "Set CRUN_BASE_URL to the origin that serves the API."
    return kind(text + message, hint=hint, code=str(code))


def _not_the_catalog(error: InvalidResponse, content_type: str) -> InvalidResponse:
    if "html" in content_type:
        return InvalidResponse(
            "The response is a web page, not the catalog.",
            hint="Check CRUN_BASE_URL; a login page or a proxy may intercept the request.", code="html",
        )  # fmt: skip
    error.hint = "Check CRUN_BASE_URL; if it is right, the API may have changed."
    return error
