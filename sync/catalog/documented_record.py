"""PURE. A record that is exactly as documented becomes a document in one go, at a fifth of the price of the patient way.

The patient way (`validation`, then `template.document`) is the reference, and gives every reason. What this one takes it reads to
the same document; whatever it is not sure of, an unknown field, a null, a number in another form, it declines.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from sync.catalog.bounds import LARGEST, LONGEST, MOST_BYTES, MOST_ITEMS
from sync.catalog.set_aside import Unreadable
from sync.catalog.template import instant, json_number
from sync.catalog.validation import credit_of, ratios_of

if TYPE_CHECKING:
    from sync.catalog.template import Document


class _Price(msgspec.Struct, forbid_unknown_fields=True):
    Resolution: Annotated[str, Meta(min_length=1, max_length=LONGEST["Resolution"])]
    Credit: msgspec.Raw


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    TemplateId: Annotated[str, Meta(min_length=1, max_length=LONGEST["TemplateId"])]
    MediaId: Annotated[str, Meta(max_length=LONGEST["MediaId"])]
    ServiceId: Annotated[str, Meta(max_length=LONGEST["ServiceId"])]
    Title: Annotated[str, Meta(max_length=LONGEST["Title"])]
    Title_en: Annotated[str, Meta(max_length=LONGEST["Title_en"])]
    Cover: Annotated[str, Meta(max_length=LONGEST["Cover"])]
    CoverAspectRatio: Annotated[str, Meta(max_length=LONGEST["CoverAspectRatio"])]
    PreviewVideo: Annotated[str, Meta(max_length=LONGEST["PreviewVideo"])]
    Duration: Annotated[int, Meta(ge=0, le=LARGEST["Duration"])]
    TemplateType: Annotated[str, Meta(max_length=LONGEST["TemplateType"])]
    InputRequirement: Annotated[str, Meta(max_length=LONGEST["InputRequirement"])]
    InputNum: Annotated[int, Meta(ge=0, le=LARGEST["InputNum"])]
    ReleaseOnlineTime: Annotated[int, Meta(ge=0, le=LARGEST["ReleaseOnlineTime"])]
    ConsumeItems: Annotated[list[_Price], Meta(max_length=MOST_ITEMS)]
    Tags: Annotated[list[Annotated[str, Meta(max_length=LONGEST["Tags"])]], Meta(max_length=MOST_ITEMS)]
    Tags_en: Annotated[list[Annotated[str, Meta(max_length=LONGEST["Tags_en"])]], Meta(max_length=MOST_ITEMS)]
    SupportAspectRatio: Annotated[str, Meta(max_length=LONGEST["SupportAspectRatio"])]


_decode = msgspec.json.Decoder(_Record).decode
_STRINGS = 28
"""In a record without tags and prices: 17 keys, and 11 values that are strings."""
_STRINGS_OF_A_PRICE = 3
_NUMBER = re.compile(rb"\d{1,15}(?:\.\d{1,15})?")


def read_documented(raw: bytes) -> Document | None:
    """Read one record; None where that takes the patient way."""
    if len(raw) > MOST_BYTES:
        return None
    try:
        record = _decode(raw)
        prices = [{"resolution": each.Resolution, "credit": _credit(bytes(each.Credit))} for each in record.ConsumeItems]
        ratios = _ratios(record.SupportAspectRatio)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unreadable):
        return None
    names, english = record.Tags, record.Tags_en
    strings = _STRINGS + len(names) + len(english) + _STRINGS_OF_A_PRICE * len(prices)
    if len(names) != len(english) or not _holds_nothing_twice(raw, strings):
        return None
    if len(prices) > 1 and len({price["resolution"] for price in prices}) < len(prices):
        return None
    return {
        "template_id": record.TemplateId,
        "media_id": record.MediaId,
        "service_id": record.ServiceId,
        "title": record.Title,
        "title_en": record.Title_en,
        "cover_url": record.Cover,
        "cover_aspect_ratio": record.CoverAspectRatio,
        "preview_video_url": record.PreviewVideo,
        "duration_ms": record.Duration,
        "template_type": record.TemplateType,
        "input_requirement": record.InputRequirement,
        "input_num": record.InputNum,
        "released_at": instant(record.ReleaseOnlineTime),
        "consume_items": prices,
        "tags": [{"name": name, "name_en": name_en} for name, name_en in dict.fromkeys(zip(names, english, strict=True))],
        "aspect_ratios": [*ratios],
        "extra": {},
    }


def _holds_nothing_twice(raw: bytes, strings: int) -> bool:
    """Tell whether a record holds only so many strings, keys included: msgspec takes the last of two equal keys, without a word.

    Each string has two quotes, and no other quotes are left once escaped ones are taken away; that is simple to see only where no
    backslash is escaped. NUL, which no database takes, has to be escaped as well.
    """
    quotes = raw.count(b'"')
    if b"\\" in raw:
        if b"\\\\" in raw or b"\\u0000" in raw:
            return False
        quotes -= raw.count(b'\\"')
    return quotes == 2 * strings


@lru_cache(maxsize=4096)  # a catalog has few different prices, and a decimal is dear to check
def _credit(text: bytes) -> int | float:
    if _NUMBER.fullmatch(text) is None:
        raise Unreadable("Credit is not a number in its plainest form")
    return json_number(credit_of(Decimal(text.decode())))


_ratios = lru_cache(maxsize=256)(ratios_of)
