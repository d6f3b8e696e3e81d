"""Bytes of one answer -> the documented envelope, with everything in the records left as it was sent.

Numbers stay exact (Decimal), a key that stands twice is marked, and bytes that are not UTF-8 become marks that `validate`
finds in the one record that holds them: the page's other records go on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from sync.errors import BadAnswer
from sync.validate import Ambiguous

DEEPEST_KEPT = 64
"""Levels. Deeper than `validate` accepts, far shallower than what makes a JSON parser recurse out of its stack."""
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
"""The possessive `++` and `*+`, and the string that never ends, keep this linear, whatever a stranger wrote."""
_MESSAGE_SHOWN = 200
_LARGEST_TOTAL = 10**12
_LARGEST_CODE = 10**9


@dataclass(frozen=True, slots=True)
class Envelope:
    """One answer of the endpoint.

    Attributes:
        code: the body's own code, which may differ from the HTTP status.
        message: what it said, cut to one line.
        total: how many templates the catalog says it has; None if it did not say so in a whole number, or in an absurd one.
        records: the templates, as sent; None if there was no list of them.
    """

    code: int
    message: str
    total: int | None
    records: list[Any] | None


def read_envelope(body: bytes) -> Envelope:
    """Read an answer's body.

    Raises:
        BadAnswer: it is not JSON, or not the documented envelope.
    """
    text = body.decode("utf-8-sig", "surrogateescape")
    try:
        answer = _loads_any_depth(text)
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
    return Envelope(answer["code"], _said(answer), total, records if isinstance(records, list) else None)


def _is_code(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_CODE


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3), as seconds from now; None if absent or unreadable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def cut_depth(text: str) -> str:
    """Empty every list and object that lies deeper than DEEPEST_KEPT, so that the rest of the page can be parsed."""
    kept: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == DEEPEST_KEPT + 1:
                kept.append(text[start : token.end()])
        elif token[0] in "]}":
            depth -= 1
            if depth == DEEPEST_KEPT:
                start = token.start()
    kept.append(text[start:] if depth <= DEEPEST_KEPT else "")
    return "".join(kept)


def _loads_any_depth(text: str) -> Any:
    try:
        return _loads(text)
    except RecursionError:
        return _loads(cut_depth(text))


def _loads(text: str) -> Any:
    return json.loads(
        text, parse_float=_number, parse_int=_integer, parse_constant=lambda _: Decimal("NaN"), object_pairs_hook=_object
    )


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent past what even Decimal holds
        return Decimal("Infinity")


def _integer(text: str) -> int | Decimal:
    # int() of more than 4300 digits raises, and would take the whole page with it.
    return int(text) if len(text) <= 100 else _number(text)  # noqa: PLR2004 - any bound far above 2^63 will do


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Ambiguous(value)


def _total(value: Any) -> int | None:
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value() and value.adjusted() < 18:  # noqa: PLR2004
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_TOTAL else None


def _said(answer: dict[str, Any]) -> str:
    parts = [answer.get("message"), *(answer["errors"] if isinstance(answer.get("errors"), list) else ())]
    text = "; ".join(part[:_MESSAGE_SHOWN] for part in parts[:_MESSAGE_SHOWN] if isinstance(part, str))
    return visible(text[:_MESSAGE_SHOWN])[:_MESSAGE_SHOWN]


_ACTS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that JSON leaves as they are and that act on a terminal, or turn the direction of writing."""


def json_text(value: Any, indent: int | None = None) -> str:
    """Write JSON for people and machines alike: readable, and with nothing in it that acts on a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def visible(text: str) -> str:
    """Make a stranger's text safe to show: control characters, which could act on a terminal, become visible escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text)
