"""One record of the endpoint -> a Template, or the reason why not. A bad record hurts only itself.

Nothing is repaired by guessing: a record that breaks a rule below is set aside, and its template keeps its last good values.
Unknown fields are no offence; they are kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync.snapshot import DOCUMENTED, Price, Tag, Template, canonical, content_hash, document

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = {
    "TemplateId": 255, "MediaId": 255, "ServiceId": 255, "TemplateType": 255, "CoverAspectRatio": 64,
    "Title": 2000, "Title_en": 2000, "InputRequirement": 2000, "Cover": 8000, "PreviewVideo": 8000,
    "SupportAspectRatio": 2000, "Tags": 255, "Tags_en": 255, "Resolution": 64,
}  # fmt: skip
"""Characters. What the columns of all three databases hold (MySQL's keys end at 3072 bytes), or a sane bound."""
LARGEST = {"Duration": 10**12, "InputNum": 10**6, "ReleaseOnlineTime": 253_402_300_799}
"""Inclusive. The last one is the end of the year 9999, where every database's calendar ends."""
MOST_ITEMS = 1000
MOST_EXTRA = 64 * 1024
DEEPEST = 32
CREDIT_DIGITS = 15
PAYLOAD_SHOWN = 4000
REASON_SHOWN = 300


class Ambiguous(dict[str, Any]):
    """A JSON object that says one of its keys twice."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record and where the walk found it; page 0 is a look-up by id."""

    page: int
    position: int
    record: Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read."""

    page: int
    position: int
    template_id: str | None
    reason: str
    payload: str


@dataclass(frozen=True, slots=True)
class Served:
    """What the catalog served, read: good templates by id, bad records, and the names of all fields seen."""

    templates: dict[str, Template]
    rejected: tuple[Rejected, ...]
    wire_fields: frozenset[str]

    @property
    def ids(self) -> set[str]:
        """Ids that were served, readable or not: none of them is missing."""
        return {*self.templates, *(bad.template_id for bad in self.rejected if bad.template_id is not None)}


class Unreadable(Exception):
    """Why a record cannot be read, one short phrase; a reason on its way to `Rejected`, never an error of the run."""


def read_records(records: Iterable[Placed]) -> Served:
    """Read every record.

    The same record twice is one, also when only its URLs were signed anew. Two different ones under one id cannot both be
    true, so neither is believed.
    """
    templates: dict[str, Template] = {}
    rejected: list[Rejected] = []
    wire_fields: set[str] = set()
    disputed: set[str] = set()
    records = tuple(records)
    tags_dropped = not any("Tags" in placed.record for placed in records if placed.page and isinstance(placed.record, dict))
    for placed in records:
        record = placed.record
        wire_fields.update(_new_fields(record, wire_fields))
        try:
            template = read_record(record, tags_dropped=bool(placed.page) and tags_dropped)
            wire_fields.update(template.extra)
            known = templates.setdefault(template.template_id, template)
            if template.template_id in disputed or not _mean_the_same(known, template):
                disputed.add(template.template_id)
                raise Unreadable("the catalog served two different records under this TemplateId")
        except Unreadable as reason:
            shown = _cut(str(reason), REASON_SHOWN)
            rejected.append(Rejected(placed.page, placed.position, record_id(record), shown, _payload(record)))
    # An id with one good and one bad record is disputed too: the bad one may be the newer.
    for unsure in {bad.template_id for bad in rejected if bad.template_id is not None}:
        templates.pop(unsure, None)
    return Served(templates, tuple(rejected), frozenset(wire_fields))


def _mean_the_same(one: Template, other: Template) -> bool:
    return one == other or content_hash(document(one)) == content_hash(document(other))


def _new_fields(record: Any, known: set[str]) -> Iterable[str]:
    """Name the fields of a record, even of a bad one, that none had before: it shows what the catalog sends. No absurd ones."""
    if not isinstance(record, dict) or len(record) > MOST_ITEMS:
        return ()
    return [name for name in record.keys() - known if len(name) <= LONGEST["Title"] and not _flaw(name)]


def record_id(record: Any) -> str | None:
    """Give the id that a record carries, even where the rest is unreadable; None if there is none to be had."""
    value = record.get("TemplateId") if isinstance(record, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # wrong type, but it says plainly which template it means
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST["TemplateId"] or _flaw(value):
        return None
    return value


def read_record(record: Any, *, tags_dropped: bool = False) -> Template:
    """Read one record.

    Args:
        record: as sent.
        tags_dropped: no record of the catalog has `Tags`: then it is no fault of this one that `Tags_en` has no counterpart.

    Raises:
        Unreadable: with the reason.
    """
    if not isinstance(record, dict):
        raise Unreadable(f"a template must be an object, not {_kind(record)}")
    if isinstance(record, Ambiguous):
        raise Unreadable("a key stands twice in it, with two values")
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
        aspect_ratios=_ratios(record),
        extra=_extra(record),
    )


def _string(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None:
        return None
    return _checked(value, name)


def _checked(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"{name} must be a string, not {_kind(value)}")
    if len(value) > LONGEST[name]:
        raise Unreadable(f"{name} has {len(value)} characters, more than {LONGEST[name]}")
    _refuse_unsafe(value, name)
    return value


def _refuse_unsafe(value: str, name: str) -> None:
    if flaw := _flaw(value):
        raise Unreadable(f"{name} holds {flaw}")


def _flaw(value: str) -> str | None:
    """Name what keeps a text out of a database: NUL, which PostgreSQL refuses, or what no driver can encode."""
    if "\x00" in value:
        return "a NUL character"
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return "bytes that are not UTF-8, or half a surrogate pair"
    return None


def _integer(record: dict[str, Any], name: str) -> int | None:
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable(f"{name} must be a number, not {_kind(value)}")
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
        raise Unreadable(f"{name} must be a list, not {_kind(value)}")
    if len(value) > MOST_ITEMS:
        raise Unreadable(f"{name} has {len(value)} items, more than {MOST_ITEMS}")
    return value


def _prices(record: dict[str, Any]) -> tuple[Price, ...]:
    prices: dict[str, Price] = {}
    for item in _list(record, "ConsumeItems") or ():
        if not isinstance(item, dict):
            raise Unreadable(f"ConsumeItems must hold objects, not {_kind(item)}")
        if isinstance(item, Ambiguous):
            raise Unreadable("a key stands twice in one of the ConsumeItems")
        resolution = _string(item, "Resolution")
        if not resolution:
            raise Unreadable("an item of ConsumeItems has no Resolution")
        if resolution in prices:
            raise Unreadable(f"ConsumeItems has the resolution {resolution!r} twice")
        prices[resolution] = Price(resolution, _credit(item.get("Credit")))
    return tuple(prices.values())


def _credit(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable(f"Credit must be a number, not {_kind(value)}")
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
    if names is None and not english:
        return ()
    names = [_checked(name, "Tags") for name in names or ()]
    if english is None:
        return tuple(Tag(name, None) for name in dict.fromkeys(names))
    if len(names) != len(english):
        raise Unreadable(f"Tags has {len(names)} items, Tags_en {len(english)}")
    pairs = zip(names, (_checked(name, "Tags_en") for name in english), strict=True)
    return tuple(Tag(name, name_en) for name, name_en in dict.fromkeys(pairs))


def _ratios(record: dict[str, Any]) -> tuple[str, ...]:
    ratios = [part.strip() for part in (_string(record, "SupportAspectRatio") or "").split(",")]
    if any(len(ratio) > LONGEST["CoverAspectRatio"] for ratio in ratios):
        raise Unreadable("SupportAspectRatio holds something too long for a ratio")
    return tuple(dict.fromkeys(ratio for ratio in ratios if ratio))


def _extra(record: dict[str, Any]) -> dict[str, Any]:
    extra = {name: _json(record[name], name, 1) for name in record if name not in DOCUMENTED}
    for item in record.get("ConsumeItems") or ():
        for name in item:
            if name in {"Resolution", "Credit"}:
                continue
            if f"ConsumeItems.{name}" in record:
                raise Unreadable("two of its unknown fields have one name")
            by_resolution = extra.setdefault(f"ConsumeItems.{name}", {})
            by_resolution[item["Resolution"]] = _json(item[name], name, 1)
    if not extra:
        return extra
    for name in extra:
        _refuse_unsafe(name, "a field's name")
    if len(canonical(extra)) > MOST_EXTRA:
        raise Unreadable(f"its unknown fields take more than {MOST_EXTRA} characters")
    return extra


def _json(value: Any, name: str, depth: int) -> Any:
    """Check an unknown field's value all the way down; give it with its numbers in the one form that JSON readers agree on."""
    if depth > DEEPEST:
        raise Unreadable(f"{name!r} is nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        _refuse_unsafe(value, repr(name))
        return value
    if isinstance(value, list):
        return [_json(inner, name, depth + 1) for inner in value]
    if isinstance(value, dict):
        if isinstance(value, Ambiguous):
            raise Unreadable(f"a key stands twice in {name!r}")
        for key in value:
            _refuse_unsafe(key, repr(name))
        return {key: _json(inner, name, depth + 1) for key, inner in value.items()}
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > MOST_ITEMS // 20:
            raise Unreadable(f"{name!r} holds a number that is not finite, or absurd")
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _payload(record: Any) -> str:
    """Show a bad record in plain ASCII, cut to a sane size: whatever is wrong with it, every database can store this."""
    try:
        text = json.dumps(record, default=str, sort_keys=True)
    except (RecursionError, ValueError, TypeError):
        return "(too deeply nested to show)"
    return _cut(text, PAYLOAD_SHOWN)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def _kind(value: Any) -> str:
    kinds = {type(None): "null", bool: "a boolean", int: "a number", Decimal: "a number", str: "a string", list: "a list"}
    return kinds.get(type(value), "an object")
