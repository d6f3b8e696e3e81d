"""PURE. The orders in which templates are listed, and the places in them from which the next page goes on.

An order is by code point and ends in the id, so it is the same on every database, and no two templates share a place.
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
"""`newest` by the catalog's release time, `price` from the lowest, `name` by the English title, else the other one.

What has no such value comes last; ties go by id.
"""

SORTS: tuple[Sort, ...] = get_args(Sort)

NAME_LENGTH = 250
"""Characters of a name that count: MariaDB sorts by a thousand bytes, and a page must go on exactly where another ended."""

_TOKEN = re.compile(r"(id|newest|price|name)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Order:
    """An order. `resolution` says which price counts under `price`; None: the lowest."""

    sort: Sort = "id"
    resolution: str | None = None


BY_ID = Order()


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a template stands: by a time, a price or a name (None where it has none, or by id alone), then by its id."""

    value: datetime | Decimal | str | None
    template_id: str


def price(document: Document, resolution: str | None) -> Decimal | None:
    """Give a template's price at a resolution, or its lowest; None if it has none."""
    items = [item for item in document["consume_items"] if resolution is None or item["resolution"] == resolution]
    return min((Decimal(repr(item["credit"])) for item in items), default=None)


def page_position(document: Document, order: Order) -> PagePosition:
    """Tell where a template stands in an order."""
    value: datetime | Decimal | str | None = None
    if order.sort == "newest" and document["released_at"] is not None:
        value = datetime.fromisoformat(document["released_at"])
    elif order.sort == "price":
        value = price(document, order.resolution)
    elif order.sort == "name":
        value = (document["title_en"] or document["title"] or "")[:NAME_LENGTH] or None
    return PagePosition(value, document["template_id"])


def sort_key(at: PagePosition) -> tuple[Any, ...]:
    """Give what Python sorts as the order says; all of one order."""
    value: Any = at.value
    if isinstance(value, datetime):
        value = -value.timestamp()
    return (value is None, value, at.template_id)


def page_token(at: PagePosition, order: Order) -> str:
    """Write a place as text that holds for its order only."""
    value = at.value.isoformat() if isinstance(at.value, datetime) else None if at.value is None else str(at.value)
    said = [order.resolution if order.sort == "price" else None, value, at.template_id]
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{order.sort}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}"


def parse_page_token(after: str, order: Order) -> PagePosition:
    """Read what `written` wrote. Where the order is by id, a plain id is a place, too.

    Raises:
        ValueError: it was made in another order, or is no place.
    """
    found = _TOKEN.fullmatch(after)
    if found is None:
        if order.sort != "id" or storage_flaw(after):
            raise ValueError(f"after: {after[:80]!r} is no place in the order {order.sort}; pass what the last page gave.")
        return PagePosition(None, after)
    try:
        resolution, value, template_id = json.loads(base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)))
        at = PagePosition(_value(found[1], value), template_id)
        if not isinstance(template_id, str) or storage_flaw(template_id):
            raise ValueError
    except (ValueError, TypeError, InvalidOperation):
        raise ValueError(f"after: {after[:80]!r} is no place in any order; pass what the last page gave.") from None
    if (found[1], resolution) != (order.sort, order.resolution if order.sort == "price" else None):
        of = f" at {resolution}" if resolution else ""
        raise ValueError(f"after: it was made in the order {found[1]}{of}; ask in the same order, or begin anew.")
    return at


def _value(sort: str, said: Any) -> datetime | Decimal | str | None:
    if said is None:
        return None
    if not isinstance(said, str) or sort == "id" or storage_flaw(said):
        raise ValueError
    if sort == "newest":
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if sort == "price":
        number = Decimal(said)
        if not number.is_finite() or abs(number.adjusted()) > 20:  # noqa: PLR2004 - no credits are so large or small
            raise ValueError
        return number
    return said
