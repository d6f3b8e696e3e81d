"""PURE. Decode JSON with exact numbers, and encode it.

msgspec decodes valid JSON. What it rejects (half a surrogate pair, NaN, invalid UTF-8, a byte order mark) is parsed by the json
module, so that one invalid character rejects one record and not its page.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from sync.catalog.fields import DEEPEST_RECORD, LARGEST_EXPONENT

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


def encode_json(value: Any) -> str:
    """Encode a value as JSON text, with non-ASCII characters unescaped, so that SQL can search it."""
    try:
        return _encode(value).decode()
    except (OverflowError, TypeError, ValueError):  # such as a lone surrogate
        return json.dumps(value, ensure_ascii=False, default=str)


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
_encode = msgspec.json.Encoder().encode  # eight times as fast as `json`; a first run encodes three values per template


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
