"""PURE. Fields that this version does not know are kept, within bounds on their names, size, depth and numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync.catalog.bounds import DEEPEST, LARGEST_EXPONENT, LONGEST_NAME, MOST_EXTRA, MOST_FIELDS, storage_flaw
from sync.catalog.hashes import canonical
from sync.catalog.raw_record import Ambiguous
from sync.catalog.set_aside import Unreadable
from sync.catalog.template import DOCUMENTED

_ABSURD = 10 ** (LARGEST_EXPONENT + 1)
_PRICE_FIELDS = frozenset({"Resolution", "Credit"})


def unknown_fields(record: dict[str, Any]) -> dict[str, Any]:
    """Collect a record's unknown fields under their own names; those of a price by resolution, as `ConsumeItems.Name`.

    Raises:
        Unreadable: a bound is passed, or a database could not store it.
    """
    extra = {name: _checked(record[name], name, 1) for name in record if name not in DOCUMENTED}
    for item in record.get("ConsumeItems") or ():
        for name in item:
            if name in _PRICE_FIELDS:
                continue
            if f"ConsumeItems.{name}" in record:
                raise Unreadable("two of its unknown fields have one name")
            by_resolution = extra.setdefault(f"ConsumeItems.{name}", {})
            by_resolution[item["Resolution"]] = _checked(item[name], name, 2)
    if not extra:
        return extra
    if len(extra) > MOST_FIELDS:
        raise Unreadable(f"it has {len(extra)} unknown fields, more than {MOST_FIELDS}")
    for name in extra:
        if len(name) > LONGEST_NAME:
            raise Unreadable(f"a field's name has {len(name)} characters, more than {LONGEST_NAME}")
        refuse_unsafe(name, "a field's name")
    if len(canonical(extra)) > MOST_EXTRA:
        raise Unreadable(f"its unknown fields take more than {MOST_EXTRA} characters")
    return extra


def field_names(record: Any) -> frozenset[str]:
    """Name the fields that a record carries, even a bad one: it shows what the catalog sends. Absurd names are left out."""
    if not isinstance(record, dict) or len(record) > MOST_FIELDS:
        return frozenset()
    names = frozenset(record)
    if names <= DOCUMENTED:
        return names
    return frozenset(name for name in names if len(name) <= LONGEST_NAME and not storage_flaw(name))


def all_field_names(record: Any) -> frozenset[str]:
    """Name the fields of a good record, those inside its prices included."""
    items = record.get("ConsumeItems") or () if isinstance(record, dict) else ()
    inner = {f"ConsumeItems.{name}" for item in items for name in item if name not in _PRICE_FIELDS}
    return field_names(record) | inner


def refuse_unsafe(value: str, name: str) -> None:
    """Refuse a text that a database could not store."""
    if flaw := storage_flaw(value):
        raise Unreadable(f"{name} holds {flaw}")


def _checked(value: Any, name: str, depth: int) -> Any:
    """Check an unknown field's value all the way down; its numbers take the one form that all three databases give back."""
    if isinstance(value, str):
        refuse_unsafe(value, repr(name))
        return value
    if isinstance(value, list | dict) and depth > DEEPEST:
        raise Unreadable(f"{name!r} is nested deeper than {DEEPEST} levels")
    if isinstance(value, list):
        return [_checked(inner, name, depth + 1) for inner in value]
    if isinstance(value, dict):
        if isinstance(value, Ambiguous):
            raise Unreadable(f"a key stands twice in {name!r}")
        for key in value:
            refuse_unsafe(key, repr(name))
        return {key: _checked(inner, name, depth + 1) for key, inner in value.items()}
    if isinstance(value, Decimal) or (isinstance(value, int) and abs(value) >= _ABSURD):
        return _number(Decimal(value), name)
    return value


def _number(value: Decimal, name: str) -> int | float:
    """Bring a number into the form that JSON readers agree on: a whole one is an integer, any other the nearest double."""
    if not value.is_finite() or value.adjusted() > LARGEST_EXPONENT:
        raise Unreadable(f"{name!r} holds a number that is not finite, or absurd")
    if value == value.to_integral_value():
        return int(value)
    nearest = float(value)
    return int(nearest) if nearest.is_integer() else nearest  # 123456789012345678.5: PostgreSQL gives the whole number back
