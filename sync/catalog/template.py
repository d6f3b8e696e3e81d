"""PURE. What a template is, its two written forms and their hashes.

A template has one *document*: a JSON object with the names of the database's columns, tags and prices included. Two hashes
are taken of it. The *fingerprint* is of the document as it stands: equal fingerprints mean that there is nothing to store.
The *content hash* is of its meaning: the order of tags, ratios and prices, and the query strings of URLs (signatures that
differ from one request to the next), are left out, so equal content hashes mean that there is no change to tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


Document = dict[str, Any]


SCALARS: Mapping[str, str] = {
    "MediaId": "media_id",
    "ServiceId": "service_id",
    "Title": "title",
    "Title_en": "title_en",
    "Cover": "cover_url",
    "CoverAspectRatio": "cover_aspect_ratio",
    "PreviewVideo": "preview_video_url",
    "Duration": "duration_ms",
    "TemplateType": "template_type",
    "InputRequirement": "input_requirement",
    "InputNum": "input_num",
    "ReleaseOnlineTime": "released_at",
}
"""The endpoint's single-valued fields, but for TemplateId, and the column that each has here."""


COLUMNS: Mapping[str, str] = {
    **SCALARS,
    "ConsumeItems": "consume_items",
    "SupportAspectRatio": "aspect_ratios",
    "Tags": "tags",
}
"""The same for all fields that are stored under a name of ours; `Tags_en` joins `Tags`."""


LISTS = ("consume_items", "tags", "aspect_ratios")
"""The columns of a document that hold lists, each stored in a table of its own."""


DOCUMENTED = frozenset({"TemplateId", "Tags_en", *COLUMNS})


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in both languages; `name_en` is None where the endpoint gives no English list."""

    name: str
    name_en: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """What one generation costs at a resolution, in Crun credits."""

    resolution: str
    credit: Decimal


@dataclass(frozen=True, slots=True)
class Template:
    """One template as the catalog describes it.

    `duration_ms` is in milliseconds, `released_at` in Unix seconds. `extra` holds the fields that this version does not
    know, under their own names. None means that the endpoint said null, or nothing.
    """

    template_id: str
    media_id: str | None = None
    service_id: str | None = None
    title: str | None = None
    title_en: str | None = None
    cover_url: str | None = None
    cover_aspect_ratio: str | None = None
    preview_video_url: str | None = None
    duration_ms: int | None = None
    template_type: str | None = None
    input_requirement: str | None = None
    input_num: int | None = None
    released_at: int | None = None
    consume_items: tuple[Price, ...] = ()
    tags: tuple[Tag, ...] = ()
    aspect_ratios: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def document(template: Template) -> Document:
    """Write a template as a JSON object, exactly: orders and query strings as served."""
    seconds = template.released_at
    return {
        "template_id": template.template_id,
        "media_id": template.media_id,
        "service_id": template.service_id,
        "title": template.title,
        "title_en": template.title_en,
        "cover_url": template.cover_url,
        "cover_aspect_ratio": template.cover_aspect_ratio,
        "preview_video_url": template.preview_video_url,
        "duration_ms": template.duration_ms,
        "template_type": template.template_type,
        "input_requirement": template.input_requirement,
        "input_num": template.input_num,
        "released_at": None if seconds is None else instant(seconds),
        "consume_items": [
            {"resolution": price.resolution, "credit": json_number(price.credit)} for price in template.consume_items
        ],
        "tags": [{"name": tag.name, "name_en": tag.name_en} for tag in template.tags],
        "aspect_ratios": list(template.aspect_ratios),
        "extra": dict(template.extra),
    }


def from_document(written: Document) -> Template:
    """Read back what `document` wrote."""
    released = written["released_at"]
    return Template(
        **{column: written[column] for column in ("template_id", *SCALARS.values()) if column != "released_at"},
        released_at=None if released is None else int(datetime.fromisoformat(released).timestamp()),
        consume_items=tuple(Price(item["resolution"], Decimal(repr(item["credit"]))) for item in written["consume_items"]),
        tags=tuple(Tag(tag["name"], tag["name_en"]) for tag in written["tags"]),
        aspect_ratios=tuple(written["aspect_ratios"]),
        extra=written["extra"],
    )


def instant(seconds: int) -> str:
    """Write Unix seconds as every document does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6] + "Z"  # for `+00:00`; `iso` takes twice as long


def json_number(number: Decimal) -> int | float:
    """Convert a decimal to a JSON number, exactly for what `validation` lets through: at most 15 significant digits."""
    return int(number) if number == number.to_integral_value() else float(number)
