"""PURE. What is stored of a template: its *document*, a JSON object whose keys are the database's columns, lists included.

The content hash of a document: equal where nothing would be published as a change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from sync.catalog.fields import FIELDS, LISTS
from sync.catalog.url_query import URL_FIELDS, address, without_query

Document = dict[str, Any]

DOCUMENT_KEYS = (*dict.fromkeys(field.column for field in FIELDS), "extra")
"""In the order in which a document is written. `extra` holds the fields that this version does not know, by wire name."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in both languages; `name_en` is None where the endpoint gives no English list."""

    name: str
    name_en: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """What one generation costs at a resolution, in Crun credits."""

    resolution: str
    credit: Decimal


def prices_of(document: Document) -> tuple[Price, ...]:
    """Read a document's prices, exact."""
    return tuple(Price(item["resolution"], Decimal(repr(item["credit"]))) for item in document["consume_items"])


def tags_of(document: Document) -> tuple[Tag, ...]:
    """Read a document's tags."""
    return tuple(Tag(tag["name"], tag["name_en"]) for tag in document["tags"])


def instant(seconds: int) -> str:
    """Write Unix seconds as every document does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6] + "Z"  # `+00:00`; `sync.text.iso` takes twice as long


def json_number(number: Decimal) -> int | float:
    """Convert a decimal of at most 15 significant digits to a JSON number, exactly."""
    return int(number) if number == number.to_integral_value() else float(number)


def content_hash(written: Document) -> str:
    """Hash a document without the order of its lists and the query strings of its URLs."""
    meaning = dict(written)
    for name in URL_FIELDS:
        meaning[name] = address(written[name])
    for name in LISTS:
        meaning[name] = unordered(written[name])
    meaning["extra"] = without_query(written["extra"])
    return _hash(meaning)


def plain_hash(value: Any) -> str:
    """Hash a JSON value in which all numbers are whole and small, and every text could be stored."""
    return hashlib.sha256(_encode_fast(value)).hexdigest()


def unordered(items: list[Any]) -> list[Any]:
    """Sort a list whose order means nothing."""
    if len(items) < 2:  # noqa: PLR2004 - one item has one order
        return items
    # Only prices hold numbers, which the fast encoder may write otherwise: ties of order would then be decided otherwise, too.
    prices = isinstance(items[0], dict) and "credit" in items[0]
    return sorted(items, key=canonical if prices and not _credits_are_plain(items) else _encode_fast)


def canonical(value: Any) -> str:
    """Write a JSON value in the one form that is hashed and compared."""
    return _encode(value).decode("utf-8", "surrogatepass")


def _hash(written: Document) -> str:
    # Only here may a document hold numbers that the two ways write differently; the others are whole and small.
    extra = written["extra"]
    plain = _credits_are_plain(written["consume_items"]) and (not extra or _numbers_are_plain(extra))
    return hashlib.sha256(_encode_fast(written) if plain else _encode_slowly(written)).hexdigest()


_encode_fast = msgspec.json.Encoder(order="sorted").encode
_LEAST_PLAIN, _FIRST_WITH_EXPONENT = 1e-4, 1e16
_LARGEST_INTEGER = 2**63 - 1


def _encode(value: Any) -> bytes:
    """Write a value as the reference does, the fast way where that writes the same."""
    try:
        return _encode_fast(value) if _numbers_are_plain(value) else _encode_slowly(value)
    except UnicodeEncodeError:  # half a surrogate pair
        return _encode_slowly(value)


def _encode_slowly(value: Any) -> bytes:
    """Write the reference: hashes are stored, so every version must write the same, to the byte."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _credits_are_plain(prices: list[Any]) -> bool:
    return all([_numbers_are_plain(price["credit"]) for price in prices])  # noqa: C419 - a generator takes twice as long


def _numbers_are_plain(value: Any) -> bool:
    """Tell whether all numbers are such as both ways write alike: without an exponent, and of at most 64 bits."""
    kind = type(value)
    if kind is dict:
        return all(_numbers_are_plain(inner) for inner in value.values())
    if kind is list:
        return all(map(_numbers_are_plain, value))
    if kind is float:
        return bool(_LEAST_PLAIN <= abs(value) < _FIRST_WITH_EXPONENT)
    return kind is not int or bool(-_LARGEST_INTEGER <= value <= _LARGEST_INTEGER)
