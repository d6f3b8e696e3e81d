"""The values that an app gets: immutable, with aware times and exact decimal credits."""

from __future__ import annotations

# Imported at run time, because serializers and validators of apps resolve the type hints.
from collections.abc import Iterable, Mapping  # noqa: TC003
from dataclasses import dataclass
from dataclasses import field as _field
from datetime import datetime, timedelta  # noqa: TC003
from decimal import Decimal  # noqa: TC003
from typing import TYPE_CHECKING, Any, Literal

from sync.catalog.document import DOCUMENT_KEYS, to_plain_json
from sync.catalog.feed import PriceMove  # noqa: TC001

if TYPE_CHECKING:
    from typing import Self

    from sync.catalog.document import Document


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag in Chinese and in English; `name_en` is None if the API has no English name."""

    name: str
    name_en: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one generation at one resolution, in Crun credits."""

    resolution: str
    credit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One template. Times are in UTC. None means that the API has no value.

    Attributes:
        template_id: its id.
        media_id: id of its media in the catalog.
        service_id: id of its service in the catalog.
        title: title in Chinese.
        title_en: title in English.
        cover_url: URL of its cover picture.
        cover_aspect_ratio: such as 9:16.
        preview_video_url: URL of its preview video.
        duration_ms: duration in milliseconds.
        template_type: such as BEGIN_END_FRAME.
        input_requirement: requirement for the input images, such as SINGLE_PERSON.
        input_num: number of input images.
        released_at: when Crun released it.
        tags: in the order of the API.
        prices: in the order of the API.
        aspect_ratios: the supported ones, in the order of the API.
        extra: read-only; fields of the API that this version does not know, by name.
        content_hash: hash of its content; equal hashes mean no change.
        first_seen_at: when this database first stored it.
        changed_at: when its last change was recorded. In a past catalog: when the last change up to
            that time was recorded. If `prune` deleted that change, and it is not the newest one of the template, the value is
            `first_seen_at`.
        removed_at: when it was removed; None while it is present.
        first_seen_run_id: the run that first stored it.
        changed_run_id: the run that recorded its last change.
        removed_run_id: the run that removed it; None while it is present.
    """

    template_id: str
    media_id: str | None
    service_id: str | None
    title: str | None
    title_en: str | None
    cover_url: str | None
    cover_aspect_ratio: str | None
    preview_video_url: str | None
    duration_ms: int | None
    template_type: str | None
    input_requirement: str | None
    input_num: int | None
    released_at: datetime | None
    tags: tuple[Tag, ...]
    prices: tuple[Price, ...]
    aspect_ratios: tuple[str, ...]
    extra: Mapping[str, Any] = _field(hash=False)
    content_hash: str
    first_seen_at: datetime
    changed_at: datetime
    removed_at: datetime | None
    first_seen_run_id: int
    changed_run_id: int
    removed_run_id: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `show --json` prints."""
        from sync.reader.stored_templates import printed

        times = ("first_seen_at", "changed_at", "removed_at")
        return printed({**self._document(), **{name: to_plain_json(getattr(self, name)) for name in times}})

    def _document(self) -> Document:
        return {name: to_plain_json(self.prices if name == "consume_items" else getattr(self, name)) for name in DOCUMENT_KEYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePeriod:
    """A price of a template, and when it was valid. `valid_until` is exclusive, and None for a current price."""

    template_id: str
    resolution: str
    credit: Decimal
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCount:
    """A tag, and the number of present templates that have it."""

    name: str
    name_en: str | None
    templates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCount:
    """A template type, None for templates without one, and the number of present templates of this type."""

    type: str | None
    templates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """The change of one field.

    Attributes:
        field: an attribute of `Template`. For a price: `consume_items.720p`; for a field in `extra`: `extra.Name`.
        old: value before, as in the JSON of the feed, but read-only: lists are tuples.
        new: value after, likewise.
        absent: only in changes that version 0.1.0 recorded for a field in `extra`: `old` or `new`, the side on which the field
            was missing, not null.
    """

    field: str
    old: Any = _field(hash=False)
    new: Any = _field(hash=False)
    absent: Literal["old", "new"] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `changes --json` prints in `fields`."""
        old, new = to_plain_json(self.old), to_plain_json(self.new)
        found = {"field": self.field, "old": old, "new": new}
        if self.field == "tags":
            found |= {"gained": [tag for tag in new if tag not in old], "lost": [tag for tag in old if tag not in new]}
        return found if self.absent is None else {**found, "absent": self.absent}


Kind = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of the feed, or one difference of `diff`.

    `seq`, `cursor`, `run_id` and `at` of a difference are those of the later catalog.

    Attributes:
        seq: number in the feed, without gaps.
        cursor: position after this change; `changes` and `follow` continue from it.
        run_id: the run that recorded the change.
        at: when that run ended.
        kind: `added`, `changed` or `removed`.
        template_id: id of the template.
        fields: the changed fields; empty unless `kind` is `changed`.
        prices: the changed prices, each with `resolution`, `old` and `new`; None means no price.
        breaking: why requests that were valid may now fail or have another result, see docs/json.md; empty if none.
        evidence: for a removal, what confirmed it: `lookup` (the API did not find the id), `walks` (two fetches of the whole
            catalog and a sample of look-ups) or `accepted` (an operator accepted it). None otherwise, and for `diff`.
        template: the template after the change; for a removal, before it.
    """

    seq: int
    cursor: str
    run_id: int
    at: datetime
    kind: Kind
    template_id: str
    fields: tuple[FieldChange, ...]
    prices: tuple[PriceMove, ...]
    breaking: tuple[str, ...]
    evidence: str | None
    template: Template

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `changes --json` prints."""
        from sync.reader.stored_templates import printed

        document = printed(self.template._document())  # noqa: SLF001 - of the same module
        after, before = (None, document) if self.kind == "removed" else (document, None)
        names = ("seq", "run_id", "at", "template_id", "kind", "fields", "evidence", "prices", "breaking", "cursor")
        found = {name: to_plain_json(getattr(self, name)) for name in names}
        return {**found, "fields": [field.as_json() for field in self.fields], "document": after, "before": before}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStatus:
    """How old the data is, and the first and last position of the feed.

    Attributes:
        present: number of present templates.
        held: number of missing templates that are kept, because too many are missing at once.
        unconfirmed: number of missing templates that are kept, because their removal is not confirmed.
        last_success_at: when the last successful run ended, refreshes not counted; None if there is none.
        last_success_age: the time since then.
        last_change_at: when the last change was recorded; None if there is none.
        oldest_seq: `seq` of the oldest change in the feed.
        last_seq: `seq` of the newest change in the feed.
        feed_epoch: id of the feed; a new database has a new one.
        cursor: the end of the feed. To continue from it, read the catalog in the same `snapshot()`.
    """

    present: int
    held: int
    unconfirmed: int
    last_success_at: datetime | None
    last_success_age: timedelta | None
    last_change_at: datetime | None
    oldest_seq: int
    last_seq: int
    feed_epoch: str
    cursor: str


class Page(tuple[Template, ...]):  # noqa: SLOT001 - a subclass of tuple cannot have slots
    """A tuple of templates.

    Attributes:
        after: the argument `after` for the next page; None if this is the last one.
    """

    after: str | None

    def __new__(cls, templates: Iterable[Template] = (), after: str | None = None) -> Self:
        """Create a page."""
        page = super().__new__(cls, templates)
        page.after = after
        return page
