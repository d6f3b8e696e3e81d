"""The sample catalog and its changes of one week: a pure function of size and seed."""

from __future__ import annotations

import random
from itertools import count as count_from
from itertools import islice
from typing import TYPE_CHECKING, Any

from sync.outputs.commands import Evolution
from sync.sandbox.media_files import PREVIEW_URL, cover_url

if TYPE_CHECKING:
    from collections.abc import Sequence


Record = dict[str, Any]


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Parse `战斗 Battle, 霓虹 Neon` into pairs of Chinese and English."""
    chinese_and_english = (entry.strip().partition(" ") for entry in text.split(","))
    return tuple((chinese, english) for chinese, _, english in chinese_and_english)


# A title is a look, a subject and usually a kind, in the same order in Chinese and English.
_LOOKS = _pairs("""
    战斗 Battle, 霓虹 Neon, 樱花 Cherry Blossom, 星空 Starry Sky, 复古 Retro, 赛博 Cyber, 水墨 Ink Wash, 武侠 Wuxia,
    海底 Undersea, 雪山 Snow Mountain, 沙漠 Desert, 丛林 Jungle, 太空 Space, 末日 Doomsday, 童话 Fairy Tale, 暗黑 Dark,
    校园 Campus, 都市 City, 夏日 Summer, 冬日 Winter, 午夜 Midnight, 黄金 Golden, 水晶 Crystal, 火焰 Flame,
    闪电 Lightning, 月光 Moonlight, 糖果 Candy, 蒸汽 Steam, 像素 Pixel, 黏土 Clay, 宫廷 Palace, 春节 Spring Festival""")
_SUBJECTS = _pairs("""
    舞会 Ball, 婚礼 Wedding, 派对 Party, 骑士 Knight, 公主 Princess, 英雄 Hero, 特工 Agent, 飞车 Car Chase,
    漫步 Stroll, 拥抱 Hug, 重逢 Reunion, 变身 Transformation, 写真 Portrait, 滑板 Skateboard, 街舞 Street Dance, 冒险 Adventure,
    烟花 Fireworks, 走秀 Catwalk, 魔法 Magic, 机甲 Mech, 猫咪 Kitty, 飞龙 Dragon, 列车 Train, 乐队 Band,
    旅行 Journey, 告白 Confession, 生日 Birthday, 球赛 Ball Game, 侦探 Detective, 海盗 Pirate, 天使 Angel, 时光 Time""")
_KINDS = (("", ""), *_pairs("特效 Effect, 大片 Blockbuster, 短片 Short Film, 瞬间 Moment, 挑战 Challenge, 传说 Legend"))
_TAGS = _pairs("""
    🔥Seedance2.0模型 🔥Seedance2.0 Model, 热门 Trending, 单人 Solo, 双人 Duo, 情侣 Couples, 变身 Transformation,
    运镜 Camera Moves, 国风 Chinese Style, 宠物 Pets""")
_MAX_TAGS = 3

_TEMPLATE_TYPES = ("BEGIN_END_FRAME", "BEGIN_FRAME", "REFERENCE_IMAGE")
_INPUTS = (("SINGLE_PERSON", 1), ("DOUBLE_PERSON", 2), ("SINGLE_PET", 1), ("PERSON_AND_PET", 2), ("ANY_IMAGE", 1))
_RATIOS = ("9:16", "1:1", "16:9", "4:3", "3:4")

_RESOLUTIONS = ("480p", "720p", "1080p")
_OFFERS = (("480p",), ("480p", "720p"), ("720p", "1080p"), _RESOLUTIONS)
# Hundredths of a credit per second of video. The first row is the documented one: ten seconds cost 166.5 and 355.2.
_RATES = ((1665, 3552, 7992), (888, 1887, 4218))
_STEP_UP = 2.25  # factor of the price of the next higher resolution
_CUT_FLOOR = 20  # lower prices are not reduced, so that no price reaches 0 after many weeks

_USUAL_COUNT = 280
_HOUR = 3600
_REVIEW = 600  # seconds from upload to release; fixed, so that MediaIds are as distinct as release times


def make_catalog(count: int = _USUAL_COUNT, seed: int = 7) -> list[Record]:
    """Return `count` templates, newest first; the first is the record that Crun's page shows, with media of the sandbox.

    A longer catalog of the same seed begins with the shorter one.
    """
    catalog = [_documented_record()]
    maker = _Maker(f"catalog {seed}", catalog)
    released = catalog[0]["ReleaseOnlineTime"]
    while len(catalog) < count:
        released -= maker.rng.randint(60, 3 * _HOUR)
        catalog.append(maker.record(released))
    return catalog[:count]


def evolve(catalog: Sequence[Record], seed: int) -> tuple[list[Record], Evolution]:
    """Return the catalog as it is a week later, and what changed; `catalog` itself stays as it is.

    Of 280 templates, 2 are removed, 4 repriced, 2 renamed and 2 retagged, and 3 are added at the front. Other sizes change in
    proportion, with at least one of each if there are enough templates.
    """
    maker = _Maker(f"evolve {seed}", catalog)
    rng = maker.rng

    def share(of_usual: int) -> int:
        return max(1, round(of_usual * len(catalog) / _USUAL_COUNT))

    new = _new_records(maker, catalog, share(3))
    shuffled = iter(rng.sample(catalog, len(catalog)))
    repriced = [_reprice(rng, record, turn) for turn, record in enumerate(islice(shuffled, share(4)))]
    renamed = [_rename(maker, record) for record in islice(shuffled, share(2))]
    retagged = [_retag(rng, record) for record in islice(shuffled, share(2))]
    removed = list(islice(shuffled, share(2)))

    removed_ids = set(_ids(removed))
    changed = {record["TemplateId"]: record for record in (*repriced, *renamed, *retagged)}
    kept = [changed.get(record["TemplateId"], record) for record in catalog if record["TemplateId"] not in removed_ids]
    return new + kept, Evolution(_ids(new), _ids(removed), _ids(repriced), _ids(renamed), _ids(retagged))


def _ids(records: list[Record]) -> list[str]:
    return [record["TemplateId"] for record in records]


def _new_records(maker: _Maker, catalog: Sequence[Record], count: int) -> list[Record]:
    """Create templates that are newer than all of `catalog`, newest first."""
    released = max((record["ReleaseOnlineTime"] for record in catalog), default=_documented_record()["ReleaseOnlineTime"])
    new = []
    for _ in range(count):
        released += maker.rng.randint(_HOUR, 48 * _HOUR)
        new.append(maker.record(released))
    return new[::-1]


def _reprice(rng: random.Random, record: Record, turn: int) -> Record:
    """Change one price; every fourth time, from the second on, add or remove a resolution instead."""
    change = _change_resolutions if turn % 4 == 1 else _move_price
    return {**record, "ConsumeItems": change(rng, record["ConsumeItems"])}


def _move_price(rng: random.Random, items: list[Record]) -> list[Record]:
    """Reduce the lowest price or raise the highest, so that prices still rise with the resolution."""
    lowest, highest = items[0], items[-1]
    if lowest["Credit"] > _CUT_FLOOR and rng.getrandbits(1):
        return [{**lowest, "Credit": round(lowest["Credit"] * 0.9, 1)}, *items[1:]]
    return [*items[:-1], {**highest, "Credit": round(highest["Credit"] * 1.1, 1)}]


def _change_resolutions(rng: random.Random, items: list[Record]) -> list[Record]:
    """Add the next resolution above or below, or remove the highest."""
    lowest, highest = items[0], items[-1]
    full = len(items) == len(_RESOLUTIONS)
    if full or (len(items) > 1 and rng.getrandbits(1)):
        return items[:-1]
    if highest["Resolution"] != _RESOLUTIONS[-1]:
        return [*items, _neighbour(highest, 1)]
    return [_neighbour(lowest, -1), *items]


def _neighbour(item: Record, step: int) -> Record:
    resolution = _RESOLUTIONS[_RESOLUTIONS.index(item["Resolution"]) + step]
    return {"Resolution": resolution, "Credit": round(item["Credit"] * _STEP_UP**step, 1)}


def _rename(maker: _Maker, record: Record) -> Record:
    title, title_en = maker.title()
    return {**record, "Title": title, "Title_en": title_en}


def _retag(rng: random.Random, record: Record) -> Record:
    """Add a tag, or remove one if the template has the maximum number; the order alone never changes."""
    tags = list(zip(record["Tags"], record["Tags_en"], strict=True))
    if len(tags) < _MAX_TAGS:
        tags.append(rng.choice([tag for tag in _TAGS if tag not in tags]))
    else:
        tags.pop(rng.randrange(len(tags)))
    return {**record, "Tags": [name for name, _ in tags], "Tags_en": [name_en for _, name_en in tags]}


class _Maker:
    """Creates records with unique IDs and titles, also in respect to `catalog`."""

    def __init__(self, seed: str, catalog: Sequence[Record]) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - reproducible sample data
        self._ids = {record[field] for record in catalog for field in ("TemplateId", "ServiceId")}
        self._titles = {record["Title"] for record in catalog}

    def record(self, released: int) -> Record:
        rng = self.rng
        title, title_en = self.title()
        tags = rng.sample(_TAGS, rng.randint(1, _MAX_TAGS))
        requirement, images = rng.choice(_INPUTS)
        seconds = rng.randint(4, 15)
        ratios = _RATIOS[: rng.randint(1, len(_RATIOS))]
        uploaded = released - _REVIEW
        media_id, cover_id = self._media_id(uploaded), self._media_id(uploaded - rng.randint(20, 120))
        signature = f"{rng.getrandbits(128):032x}"
        duration = seconds * 1000 + rng.randrange(200)
        service_id, template_id = self._id(), self._id()
        template_type = rng.choice(_TEMPLATE_TYPES)
        prices = self._prices(seconds)
        ratio = rng.choice(ratios)
        return {
            "MediaId": media_id,
            "Title": title,
            "Cover": f"{cover_url(template_id, ratio)}?media_id={cover_id}&signature={signature}",
            "Duration": duration,
            "PreviewVideo": f"{PREVIEW_URL}?media_id={media_id}",
            "Tags": [name for name, _ in tags],
            "ServiceId": service_id,
            "TemplateId": template_id,
            "TemplateType": template_type,
            "InputRequirement": requirement,
            "InputNum": images,
            "ReleaseOnlineTime": released,
            "ConsumeItems": prices,
            "Title_en": title_en,
            "Tags_en": [name_en for _, name_en in tags],
            "CoverAspectRatio": ratio,
            "SupportAspectRatio": ",".join(ratios),
        }

    def title(self) -> tuple[str, str]:
        """Return a new title in Chinese and English, with a number if it is used already."""
        words = [self.rng.choice(words) for words in (_LOOKS, _SUBJECTS, _KINDS)]
        title = "".join(chinese for chinese, _ in words)
        title_en = " ".join(english for _, english in words if english)
        suffixes = ("" if number == 1 else f" {number}" for number in count_from(1))
        suffix = next(suffix for suffix in suffixes if title + suffix not in self._titles)
        self._titles.add(title + suffix)
        return title + suffix, title_en + suffix

    def _prices(self, seconds: int) -> list[Record]:
        rates = dict(zip(_RESOLUTIONS, self.rng.choice(_RATES), strict=True))
        return [{"Resolution": offered, "Credit": rates[offered] * seconds / 100} for offered in self.rng.choice(_OFFERS)]

    def _media_id(self, second: int) -> str:
        # As the documented IDs: the time in the upper half, then 32 random bits.
        return str((second << 32) | self.rng.getrandbits(32))

    def _id(self) -> str:
        while True:
            drawn = str(self.rng.randint(100_000_000, 999_999_999))
            if drawn not in self._ids:
                self._ids.add(drawn)
                return drawn


def _documented_record() -> Record:
    return {
        "MediaId": "7642552612302307355",
        "Title": "战斗游戏",
        "Cover": cover_url("104909826", "9:16"),
        "Duration": 10123,
        "PreviewVideo": PREVIEW_URL,
        "Tags": ["🔥Seedance2.0模型"],
        "ServiceId": "217677058",
        "TemplateId": "104909826",
        "TemplateType": "BEGIN_END_FRAME",
        "InputRequirement": "SINGLE_PERSON",
        "InputNum": 1,
        "ReleaseOnlineTime": 1779421051,
        "ConsumeItems": [{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 355.2}],
        "Title_en": "Battle Game",
        "Tags_en": ["🔥Seedance2.0 Model"],
        "CoverAspectRatio": "9:16",
        "SupportAspectRatio": "9:16,1:1,16:9,4:3,3:4",
    }
