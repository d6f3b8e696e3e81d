"""One value of one field: how it is sent, to the byte, and what becomes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.builders import record
from tests.hostile import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.hostile import Script


@dataclass(frozen=True)
class Value:
    """One value of one field. `sent` is JSON as bytes or text; `stored` is JSON as text, `reason` why there is none."""

    name: str
    field: str
    sent: str | bytes
    stored: str = ""
    reason: str = ""


def text(name: str, sent: str, stored: str = "", **more: str) -> Value:
    """A title."""
    return Value(f"text: {name}", "Title", sent, stored or sent, **more)


def unknown(name: str, sent: str, stored: str = "") -> Value:
    """The value of a field called X."""
    return Value(f"unknown: {name}", "X", sent, f'{{"X": {stored or sent}}}')


def named(name: str, field: str, sent: str = "1", stored: str = "") -> Value:
    """An unknown field's name."""
    return Value(f"name: {name}", field, sent, stored or json.dumps({field: json.loads(sent)}, ensure_ascii=False))


def priced(credit: str, stored: str) -> Value:
    """A price."""
    sent = f'[{{"Resolution": "1p", "Credit": {credit}}}]'
    return Value(f"price: {credit[:24]}", "ConsumeItems", sent, f'[{{"resolution": "1p", "credit": {stored}}}]')


def bad(name: str, field: str, sent: str | bytes, reason: str) -> Value:
    """A value that sets its record aside."""
    return Value(f"bad: {name}", field, sent, reason=reason)


def bad_price(name: str, sent: str, reason: str) -> Value:
    """A price that sets its record aside."""
    return bad(f"price: {name}", "ConsumeItems", f'[{{"Resolution": "1p", "Credit": {sent}}}]', reason)


def nested(levels: int, inner: str = "1") -> str:
    """Write so many lists and objects in each other, in turn."""
    for level in reversed(range(levels)):
        inner = f'{{"a": {inner}}}' if level % 2 else f"[{inner}]"
    return inner


PAGE = 50
"""Records on a page."""


def key_of(value: Value, place: int) -> str:
    """Give the id under which a value is served; `place` is its own in the table."""
    return str(json.loads(value.sent)) if value.field == "TemplateId" and value.stored else f"v{place:03}"


def as_sent(value: Value, place: int) -> bytes:
    """Write the record of one value, as sent."""
    plain = {"ConsumeItems": [], "SupportAspectRatio": None, "Tags": ["x", "x"], "Tags_en": ["x", "x"], "MediaId": None}
    whole = json.dumps(record(key_of(value, place), **{**plain, value.field: ...})).encode()
    sent = value.sent if isinstance(value.sent, bytes) else value.sent.encode()
    return whole[:-1] + b', "%s": %s}' % (value.field.replace('"', '\\"').replace("\x1b", "\\u001b").encode(), sent)


COLUMNS = {
    "TemplateId": "template_id", "Title": "title", "Cover": "cover_url", "SupportAspectRatio": "aspect_ratios",
    "Duration": "duration_ms", "InputNum": "input_num", "ReleaseOnlineTime": "released_at", "ConsumeItems": "consume_items",
    "Tags": "tags",
}  # fmt: skip


def serving(values: Sequence[Value]) -> Script:
    """Serve the records of these values, byte for byte."""
    records = [as_sent(value, place) for place, value in enumerate(values)]

    def script(request: Request) -> Reply:
        start = (request.page - 1) * PAGE
        some = b", ".join(records[start : start + PAGE]) if request.page else b""
        return Reply(b'{"code": 200, "message": "success", "data": {"total": %d, "templates": [%s]}}' % (len(records), some))

    return script
