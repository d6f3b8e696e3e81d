"""Build the values that an app gets from stored templates, rows of the feed and the status."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from sync.catalog.feed import price_moves
from sync.catalog.fields import SCALARS
from sync.reader.values import CatalogStatus, Change, FieldChange, Price, Tag, Template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from sync.reader.status import Overview
    from sync.reader.stored_templates import Stored


def template_of(stored: Stored) -> Template:
    """Build the value of a template."""
    document = stored.document
    released = document["released_at"]
    return Template(
        **{name: document[name] for name in ("template_id", *SCALARS.values()) if name != "released_at"},
        released_at=None if released is None else datetime.fromisoformat(released),
        tags=tuple(Tag(tag["name"], tag["name_en"]) for tag in document["tags"]),
        prices=tuple(Price(item["resolution"], Decimal(repr(item["credit"]))) for item in document["consume_items"]),
        aspect_ratios=tuple(document["aspect_ratios"]),
        extra=_freeze(document["extra"]),
        **{each.name: getattr(stored, each.name) for each in fields(stored) if each.name != "document"},
    )


def change_of(row: Mapping[str, Any], stored: Stored) -> Change:
    """Build the value of a row of `sync.reader.feed`; `stored` is the template after it, for a removal before it."""
    changed_fields = (
        FieldChange(field=each["field"], old=_freeze(each["old"]), new=_freeze(each["new"]), absent=each.get("absent"))
        for each in row["fields"]
    )
    return Change(
        seq=row["seq"],
        cursor=row["cursor"],
        run_id=row["run_id"],
        at=datetime.fromisoformat(row["at"]),
        kind=row["kind"],
        template_id=row["template_id"],
        fields=tuple(changed_fields),
        prices=tuple(price_moves(row["fields"])),
        breaking=tuple(row["breaking"]),
        evidence=row.get("evidence"),
        template=template_of(stored),
    )


def status_of(found: Overview, now: datetime) -> CatalogStatus:
    """Build the value of the status."""
    ended = found.last_success.finished_at if found.last_success else None
    return CatalogStatus(
        present=found.present,
        held=found.held,
        unconfirmed=found.unconfirmed,
        last_success_at=ended,
        last_success_age=None if ended is None else now - ended,
        last_change_at=found.last_change_at,
        oldest_seq=found.oldest_seq,
        last_seq=found.last_seq,
        feed_epoch=found.feed_epoch,
        cursor=found.cursor,
    )


class ReadOnlyDict(dict[str, Any]):
    """A dict that cannot be changed. Being a dict, it is accepted by every encoder and by `dataclasses.asdict`."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("Values of the catalog are read-only: make a dict of it to change it.")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


def _freeze(value: Any) -> Any:
    """Return an immutable copy of a JSON value, at every depth."""
    if isinstance(value, dict):
        return ReadOnlyDict({name: _freeze(inner) for name, inner in value.items()})
    return tuple(map(_freeze, value)) if isinstance(value, (list, tuple)) else value
