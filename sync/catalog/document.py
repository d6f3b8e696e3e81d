"""PURE. The stored form of a template: exact JSON, documents without the query strings of URLs, and their hashes.

A document is a JSON object with one key per column. msgspec decodes valid JSON. What it rejects (half a surrogate pair, NaN,
invalid UTF-8, a byte order mark) is parsed by the json module, so that one invalid character rejects one record and not its page.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from sync.catalog.fields import DEEPEST_RECORD, FIELDS, LARGEST_EXPONENT, LISTS

_LONG_INTEGER = 100  # digits of an integer that is converted to int; int() raises an error at 4300
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
"""Possessive quantifiers and unterminated strings keep the time linear for any input."""


def decode_json(raw: bytes, deepest: int = DEEPEST_RECORD) -> Any:
    """Decode JSON: whole numbers as int, all others as Decimal. The last of several equal keys wins.

    Lists and objects deeper than `deepest` levels are emptied. Bytes that are not UTF-8 become lone surrogates, which
    validation rejects.

    Raises:
        ValueError: it is not JSON.
    """
    if raw.count(b"[") + raw.count(b"{") <= deepest:
        try:
            return _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            pass  # the json module accepts more
    return parse_json(raw, deepest)


def parse_json(raw: bytes, deepest: int) -> Any:
    """Decode JSON as `decode_json` does, by the json module; integers of more than 100 digits as Decimal.

    Raises:
        ValueError: it is not JSON.
    """
    text = raw.decode("utf-8-sig", "surrogateescape")
    if text.count("[") + text.count("{") > deepest:
        text = _cut_depth(text, deepest)
    return json.loads(text, parse_float=exact_number, parse_int=_integer, parse_constant=lambda _: Decimal("NaN"))


def write_json(value: Any) -> bytes:
    """Encode a value of `parse_json` as ASCII JSON with exact numbers; NaN stays NaN, which only the json module parses."""
    if isinstance(value, dict):
        return b"{" + b",".join(write_json(key) + b":" + write_json(inner) for key, inner in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(write_json, value)) + b"]"
    return (str(value) if isinstance(value, Decimal) else json.dumps(value)).encode()


@lru_cache(maxsize=4096)
def exact_number(text: str) -> int | Decimal:
    """Convert the text of a number exactly; a whole number becomes an int in any notation."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # the exponent exceeds that of Decimal
        return Decimal("Infinity")
    whole = number.is_finite() and number.adjusted() <= LARGEST_EXPONENT and number == number.to_integral_value()
    return int(number) if whole else number


_decode = msgspec.json.Decoder(float_hook=exact_number).decode


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _LONG_INTEGER else exact_number(text)


def _cut_depth(text: str, deepest: int) -> str:
    """Empty every list and object deeper than `deepest` levels."""
    kept: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == deepest + 1:
                kept.append(text[start : token.end()])
        elif token[0] in "]}":
            depth -= 1
            if depth == deepest:
                start = token.start()
    kept.append(text[start:] if depth <= deepest else "")
    return "".join(kept)


URL_FIELDS = frozenset({"cover_url", "preview_video_url"})
"""Columns whose query string is ignored, because signatures in it differ between requests."""
_URL = re.compile(r"(?:https?:)?//", re.IGNORECASE)


def address(url: str | None) -> str | None:
    """Remove the query string of a URL, absolute or relative."""
    return url and url.partition("?")[0]


def without_query(value: Any) -> Any:
    """Remove the query string of every absolute URL in a JSON value."""
    if isinstance(value, str):
        return value.partition("?")[0] if "?" in value and _URL.match(value) else value
    if isinstance(value, dict):
        return {name: without_query(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_query(inner) for inner in value]
    return value


Document = dict[str, Any]

DOCUMENT_KEYS = (*dict.fromkeys(field.column for field in FIELDS), "extra")
"""The keys of a document, in order. `extra` holds unknown fields by wire name."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in both languages; `name_en` is None if the endpoint serves no English list."""

    name: str
    name_en: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one generation at a resolution, in Crun credits."""

    resolution: str
    credit: Decimal


def prices_of(document: Document) -> tuple[Price, ...]:
    """Return the exact prices of a document."""
    return tuple(Price(item["resolution"], Decimal(repr(item["credit"]))) for item in document["consume_items"])


def tags_of(document: Document) -> tuple[Tag, ...]:
    """Return the tags of a document."""
    return tuple(Tag(tag["name"], tag["name_en"]) for tag in document["tags"])


def instant(seconds: int) -> str:
    """Convert Unix seconds to the ISO 8601 form of documents."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6] + "Z"  # `+00:00`; `sync.text.iso` takes twice as long


def json_number(number: Decimal) -> int | float:
    """Convert a decimal of at most 15 significant digits to a JSON number, exactly."""
    return int(number) if number == number.to_integral_value() else float(number)


def content_hash(document: Document) -> str:
    """Hash a document without the order of lists and the query strings of URLs: equal hashes, no published change."""
    meaning = {**document, "extra": without_query(document["extra"])}
    for name in URL_FIELDS:
        meaning[name] = address(document[name])
    # Only prices and `extra` can contain numbers that the two encoders write differently.
    prices_are_plain = _numbers_are_plain(document["consume_items"])
    for name in LISTS:
        meaning[name] = sorted(document[name], key=_encode_fast if prices_are_plain or name != "consume_items" else _exactly)
    plain = prices_are_plain and _numbers_are_plain(meaning["extra"])
    return hashlib.sha256(_encode_fast(meaning) if plain else _exactly(meaning)).hexdigest()


def plain_hash(value: Any) -> str:
    """Hash a JSON value whose numbers are small integers and whose strings are valid UTF-8."""
    return hashlib.sha256(_encode_fast(value)).hexdigest()


_encode_fast = msgspec.json.Encoder(order="sorted").encode
canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""Writes a JSON value in its canonical form, which is hashed and compared. Hashes are stored, so every version must write the
same bytes."""
_LEAST_PLAIN, _FIRST_WITH_EXPONENT = 1e-4, 1e16
_LARGEST_INTEGER = 2**63 - 1


def _exactly(value: Any) -> bytes:
    return canonical(value).encode()


def _numbers_are_plain(value: Any) -> bool:
    """Return whether both encoders write all numbers alike: without an exponent, at most 64 bits."""
    kind = type(value)
    if kind is dict:
        return all(_numbers_are_plain(inner) for inner in value.values())
    if kind is list:
        return all(map(_numbers_are_plain, value))
    if kind is float:
        return bool(_LEAST_PLAIN <= abs(value) < _FIRST_WITH_EXPONENT)
    return kind is not int or bool(-_LARGEST_INTEGER <= value <= _LARGEST_INTEGER)
