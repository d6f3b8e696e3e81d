"""PURE. One record as it was served: its bytes, their hash, its id, and its values decoded without loss."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec

from sync.catalog.bounds import LONGEST, storage_flaw

LOOK_UP = 0
"""The page of a record that was asked for by its id."""
DEEPEST_KEPT = 64
"""Levels, counted from the record. Far deeper than a good record may be, far shallower than what exhausts a JSON parser."""
_READER = b"1"
"""Goes into every hash of bytes. Raise it when a record is read otherwise than before: then all records are read anew."""
_LONG_INTEGER = 100  # digits; int() refuses 4300, and anything far above 2^63 is no number of ours
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
"""The possessive `++` and `*+`, and the string that never ends, keep this linear, whatever a stranger wrote."""


class Ambiguous(dict[str, Any]):
    """A JSON object that says one of its keys twice."""


class Oversized(dict[str, Any]):
    """Stands for a record of too many bytes: only its id was read."""


class _OnlyId(msgspec.Struct):
    TemplateId: str


_only_id = msgspec.json.Decoder(_OnlyId).decode


def wire_hash(raw: bytes) -> str:
    """Hash a record's bytes, 32 hexadecimal digits: equal hashes mean that there is nothing in it to read again."""
    hashed = _begun(_READER).copy()
    hashed.update(raw)
    return hashed.hexdigest()


@cache
def _begun(reader: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16, salt=reader)


def quick_id(raw: bytes) -> str | None:
    """Find a record's id without reading the rest of it; None where that is not plain. Good for recognising, not for judging."""
    try:
        return _only_id(raw).TemplateId
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def record_id(record: Any) -> str | None:
    """Read the id that a decoded record carries, even where the rest is unreadable; None if there is none to be had."""
    value = record.get("TemplateId") if isinstance(record, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # wrong type, but it says plainly which template it means
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST["TemplateId"] or storage_flaw(value):
        return None
    return value


def decode(raw: bytes, deepest: int = DEEPEST_KEPT) -> Any:
    """Decode JSON with exact numbers, twice-said keys marked, and bytes that are not UTF-8 left as marks for validation.

    What lies deeper than `deepest` levels is emptied: nesting is counted, because how much of it a parser bears depends on
    the interpreter.

    Raises:
        ValueError: it is not JSON.
    """
    text = raw.decode("utf-8-sig", "surrogateescape")
    if text.count("[") + text.count("{") > deepest:
        text = cut_depth(text, deepest)
    return json.loads(
        text,
        parse_float=_decimal,
        parse_int=_integer,
        parse_constant=lambda _: Decimal("NaN"),
        object_pairs_hook=_object,
    )


def cut_depth(text: str, deepest: int = DEEPEST_KEPT) -> str:
    """Empty every list and object that lies deeper than so many levels, so that the rest can be parsed."""
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


def shallow(raw: bytes) -> bytes:
    """Empty what lies too deep in a record's bytes: how deep a parser would go depends on the interpreter."""
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST_KEPT:
        return raw
    return cut_depth(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent past what even Decimal holds
        return Decimal("Infinity")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _LONG_INTEGER else _decimal(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Ambiguous(value)
