"""PURE. Sort orders of templates, and page tokens.

An order is by code point and ends with the ID, so it is total and the same on every database.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, get_args

from sync.catalog.fields import storage_flaw

if TYPE_CHECKING:
    from sync.catalog.document import Document

Sort = Literal["id", "newest", "price", "name"]
"""`newest` by release time, `price` ascending, `name` by the English title, else the Chinese one; no value last; then by ID."""

SORTS: tuple[Sort, ...] = get_args(Sort)

NAME_LENGTH = 250
"""Characters of a name that are compared, because MariaDB sorts by at most a thousand bytes."""

_TOKEN = re.compile(r"(id|newest|price|name)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Order:
    """A sort order. `resolution` selects the price for `price`; None: the lowest."""

    sort: Sort = "id"
    resolution: str | None = None


BY_ID = Order()


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The position of a template: a time, price or name (None if it has none, or for the order by ID), then the ID."""

    value: datetime | Decimal | str | None
    template_id: str


def price(document: Document, resolution: str | None) -> Decimal | None:
    """Return a template's price at a resolution, or its lowest; None if it has none."""
    items = [item for item in document["consume_items"] if resolution is None or item["resolution"] == resolution]
    return min((Decimal(repr(item["credit"])) for item in items), default=None)


def page_position(document: Document, order: Order) -> PagePosition:
    """Return the position of a template in an order."""
    value: datetime | Decimal | str | None = None
    if order.sort == "newest" and document["released_at"] is not None:
        value = datetime.fromisoformat(document["released_at"])
    elif order.sort == "price":
        value = price(document, order.resolution)
    elif order.sort == "name":
        value = (document["title_en"] or document["title"] or "")[:NAME_LENGTH] or None
    return PagePosition(value, document["template_id"])


def sort_key(position: PagePosition) -> tuple[Any, ...]:
    """Return a key for `sorted`; all keys must be of one order."""
    value: Any = position.value
    if isinstance(value, datetime):
        value = -value.timestamp()
    return (value is None, value, position.template_id)


def page_token(position: PagePosition, order: Order) -> str:
    """Write a position as a token, which is valid for its order only."""
    value = position.value
    text = value.isoformat() if isinstance(value, datetime) else None if value is None else str(value)
    parts = [order.resolution if order.sort == "price" else None, text, position.template_id]
    encoded = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{order.sort}.{base64.urlsafe_b64encode(encoded).decode().rstrip('=')}"


def parse_page_token(after: str, order: Order) -> PagePosition:
    """Parse a page token. In the order by ID, a plain ID is also valid.

    Raises:
        ValueError: the token belongs to another order, or is invalid.
    """
    found = _TOKEN.fullmatch(after)
    if found is None:
        if order.sort != "id" or storage_flaw(after):
            raise ValueError(
                f"after: {after[:80]!r} is not a page token of the order {order.sort}; pass the `after` of the last page."
            )
        return PagePosition(None, after)
    try:
        resolution, value, template_id = json.loads(base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)))
        position = PagePosition(_value(found[1], value), template_id)
        if not isinstance(template_id, str) or storage_flaw(template_id):
            raise ValueError
    except (ValueError, TypeError, InvalidOperation):
        raise ValueError(f"after: {after[:80]!r} is not a page token; pass the `after` of the last page.") from None
    if (found[1], resolution) != (order.sort, order.resolution if order.sort == "price" else None):
        of = f" at {resolution}" if resolution else ""
        raise ValueError(f"after: the token belongs to the order {found[1]}{of}; use the same order, or start again.")
    return position


def _value(sort: str, text: Any) -> datetime | Decimal | str | None:
    if text is None:
        return None
    if not isinstance(text, str) or sort == "id" or storage_flaw(text):
        raise ValueError
    if sort == "newest":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if sort == "price":
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 20:  # noqa: PLR2004 - beyond any price
            raise ValueError
        return number
    return text
