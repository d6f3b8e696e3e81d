"""Bytes of one answer -> the documented envelope, its records cut out byte for byte and not yet read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from sync.catalog.raw_record import DEEPEST_KEPT, Ambiguous, cut_depth, decode
from sync.errors import BadAnswer
from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_VALUES = 400_000
"""In what has to be decoded at once, about: a body that is all brackets takes fifty times its size when it is read."""
_AROUND = 3
"""Levels around a record: the answer, its `data`, the list."""
MOST_RECORDS = 10_000
"""In one answer, whatever page size a server thinks right: more are no page, and each costs memory however small it is."""
_ENOUGH_TO_FIND = 64
_FRAME_KEPT = 500
_MESSAGE_SHOWN = 200
_MESSAGE_READ = 10_000
_LARGEST_TOTAL = 10**12
_LARGEST_CODE = 10**9


@dataclass(frozen=True, slots=True)
class Envelope:
    """One answer of the endpoint.

    Attributes:
        code: the body's own code, which may differ from the HTTP status.
        message: what it said, cut to one line.
        total: how many templates the catalog says it has; None if it did not say so in a whole number, or in an absurd one.
        records: the templates' bytes, as sent; None if there was no list of them.
    """

    code: int
    message: str
    total: int | None
    records: list[bytes] | None


class _Data(msgspec.Struct):
    templates: msgspec.Raw


class _Frame(msgspec.Struct):
    data: _Data


_frame = msgspec.json.Decoder(_Frame).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_envelope(body: bytes, redact: Callable[[str], str] = str) -> Envelope:
    """Read an answer's body.

    Args:
        body: as it came.
        redact: hides secrets in what the answer says.

    Raises:
        BadAnswer: it is not JSON, not the documented envelope, or holds too many values.
    """
    if len(body) > MOST_VALUES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise BadAnswer("The answer is larger than any page of the catalog.", code="too-large")
    fast = _cut_fast(body)
    if fast is None:
        return _read_slowly(body, redact)
    frame, records = fast
    answer = _read_frame(frame, redact)
    return Envelope(answer.code, answer.message, answer.total, _bounded(records))


def _bounded(records: Iterable[bytes]) -> list[bytes]:
    bounded = list(islice(records, MOST_RECORDS + 1))
    if len(bounded) > MOST_RECORDS:
        raise BadAnswer("The answer holds more templates than any page of the catalog.", code="too-large")
    return bounded


def _cut_fast(body: bytes) -> tuple[bytes, list[bytes]] | None:
    """Cut the records out; give what is left with an empty list in their place. None where that takes a patient reader.

    msgspec checks the grammar of what it skips, and never takes what Python's own parser refuses; it refuses some of what
    that takes (NaN, half surrogate pairs, a byte order mark).
    """
    try:
        whole = _frame(body).data.templates
        records = [*map(bytes, _list(whole))]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    written = bytes(whole)
    beginning = written[:_ENOUGH_TO_FIND]  # looking for all of it would take half of the time of reading the page
    start = body.find(beginning)
    end = start + len(written)
    # An empty list, or such a beginning, may stand elsewhere, too.
    if not records or body.find(beginning, start + 1) >= 0 or body[start:end] != written:
        return None
    return body[:start] + b"[]" + body[end:], records


def _read_frame(frame: bytes, redact: Callable[[str], str] = str) -> Envelope:
    """Judge an envelope; its records, if it has any, are left out."""
    try:
        answer = _decoded(frame) if len(frame) < _FRAME_KEPT else decode(frame, DEEPEST_KEPT + _AROUND)
    except (ValueError, RecursionError):
        raise BadAnswer("The answer is not JSON.", code="not-json") from None
    data = answer.get("data") if isinstance(answer, dict) else None
    data = data if isinstance(data, dict) else {}
    if not isinstance(answer, dict) or not _is_code(answer.get("code")) or isinstance(answer, Ambiguous):
        raise BadAnswer("The answer is JSON, but not the documented envelope with a code.", code="not-envelope")
    if isinstance(data, Ambiguous):
        raise BadAnswer("The answer says twice what it holds.", code="not-envelope")
    total = _total(data.get("total"))
    records = data.get("templates", ...)
    if records is None and total is not None:
        records = []  # how some languages write a list that holds nothing
    return Envelope(answer["code"], _message(answer, redact), total, [] if isinstance(records, list) else None)


@lru_cache(maxsize=2)
def _decoded(frame: bytes) -> Any:
    """Decode an envelope; but for its records, all pages of a catalog have the same. It must not be written to."""
    return decode(frame, DEEPEST_KEPT + _AROUND)


def _read_slowly(body: bytes, redact: Callable[[str], str] = str) -> Envelope:
    """Read an answer that the fast way does not take: the reference, by Python's own parser."""
    answer = _read_frame(body, redact)
    if answer.records is None:
        return answer
    text = cut_depth(body.decode("utf-8-sig", "surrogateescape"), DEEPEST_KEPT + _AROUND)
    records = (each.encode("utf-8", "surrogateescape") for each in _elements(_member(_member(text, "data"), "templates")))
    return Envelope(answer.code, answer.message, answer.total, _bounded(records))


_scan = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode
_SPACE = " \t\n\r"


def _member(text: str, name: str) -> str:
    """Cut the value of one key out of an object; the object is known to be good JSON."""
    place = _skip(text, text.index("{") + 1)
    while text[place] == '"':
        key, place = _scan(text, place)
        start = _skip(text, _skip(text, place) + 1)  # past the colon
        _value, place = _scan(text, start)
        if key == name:
            return text[start:place]
        place = _skip(text, _skip(text, place) + 1)  # past the comma
    raise AssertionError(name)  # whoever calls has seen it


def _elements(text: str) -> Iterator[str]:
    """Cut a list into its elements' texts; the list is known to be good JSON. `null` has none."""
    if text == "null":
        return
    place = _skip(text, 1)
    while text[place] != "]":
        _value, end = _scan(text, place)
        yield text[place:end]
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    while text[place] in _SPACE:  # good JSON does not end with any
        place += 1
    return place


def _is_code(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_CODE


def _total(value: Any) -> int | None:
    if isinstance(value, Decimal) and not value.is_nan():  # with which nothing can be compared
        value = int(value) if 0 <= value <= _LARGEST_TOTAL and value == value.to_integral_value() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_TOTAL else None


def _message(answer: dict[str, Any], redact: Callable[[str], str] = str) -> str:
    parts = [answer.get("message"), *(answer["errors"] if isinstance(answer.get("errors"), list) else ())]
    # Before it is cut to what is shown: the first half of a key is no text that would be recognised as one.
    text = "; ".join(redact(part[:_MESSAGE_READ])[:_MESSAGE_SHOWN] for part in parts[:_MESSAGE_SHOWN] if isinstance(part, str))
    return escape_control_characters(text[:_MESSAGE_SHOWN])[:_MESSAGE_SHOWN]
