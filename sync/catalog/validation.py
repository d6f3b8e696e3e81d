"""PURE. One record of the endpoint -> a Template, or the reason why not. A bad record hurts only itself.

Nothing is repaired by guessing: a record that breaks a rule below is set aside, and its template keeps its last good values.
Unknown fields are no offence; they are kept.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync.catalog.bounds import (
    CREDIT_DIGITS,
    LARGEST,
    LONGEST,
    MOST_BYTES,
    MOST_FIELDS,
    MOST_ITEMS,
)
from sync.catalog.raw_record import Ambiguous, Oversized
from sync.catalog.set_aside import Unreadable
from sync.catalog.template import Price, Tag, Template
from sync.catalog.unknown_fields import refuse_unsafe, unknown_fields


def read_record(record: Any, *, tags_dropped: bool = False) -> Template:
    """Read one record.

    Args:
        record: as sent.
        tags_dropped: no record of the catalog has `Tags`: then it is no fault of this one that `Tags_en` has no counterpart.

    Raises:
        Unreadable: with the reason.
    """
    if not isinstance(record, dict):
        raise Unreadable(f"a template must be an object, not {kind_of(record)}")
    if isinstance(record, Oversized):
        raise Unreadable(f"it has more than {MOST_BYTES} bytes")
    if isinstance(record, Ambiguous):
        raise Unreadable("a key stands twice in it, with two values")
    if len(record) > MOST_FIELDS:
        raise Unreadable(f"it has {len(record)} fields, more than {MOST_FIELDS}")
    template_id = _string(record, "TemplateId")
    if not template_id:
        raise Unreadable("TemplateId is missing or empty")
    return Template(
        template_id=template_id,
        media_id=_string(record, "MediaId"),
        service_id=_string(record, "ServiceId"),
        title=_string(record, "Title"),
        title_en=_string(record, "Title_en"),
        cover_url=_string(record, "Cover"),
        cover_aspect_ratio=_string(record, "CoverAspectRatio"),
        preview_video_url=_string(record, "PreviewVideo"),
        duration_ms=_integer(record, "Duration"),
        template_type=_string(record, "TemplateType"),
        input_requirement=_string(record, "InputRequirement"),
        input_num=_integer(record, "InputNum"),
        released_at=_integer(record, "ReleaseOnlineTime"),
        consume_items=_prices(record),
        tags=() if tags_dropped else _tags(record),
        aspect_ratios=ratios_of(_string(record, "SupportAspectRatio") or ""),
        extra=unknown_fields(record),
    )


def _string(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None:
        return None
    return _checked(value, name)


def _checked(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"{name} must be a string, not {kind_of(value)}")
    if len(value) > LONGEST[name]:
        raise Unreadable(f"{name} has {len(value)} characters, more than {LONGEST[name]}")
    refuse_unsafe(value, name)
    return value


def _integer(record: dict[str, Any], name: str) -> int | None:
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable(f"{name} must be a number, not {kind_of(value)}")
    if isinstance(value, Decimal) and (not value.is_finite() or value.adjusted() > CREDIT_DIGITS or value % 1):
        raise Unreadable(f"{name} must be a whole number")
    if not 0 <= value <= LARGEST[name]:
        raise Unreadable(f"{name} must be from 0 to {LARGEST[name]}")
    return int(value)


def _list(record: dict[str, Any], name: str) -> list[Any] | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Unreadable(f"{name} must be a list, not {kind_of(value)}")
    if len(value) > MOST_ITEMS:
        raise Unreadable(f"{name} has {len(value)} items, more than {MOST_ITEMS}")
    return value


def _prices(record: dict[str, Any]) -> tuple[Price, ...]:
    prices: dict[str, Price] = {}
    for item in _list(record, "ConsumeItems") or ():
        if not isinstance(item, dict):
            raise Unreadable(f"ConsumeItems must hold objects, not {kind_of(item)}")
        if isinstance(item, Ambiguous):
            raise Unreadable("a key stands twice in one of the ConsumeItems")
        resolution = _string(item, "Resolution")
        if not resolution:
            raise Unreadable("an item of ConsumeItems has no Resolution")
        if resolution in prices:
            raise Unreadable(f"ConsumeItems has the resolution {resolution!r} twice")
        prices[resolution] = Price(resolution, credit_of(item.get("Credit")))
    return tuple(prices.values())


def credit_of(value: Any) -> Decimal:
    """Check a price and bring it into the one form of its value.

    Raises:
        Unreadable: with the reason.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable(f"Credit must be a number, not {kind_of(value)}")
    credit = Decimal(value)
    if not credit.is_finite():
        raise Unreadable("Credit is not a finite number")
    if credit.is_signed() and credit:
        raise Unreadable("Credit is negative")
    if not credit:
        return Decimal(0)
    # More digits could not be kept exactly by SQLite, whose numbers are doubles. `normalize` rounds what is longer than
    # Decimal's own precision, and raises on an exponent past it: hence the look at the size first and at the value after.
    if abs(credit.adjusted()) <= CREDIT_DIGITS:
        exact = credit.normalize()
        _sign, digits, exponent = exact.as_tuple()
        fits = len(digits) <= CREDIT_DIGITS and exact.adjusted() < CREDIT_DIGITS and -int(exponent) <= CREDIT_DIGITS
        if fits and exact == credit:
            return exact
    raise Unreadable(f"Credit has more than {CREDIT_DIGITS} digits")


def _tags(record: dict[str, Any]) -> tuple[Tag, ...]:
    names = _list(record, "Tags")
    english = _list(record, "Tags_en")
    names = [_checked(name, "Tags") for name in names or ()]
    if english is None:
        return tuple(Tag(name, None) for name in dict.fromkeys(names))
    if len(names) != len(english):
        raise Unreadable(f"Tags has {len(names)} items, Tags_en {len(english)}")
    pairs = zip(names, (_checked(name, "Tags_en") for name in english), strict=True)
    return tuple(Tag(name, name_en) for name, name_en in dict.fromkeys(pairs))


def ratios_of(text: str) -> tuple[str, ...]:
    """Split a list of ratios.

    Raises:
        Unreadable: with the reason.
    """
    ratios = [part.strip() for part in text.split(",")]
    if any(len(ratio) > LONGEST["CoverAspectRatio"] for ratio in ratios):
        raise Unreadable("SupportAspectRatio holds something too long for a ratio")
    return tuple(dict.fromkeys(ratio for ratio in ratios if ratio))


def kind_of(value: Any) -> str:
    """Name the kind of a JSON value, for a reason."""
    kinds = {type(None): "null", bool: "a boolean", int: "a number", Decimal: "a number", str: "a string", list: "a list"}
    return kinds.get(type(value), "an object")
