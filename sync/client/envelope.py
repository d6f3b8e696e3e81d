"""Parse the body of a response to the documented envelope; its records stay bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sync.catalog.fields import DEEPEST_RECORD
from sync.catalog.json_values import exact_number, parse_json, write_json
from sync.errors import InvalidResponse
from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_VALUES = 400_000
"""Approximate number of values in one body; a body of brackets takes fifty times its size when parsed."""
MOST_RECORDS = 10_000
"""Records in one response, for any page size; each costs memory, however small it is."""
_LEVELS_AROUND = 3
"""Levels around a record: the envelope, its `data`, the list."""
_MESSAGE_SHOWN = 200
_MESSAGE_READ = 10_000
_LARGEST_TOTAL = 10**12
_LARGEST_CODE = 10**9


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
    """Parse a body.

    Args:
        body: decompressed.
        redact: removes secrets from the server's message.

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
        raise InvalidResponse("The response is JSON, but not the documented envelope with a code.", code="not-envelope")
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
