"""A catalog of any size in four versions, as serialised records; equal sizes give equal bytes.

v1  the first catalog
v2  of v1, 1 % changed (title, price, tags and duration in turn), 0.5 % removed, 0.5 % added in front
v3  v1 with a new signature in every cover URL, which is not a change
v4  v2 without its removals: the difference is the cost of the second confirmation
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

CHANGED, REMOVED, ADDED = 0.01, 0.005, 0.005
SIGNED, NEW_SIGNATURE = b"x-expires=1790000000", b"x-expires=1790086400"
_NEWEST = 1_790_000_000
_HOSTS = 9
_TAGS = (
    ("热门", "Trending"), ("节日", "Festival"), ("情侣", "Couples"), ("宠物", "Pets"), ("动漫", "Anime"), ("旅行", "Travel"),
    ("变装", "Outfit Change"), ("国风", "Chinese Style"), ("写真", "Portrait"), ("亲子", "Family"), ("科幻", "Science Fiction"),
)  # fmt: skip
_WORDS = (
    ("星", "Star"), ("海", "Sea"), ("雪", "Snow"), ("夜", "Night"), ("光", "Light"), ("影", "Shadow"), ("风", "Wind"),
    ("月", "Moon"), ("花", "Flower"), ("城", "City"), ("山", "Hill"), ("河", "River"), ("云", "Cloud"), ("火", "Fire"),
)  # fmt: skip
_RATIOS = ("9:16", "16:9", "1:1", "3:4", "4:3")
_RESOLUTIONS = ("480p", "720p", "1080p")
_INPUTS = (("SINGLE_PERSON", 1), ("DOUBLE_PERSON", 2), ("SINGLE_PET", 1), ("ANY_IMAGE", 1))
_TYPES = ("BEGIN_END_FRAME", "BEGIN_FRAME", "REFERENCE_IMAGE")


@dataclass(frozen=True, slots=True)
class Catalog:
    """One version of the catalog: its records as JSON, by id, in the order served."""

    records: list[bytes]
    places: dict[str, int]
    new_signatures: bool = False


def make_versions(templates: int) -> dict[str, Catalog]:
    """Make the versions of a catalog of so many templates; they share what they have in common."""
    first = [_record(number) for number in range(1, templates + 1)]
    chosen = random.Random(templates).sample(range(templates), _share(templates, CHANGED) + _share(templates, REMOVED))  # noqa: S311 - sample data
    changed, removed = chosen[: _share(templates, CHANGED)], set(chosen[_share(templates, CHANGED) :])
    turns = {place: turn for turn, place in enumerate(changed)}
    later = [(key, _changed(raw, turns[place]) if place in turns else raw) for place, (key, raw) in enumerate(first)]
    new = [_record(-number) for number in range(_share(templates, ADDED), 0, -1)]
    v1 = _catalog(first)
    v2 = _catalog(new + [each for place, each in enumerate(later) if place not in removed])
    return {"v1": v1, "v2": v2, "v3": Catalog(v1.records, v1.places, new_signatures=True), "v4": _catalog(new + later)}


def _share(templates: int, share: float) -> int:
    return max(1, round(templates * share))


def _catalog(listed: list[tuple[str, bytes]]) -> Catalog:
    return Catalog([raw for _, raw in listed], {key: place for place, (key, _) in enumerate(listed)})


def _record(number: int) -> tuple[str, bytes]:
    """Make one record and its id, with fields, lengths and variety like the documented one's; negative numbers are later ones."""
    chance = random.Random(number)  # noqa: S311 - sample data
    words, tags = chance.choices(_WORDS, k=4), chance.sample(_TAGS, chance.randint(1, 3))
    requirement, images = chance.choice(_INPUTS)
    seconds, ratios = chance.randint(4, 15), _RATIOS[: chance.randint(1, len(_RATIOS))]
    key, media, file = str(500_000_000 + number), str((_NEWEST << 32) - number), f"{chance.getrandbits(128):032x}"
    storage = f"https://p{number % _HOSTS}-templates.example/objects"
    prices = enumerate(_RESOLUTIONS[: chance.randint(1, 3)], 1)
    return key, _serialised({
        "MediaId": media,
        "Title": "".join(chinese for chinese, _ in words),
        "Cover": f"{storage}/{media}/{file}~tplv-noop.image?rk3s={file[:8]}&{SIGNED.decode()}&x-signature={file[8:24]}%3D",
        "Duration": seconds * 1000 + chance.randrange(200),
        "PreviewVideo": f"{storage}/{media}_transcode_video_mp4_480p_h264/{file[::-1]}.mp4",
        "Tags": [name for name, _ in tags],
        "ServiceId": str(217_677_058 + chance.randrange(9)),
        "TemplateId": key,
        "TemplateType": chance.choice(_TYPES),
        "InputRequirement": requirement,
        "InputNum": images,
        "ReleaseOnlineTime": _NEWEST - 601 * number,
        "ConsumeItems": [{"Resolution": name, "Credit": seconds * 1665 * step / 100} for step, name in prices],
        "Title_en": " ".join(english for _, english in words),
        "Tags_en": [name_en for _, name_en in tags],
        "CoverAspectRatio": chance.choice(ratios),
        "SupportAspectRatio": ",".join(ratios),
    })  # fmt: skip


def _serialised(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _changed(raw: bytes, turn: int) -> bytes:
    record = json.loads(raw)
    if turn % 4 == 0:
        record["Title"] += "新"
    elif turn % 4 == 1:
        record["ConsumeItems"][0]["Credit"] += 0.5
    elif turn % 4 == 2:  # noqa: PLR2004 - the third of four kinds
        name, name_en = next(tag for tag in _TAGS if tag[0] not in record["Tags"])
        record["Tags"], record["Tags_en"] = [*record["Tags"][1:], name], [*record["Tags_en"][1:], name_en]
    else:
        record["Duration"] += 1000
    return _serialised(record)
