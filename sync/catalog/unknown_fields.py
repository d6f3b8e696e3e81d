"""PURE. Unknown fields of a record are kept, within bounds on names, size, depth and numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync.catalog.document import canonical
from sync.catalog.fields import DEEPEST, DOCUMENTED, LARGEST_EXPONENT, LONGEST_NAME, MOST_EXTRA, MOST_FIELDS
from sync.catalog.rejection import RecordRejected, require_storable

_TOO_LARGE = 10 ** (LARGEST_EXPONENT + 1)


def unknown_fields(record: dict[str, Any]) -> dict[str, Any]:
    """Return the unknown fields of a record by name; those of a price by resolution, as `ConsumeItems.Name`.

    Raises:
        RecordRejected: a bound is exceeded, or a database cannot store a value.
    """
    extra = {name: _checked(record[name], name, 1) for name in record if name not in DOCUMENTED}
    for item in record.get("ConsumeItems") or ():
        for name in sorted(item.keys() - {"Resolution", "Credit"}):
            if f"ConsumeItems.{name}" in record:
                raise RecordRejected("two of its unknown fields have one name")
            by_resolution = extra.setdefault(f"ConsumeItems.{name}", {})
            by_resolution[item["Resolution"]] = _checked(item[name], name, 2)
    if not extra:
        return extra
    if len(extra) > MOST_FIELDS:
        raise RecordRejected(f"it has {len(extra)} unknown fields, more than {MOST_FIELDS}")
    for name in extra:
        if len(name) > LONGEST_NAME:
            raise RecordRejected(f"a field's name has {len(name)} characters, more than {LONGEST_NAME}")
        require_storable(name, "a field's name")
    if len(canonical(extra)) > MOST_EXTRA:
        raise RecordRejected(f"its unknown fields take more than {MOST_EXTRA} characters")
    return extra


def _checked(value: Any, name: str, depth: int) -> Any:
    """Check a value recursively; convert numbers to the form that every database returns."""
    if isinstance(value, str):
        require_storable(value, repr(name))
        return value
    if isinstance(value, list | dict) and depth > DEEPEST:
        raise RecordRejected(f"{name!r} is nested deeper than {DEEPEST} levels")
    if isinstance(value, list):
        return [_checked(inner, name, depth + 1) for inner in value]
    if isinstance(value, dict):
        for key in value:
            require_storable(key, repr(name))
        return {key: _checked(inner, name, depth + 1) for key, inner in value.items()}
    if isinstance(value, Decimal) or (isinstance(value, int) and abs(value) >= _TOO_LARGE):
        return _number(Decimal(value), name)
    return value


def _number(value: Decimal, name: str) -> int | float:
    """Convert a number to the nearest double, on which JSON parsers agree."""
    if not value.is_finite() or value.adjusted() > LARGEST_EXPONENT:
        raise RecordRejected(f"{name!r} holds a number that is not finite, or absurd")
    nearest = float(value)
    return int(nearest) if nearest.is_integer() else nearest  # PostgreSQL returns 123456789012345678.5 as an integer
