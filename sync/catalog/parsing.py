"""PURE. Convert a decoded record to its document, or reject it with a reason.

A record that violates a rule is rejected alone, without repair, and its template keeps its last valid values. Unknown fields are
kept.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Context, Decimal
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sync.catalog.document import DOCUMENT_KEYS, canonical, instant, json_number
from sync.catalog.fields import (
    BOUNDS,
    CREDIT_DIGITS,
    DEEPEST,
    DOCUMENTED,
    FIELDS,
    LARGEST_EXPONENT,
    LISTS,
    LONGEST_NAME,
    LONGEST_RATIO,
    MOST_EXTRA,
    MOST_FIELDS,
    MOST_ITEMS,
    Kind,
    storage_flaw,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.catalog.document import Document


REASON_SHOWN = 300


class RecordRejected(Exception):
    """The reason why a record is rejected, one short phrase; never an error of the run."""


def require_storable(value: str, name: str) -> None:
    """Reject a string that a database cannot store."""
    if flaw := storage_flaw(value):
        raise RecordRejected(f"{name} holds {flaw}")


def cut(text: str, length: int) -> str:
    """Truncate a text and append its original length."""
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def parse_record(record: Any) -> Document:
    """Validate a decoded record and return its document.

    Raises:
        RecordRejected: the record violates a rule.
    """
    if not isinstance(record, dict):
        raise RecordRejected(f"a template must be an object, not {kind_of(record)}")
    if len(record) > MOST_FIELDS:
        raise RecordRejected(f"it has {len(record)} fields, more than {MOST_FIELDS}")
    document: Document = {}
    for wire, column, bound, parse in _PARSERS:
        value = record.get(wire)
        document[column] = None if value is None else parse(value, wire, bound)
    if not document["template_id"]:
        raise RecordRejected("TemplateId is missing or empty")
    document["consume_items"] = _prices(record)
    document["tags"] = _tags(record)
    document["aspect_ratios"] = _ratios(record)
    document["extra"] = unknown_fields(record)
    return document


def complete_document(stored: Any) -> Document | None:
    """Add the scalar fields that were declared after a document was stored; return None if it is not a document.

    Such a field gets the value that `extra` has under its wire name, so that documenting a field is not a change.
    """
    if not isinstance(stored, dict) or not stored.keys() >= {"template_id", "extra", *LISTS}:
        return None
    if stored.keys() >= set(DOCUMENT_KEYS):
        return stored
    added = dict.fromkeys(DOCUMENT_KEYS)
    for wire, column, bound, parse in _PARSERS:
        value = stored["extra"].get(wire)
        with suppress(RecordRejected):
            added[column] = None if value is None else parse(value, wire, bound)
    return {**added, **stored}


def fields_with_value(record: dict[str, Any]) -> frozenset[str]:
    """Return the documented fields that are neither missing nor null in a record. `[]` and `""` are values."""
    return frozenset(name for name in DOCUMENTED & record.keys() if record[name] is not None)


def filled_fields(document: Document) -> frozenset[str]:
    """Return the documented fields for which a stored document has a non-empty value."""
    filled = {field.wire for field in FIELDS if document[field.column] not in (None, [])}
    if all(tag["name_en"] is None for tag in document["tags"]):
        filled.discard("Tags_en")
    return frozenset(filled)


def lacks_tags(record: dict[str, Any]) -> bool:
    """Return whether a record has `Tags_en` without `Tags`."""
    return record.get("Tags") is None and bool(record.get("Tags_en"))


def record_id(record: Any) -> str | None:
    """Return the ID of a decoded record, even if the rest is invalid; None if there is no usable one."""
    value = record.get("TemplateId") if isinstance(record, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # the type is invalid, but the template is known
    if not isinstance(value, str) or not 0 < len(value) <= BOUNDS["TemplateId"] or storage_flaw(value):
        return None
    return value


def _string(value: Any, name: str, bound: int) -> str:
    if not isinstance(value, str):
        raise RecordRejected(f"{name} must be a string, not {kind_of(value)}")
    if len(value) > bound:
        raise RecordRejected(f"{name} has {len(value)} characters, more than {bound}")
    if not value.isprintable():  # what cannot be stored is not printable; the check is three times as fast
        require_storable(value, name)
    return value


def _number(value: Any, name: str) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise RecordRejected(f"{name} must be a number, not {kind_of(value)}")
    return value


def _integer(value: Any, name: str, bound: int) -> int:
    if isinstance(_number(value, name), Decimal):  # a whole number is an int, unless it is too large
        raise RecordRejected(f"{name} must be a whole number")
    if not 0 <= value <= bound:
        raise RecordRejected(f"{name} must be from 0 to {bound}")
    return int(value)


def _instant(value: Any, name: str, bound: int) -> str:
    return instant(_integer(value, name, bound))


_PARSER_OF: dict[Kind, Callable[[Any, str, int], Any]] = {Kind.STRING: _string, Kind.INTEGER: _integer, Kind.INSTANT: _instant}
_PARSERS = [(field.wire, field.column, field.bound, _PARSER_OF[field.kind]) for field in FIELDS if field.kind in _PARSER_OF]


def _list(record: dict[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordRejected(f"{name} must be a list, not {kind_of(value)}")
    if len(value) > MOST_ITEMS:
        raise RecordRejected(f"{name} has {len(value)} items, more than {MOST_ITEMS}")
    return value


def _prices(record: dict[str, Any]) -> list[dict[str, Any]]:
    prices: dict[str, int | float] = {}
    for item in _list(record, "ConsumeItems"):
        if not isinstance(item, dict):
            raise RecordRejected(f"ConsumeItems must hold objects, not {kind_of(item)}")
        resolution = item.get("Resolution")
        if resolution is None or resolution == "":
            raise RecordRejected("an item of ConsumeItems has no Resolution")
        if _string(resolution, "Resolution", BOUNDS["ConsumeItems"]) in prices:
            raise RecordRejected(f"ConsumeItems has the resolution {resolution!r} twice")
        prices[resolution] = credit_of(_number(item.get("Credit"), "Credit"))
    return [{"resolution": resolution, "credit": credit} for resolution, credit in prices.items()]


_SHORT_DIGITS, _FLOAT_DIGITS = 12, 17  # a binary fraction is printed with at most 17 digits
_FLOAT_ERROR = Decimal("1e-14")
"""Relative; every number is within 1e-11 of one with 12 digits, so a larger one would round what is no error."""


@lru_cache(maxsize=4096)
def credit_of(value: int | Decimal) -> int | float:
    """Validate a price; return it as a JSON number, or raise RecordRejected."""
    credit = Decimal(value)
    if not credit.is_finite():
        raise RecordRejected("Credit is not a finite number")
    if credit < 0:
        raise RecordRejected("Credit is negative")
    # `normalize` rounds to the precision of Decimal and raises on a larger exponent, so check the size first and compare after.
    if abs(credit.adjusted()) <= CREDIT_DIGITS or not credit:
        credit = _without_float_error(credit)
        exact = credit.normalize()
        _sign, digits, exponent = exact.as_tuple()
        fits = len(digits) <= CREDIT_DIGITS and exact.adjusted() < CREDIT_DIGITS and -int(exponent) <= CREDIT_DIGITS
        if fits and exact == credit:
            return json_number(exact)
    raise RecordRejected(f"Credit has more than {CREDIT_DIGITS} digits")


def _without_float_error(credit: Decimal) -> Decimal:
    """Return 133.2 for 133.20000000000002: a sum of binary fractions that a server printed with all its digits."""
    if not CREDIT_DIGITS < len(credit.as_tuple().digits) <= _FLOAT_DIGITS:
        return credit
    rounded = Context(prec=_SHORT_DIGITS).plus(credit)
    return rounded if abs(rounded - credit) <= abs(rounded) * _FLOAT_ERROR else credit


def _tags(record: dict[str, Any]) -> list[dict[str, Any]]:
    names = [_string(name, "Tags", BOUNDS["Tags"]) for name in _list(record, "Tags")]
    english = [_string(name, "Tags_en", BOUNDS["Tags_en"]) for name in _list(record, "Tags_en")]
    if record.get("Tags") is None:
        return []  # see `lacks_tags`
    if record.get("Tags_en") is not None and len(names) != len(english):
        raise RecordRejected(f"Tags has {len(names)} items, Tags_en {len(english)}")
    pairs = dict.fromkeys(zip_longest(names, english))  # without English names, each is None
    return [{"name": name, "name_en": name_en} for name, name_en in pairs]


def _ratios(record: dict[str, Any]) -> list[str]:
    text = record.get("SupportAspectRatio")
    if text is None:
        return []
    ratios = [part.strip() for part in _string(text, "SupportAspectRatio", BOUNDS["SupportAspectRatio"]).split(",")]
    if any(len(ratio) > LONGEST_RATIO for ratio in ratios):
        raise RecordRejected(f"SupportAspectRatio holds a ratio of more than {LONGEST_RATIO} characters")
    return [*dict.fromkeys(filter(None, ratios))]


def kind_of(value: Any) -> str:
    """Return the JSON type of a value, for a message."""
    kinds = {type(None): "null", bool: "a boolean", int: "a number", Decimal: "a number", str: "a string", list: "a list"}
    return kinds.get(type(value), "an object")


# Unknown fields -------------------------------------------------------------------------------------------------------

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
                raise RecordRejected("two unknown fields have the same name")
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
        return _nearest(Decimal(value), name)
    return value


def _nearest(value: Decimal, name: str) -> int | float:
    """Convert a number to the nearest double, on which JSON parsers agree."""
    if not value.is_finite() or value.adjusted() > LARGEST_EXPONENT:
        raise RecordRejected(f"{name!r} holds a number that is not finite or is too large")
    nearest = float(value)
    return int(nearest) if nearest.is_integer() else nearest  # PostgreSQL returns 123456789012345678.5 as an integer
