"""PURE. JSON bytes of a record -> Python values with exact numbers.

msgspec decodes what is valid JSON in UTF-8. What it refuses (half a surrogate pair, NaN, invalid UTF-8, a byte order mark) is
parsed by Python's own parser, so that one bad character rejects one record and not its page.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from sync.catalog.fields import DEEPEST_RECORD, LARGEST_EXPONENT

_LONG_INTEGER = 100
"""Digits. Python's int() refuses 4300, and no documented number has more than 12."""
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
"""Possessive quantifiers, and a string that may have no end, keep the time linear for any input."""


def decode_json(raw: bytes, deepest: int = DEEPEST_RECORD) -> Any:
    """Decode JSON: whole numbers as int, all others as Decimal. Of equal keys of one object the last wins.

    Lists and objects deeper than `deepest` levels are emptied. Bytes that are not UTF-8 become lone surrogates, which
    validation rejects.

    Raises:
        ValueError: it is not JSON.
    """
    if raw.count(b"[") + raw.count(b"{") <= deepest:
        try:
            return _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            pass  # the other parser accepts more
    return parse_json(raw, deepest)


def parse_json(raw: bytes, deepest: int) -> Any:
    """Decode JSON as `decode_json` does, by Python's own parser; whole numbers of more than 100 digits as Decimal.

    Raises:
        ValueError: it is not JSON.
    """
    text = raw.decode("utf-8-sig", "surrogateescape")
    if text.count("[") + text.count("{") > deepest:
        text = _cut_depth(text, deepest)
    return json.loads(text, parse_float=exact_number, parse_int=_integer, parse_constant=lambda _: Decimal("NaN"))


def write_json(value: Any) -> bytes:
    """Write a value that `parse_json` returned as JSON in ASCII, its numbers exact; NaN stays NaN, which only Python parses."""
    if isinstance(value, dict):
        return b"{" + b",".join(write_json(key) + b":" + write_json(inner) for key, inner in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(write_json, value)) + b"]"
    return (str(value) if isinstance(value, Decimal) else json.dumps(value)).encode()


@lru_cache(maxsize=4096)
def exact_number(text: str) -> int | Decimal:
    """Convert a number's text exactly; a whole number is an int, however it is written."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # its exponent exceeds Decimal's own
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
