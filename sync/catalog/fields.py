"""PURE. The documented fields of the endpoint, each declared once: wire name, column, type, bound, description.

Validation, the stored document, the hash of a record's bytes and the data dictionary are derived from `FIELDS`. To add a scalar
field: one line here, its column in `sync.store.tables` and a migration, and its attribute in `sync.reader.values.Template`.
A record that exceeds one of the bounds is rejected alone.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """The type of a field. An instant is served as Unix seconds, ratios as a comma-separated string."""

    STRING = auto()
    INTEGER = auto()
    INSTANT = auto()
    PRICES = auto()
    TAGS = auto()
    RATIOS = auto()


class Field(NamedTuple):
    """One documented field.

    Attributes:
        wire: its name in the endpoint's records.
        column: its name in the database and in stored documents.
        kind: how it is validated and stored.
        bound: maximum length of a string (of each string of a list), or maximum of a number, inclusive.
        description: one phrase for documents and schemas.
    """

    wire: str
    column: str
    kind: Kind
    bound: int
    description: str


FIELDS = (
    Field("TemplateId", "template_id", Kind.STRING, 255, "the template's id: the catalog's key"),
    Field("MediaId", "media_id", Kind.STRING, 255, "the id of the vendor's media, decimal digits"),
    Field("ServiceId", "service_id", Kind.STRING, 255, "the id of the vendor's service, decimal digits"),
    Field("Title", "title", Kind.STRING, 2000, "the title in Chinese"),
    Field("Title_en", "title_en", Kind.STRING, 2000, "the title in English"),
    Field("Cover", "cover_url", Kind.STRING, 8000, "the URL of the cover picture"),
    Field("CoverAspectRatio", "cover_aspect_ratio", Kind.STRING, 64, "the cover's aspect ratio, such as 9:16"),
    Field("PreviewVideo", "preview_video_url", Kind.STRING, 8000, "the URL of the preview video"),
    Field("Duration", "duration_ms", Kind.INTEGER, 10**12, "the video's duration in milliseconds"),
    Field("TemplateType", "template_type", Kind.STRING, 255, "the type, such as BEGIN_END_FRAME; new ones may appear"),
    Field("InputRequirement", "input_requirement", Kind.STRING, 2000, "the requirement for the images, such as SINGLE_PERSON"),
    Field("InputNum", "input_num", Kind.INTEGER, 10**6, "the number of input images"),
    # The bound is the end of the year 9999, the last one that every database can store.
    Field("ReleaseOnlineTime", "released_at", Kind.INSTANT, 253_402_300_799, "when the template was released"),
    Field("ConsumeItems", "consume_items", Kind.PRICES, 64, "one price per resolution, in credits"),
    Field("Tags", "tags", Kind.TAGS, 255, "the tags, each in Chinese and in English"),
    Field("Tags_en", "tags", Kind.TAGS, 255, "the tags in English, parallel to `Tags`"),
    Field("SupportAspectRatio", "aspect_ratios", Kind.RATIOS, 2000, "the supported aspect ratios"),
)
"""In the order of a stored document and of the fields of a change. A bound is what all databases can store (a key of MySQL has at
most 3072 bytes), or a plausible maximum."""

LONGEST_RATIO = 64  # characters of one aspect ratio

_SCALAR = frozenset({Kind.STRING, Kind.INTEGER, Kind.INSTANT})

DOCUMENTED = frozenset(field.wire for field in FIELDS)  # the wire names

SCALARS: Mapping[str, str] = {
    field.wire: field.column for field in FIELDS if field.kind in _SCALAR and field.column != "template_id"
}
"""Wire name -> column of the single-valued fields without the key."""

COLUMNS: Mapping[str, str] = {field.wire: field.column for field in FIELDS if field.wire not in {"TemplateId", "Tags_en"}}
"""Wire name -> column of all fields without the key; `Tags_en` is stored with `Tags`."""

LISTS = ("consume_items", "tags", "aspect_ratios")
"""The list columns of a document; each has its own table."""

BOUNDS: Mapping[str, int] = {field.wire: field.bound for field in FIELDS}

DECLARATION = hashlib.sha256(repr([field[:4] for field in FIELDS]).encode()).digest()[:15]
"""Hash of the declarations; when it changes, every stored record is parsed again."""

BATCH = 500  # stored documents that are read at a time, to bound memory
MOST_BYTES = 256 * 1024  # bytes of one record; a documented one has about a thousand
MOST_ITEMS = 1000  # items of one list
MOST_FIELDS = 200  # fields of one record
LONGEST_NAME = 200  # characters of a field's name
MOST_NAMES = 1000  # field names that one run reports as new or missing
MOST_EXTRA = 64 * 1024  # characters of all unknown fields of one record, as JSON
DEEPEST = 20  # levels of an unknown field. JSON of MariaDB has at most 32 levels, some of which the document takes
DEEPEST_RECORD = 64
"""Levels of a record that are parsed. Deeper lists and objects are emptied first, because the depth that a parser supports
depends on the interpreter."""
CREDIT_DIGITS = 15  # significant digits of a price, which a double stores exactly
LARGEST_EXPONENT = 50  # largest exponent of an unknown number; larger numbers differ between engines


def storage_flaw(value: str) -> str | None:
    """Describe what no database can store in a string: NUL or an unpaired surrogate; None if it can be stored."""
    if "\x00" in value:
        return "a NUL character"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "bytes that are not UTF-8, or half a surrogate pair"
    return None
