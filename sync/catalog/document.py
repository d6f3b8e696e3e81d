"""PURE. The stored form of a template: its document, a JSON object with one key per column, and the hashes of documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from sync.catalog.fields import FIELDS, LISTS
from sync.catalog.url_query import URL_FIELDS, address, before_query, without_query
from sync.text import iso

Document = dict[str, Any]

DOCUMENT_KEYS = (*dict.fromkeys(field.column for field in FIELDS), "extra")
"""The keys of a document, in order. `extra` holds unknown fields by wire name."""


def instant(seconds: int) -> str:
    """Convert Unix seconds to the ISO 8601 form of documents."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6] + "Z"  # `+00:00`; `sync.text.iso` takes twice as long


def json_number(number: Decimal) -> int | float:
    """Convert a decimal of at most 15 significant digits to a JSON number, exactly."""
    return int(number) if number == number.to_integral_value() else float(number)


def to_plain_json(value: Any) -> Any:
    """Convert a value to plain JSON: named values and read-only mappings to dicts, times to text, decimals to numbers."""
    if is_dataclass(value):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {name: to_plain_json(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain_json(each) for each in value]
    if isinstance(value, Decimal):
        return json_number(value)
    return iso(value) if isinstance(value, datetime) else value


def is_content_hash(hashed: str, document: Document) -> bool:
    """Return whether it is the hash of this document, also as a release before 1.0.0 hashed it."""
    return hashed == content_hash(document) or hashed == content_hash(document, before_query)


def content_hash(document: Document, cut: Callable[[str | None], str | None] = address) -> str:
    """Hash a document without the order of lists and the query strings of URLs: equal hashes, no published change."""
    meaning = {**document, "extra": without_query(document["extra"], cut)}
    for name in URL_FIELDS:
        meaning[name] = cut(document[name])
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
