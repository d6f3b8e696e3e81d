"""PURE. The filters, sort orders and page tokens of a list of templates, alike on every database.

Tag, type and requirement are compared whole, by Unicode's case folding. A search compares parts of words, see `fold`. Both are
done here and never by a database, because the databases fold letters differently. An order is by code point and ends with the
ID, so it is total.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, get_args
from unicodedata import category, normalize

from sync.catalog.fields import CREDIT_DIGITS, storage_flaw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.document import Document

    Credits = Decimal | int | float | str

Sort = Literal["id", "newest", "price", "name"]
"""`newest` by release time, `price` ascending, `name` by the English title, else the Chinese one; no value last; then by ID."""
SORTS: tuple[Sort, ...] = get_args(Sort)
NAME_LENGTH = 250  # characters of a name that are compared, because MariaDB sorts by at most a thousand bytes
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
    value = position.value
    return (value is None, -value.timestamp() if isinstance(value, datetime) else value, position.template_id)


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
    except (ValueError, TypeError, InvalidOperation, OverflowError, RecursionError):
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
        return moment.astimezone(UTC)  # raises OverflowError outside the years 1 to 9999
    if sort == "price":
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 20:  # noqa: PLR2004 - beyond any price
            raise ValueError
        return number
    return text


# Filters --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Filters, order and page, see `Catalog.templates`; None means no filter. `make_selection` creates one."""

    tag: tuple[str, ...] = ()
    type: str | None = None
    requirement: str | None = None
    images: int | None = None
    resolution: str | None = None
    ratio: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    search: str | None = None
    order: Order = BY_ID
    limit: int | None = None
    after: PagePosition | None = None


def make_selection(
    *,
    sort: Sort = "id",
    after: str | None = None,
    min_price: Credits | None = None,
    max_price: Credits | None = None,
    tag: str | Iterable[str] | None = None,
    **wanted: Any,
) -> Selection:
    """Make a selection from the arguments of a query.

    Raises:
        ValueError: naming the invalid argument.
    """
    if sort not in SORTS:
        raise ValueError(f"sort: one of {', '.join(SORTS)}, not {sort!r}.")
    for name, value in wanted.items():
        if name in {"images", "limit"}:
            check_count(name, value)
        elif value is not None and not isinstance(value, str):
            raise ValueError(f"{name}: a text, not {value!r}.")
    order = Order(sort, wanted.get("resolution"))
    if after is not None and not isinstance(after, str):
        raise ValueError(f"after: what a page gave as its `after`, not {after!r}.")
    return Selection(
        **wanted,
        tag=_tags(tag),
        min_price=_bound("min_price", min_price, ROUND_CEILING),
        max_price=_bound("max_price", max_price, ROUND_FLOOR),
        order=order,
        after=None if after is None else parse_page_token(after, order),
    )


def check_count(name: str, count: int | None) -> int | None:
    """Return a count, None for no limit; raise ValueError for anything but a non-negative integer."""
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 2**31):
        raise ValueError(f"{name}: a whole number from 0 to 2147483647, not {count!r}.")
    return count


def _tags(tag: str | Iterable[str] | None) -> tuple[str, ...]:
    tags = () if tag is None else (tag,) if isinstance(tag, str) else tuple(tag) if isinstance(tag, Iterable) else (tag,)
    for name in tags:
        if not isinstance(name, str):
            raise ValueError(f"tag: a text, or several, not {name!r}.")  # noqa: TRY004 - as for every argument
    return tags


def _bound(name: str, credit: Credits | None, towards: str) -> Decimal | None:
    """Parse a price bound and round it to the next number that a price can have, with at most 15 digits.

    The result is the same for exact prices, and databases that store doubles then agree.
    """
    if credit is None:
        return None
    try:
        exact = Decimal(repr(credit)) if isinstance(credit, float) else Decimal(credit)
    except (InvalidOperation, TypeError, ValueError):
        exact = Decimal("NaN")
    if isinstance(credit, bool) or not exact.is_finite():
        raise ValueError(f"{name}: {credit!r} is not a number of credits.")
    digits = Context(prec=CREDIT_DIGITS, rounding=towards)
    near = digits.plus(max(Decimal(-1), min(exact, Decimal(10) ** CREDIT_DIGITS)))
    return near.quantize(Decimal(10) ** -CREDIT_DIGITS, rounding=towards) if near.adjusted() < 0 else near


def same_word(one: str, other: str | None) -> bool:
    """Return whether two words are equal, without regard to case."""
    return other is not None and one.casefold() == other.casefold()


def fold(text: str) -> str:
    """Write a text as it is searched: after NFKD, without combining marks, case-folded. `café` and `CAFE` become `cafe`."""
    if text.isascii():
        return text.casefold()
    return "".join(char for char in normalize("NFKD", text) if not category(char).startswith("M")).casefold()


def matches_search(words: Sequence[str], texts: Iterable[str | None]) -> bool:
    """Return whether every folded word occurs in one of the texts."""
    folded = [fold(text) for text in texts if text]
    return all(any(word in text for text in folded) for word in words)


def matches(document: Document, wanted: Selection) -> bool:
    """Return whether a template matches every filter."""
    names = [name for tag in document["tags"] for name in (tag["name"], tag["name_en"])]
    texts = (document["title"], document["title_en"], document["template_id"], *names)
    return (
        all(any(same_word(tag, name) for name in names) for tag in wanted.tag)
        and (wanted.type is None or same_word(wanted.type, document["template_type"]))
        and (wanted.requirement is None or same_word(wanted.requirement, document["input_requirement"]))
        and (wanted.images is None or document["input_num"] == wanted.images)
        and (wanted.ratio is None or wanted.ratio in document["aspect_ratios"])
        and _price_fits(price(document, wanted.resolution), wanted)
        and (wanted.search is None or matches_search(fold(wanted.search).split(), texts))
    )


def _price_fits(credit: Decimal | None, wanted: Selection) -> bool:
    if credit is None:
        return wanted.resolution is None and wanted.min_price is None and wanted.max_price is None
    return (wanted.min_price is None or credit >= wanted.min_price) and (wanted.max_price is None or credit <= wanted.max_price)


FILTERS = ("tag", "type", "requirement", "images", "resolution", "ratio", "min_price", "max_price", "search")
FACETS = ("tag", "type", "requirement", "images", "resolution", "ratio")


def count_values(documents: Iterable[Document]) -> dict[str, dict[str | int, int]]:
    """Count the templates that have each value of each filter, the most frequent value first.

    A tag is named in English, in Chinese if it has no English name.
    """
    counts: dict[str, Counter[str | int]] = {name: Counter() for name in FACETS}
    for document in documents:
        counts["tag"].update({tag["name_en"] or tag["name"] for tag in document["tags"]})
        counts["resolution"].update({item["resolution"] for item in document["consume_items"]})
        counts["ratio"].update(set(document["aspect_ratios"]))
        for name, column in (("type", "template_type"), ("requirement", "input_requirement"), ("images", "input_num")):
            if document[column] is not None:
                counts[name][document[column]] += 1
    return {name: dict(sorted(found.items(), key=lambda each: (-each[1], str(each[0])))) for name, found in counts.items()}
