"""Escaping and formatting of values of the catalog for a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sync.catalog.document import DOCUMENT_KEYS
from sync.catalog.feed import REASONS
from sync.reader.catalog_dump import Event
from sync.reader.stored_templates import Stored
from sync.site import words
from sync.site.cards import RATIOS, card, marks_of, page_name, price_range, ratio_class, safe_url
from sync.site.data import script
from tests.catalog.runs import base, document_of

LAST = datetime(2026, 1, 20, 12, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", " https://a.example/", "https:/a.example", "http://a.example/x.png",
        "data:image/png;base64,AA", "//a.example/x", "https://", "https://u:p@a.example/x", "https://a.example/x y",
        'https://a.example/"onerror=', "https://a.example/\u0000", "https://[::1", "https://a.example:x/",
        "file:///etc/passwd", "", None,
    ],
)  # fmt: skip
def test_a_url_that_is_not_plain_https_is_not_used(url: str | None) -> None:
    assert safe_url(url) is None


def test_a_plain_https_url_is_used_unchanged() -> None:
    for url in ("https://a.example/x.png?sig=1&b=%20#f", "https://a.example:8443/猫.png"):
        assert safe_url(url) == url


def test_the_page_of_an_id_that_is_not_a_plain_name_is_named_by_a_hash() -> None:
    assert page_name("104909826") == "104909826.html"
    strange = ["../../etc/passwd", "a/b", "", ".", "..", "-x", "猫", "a" * 101, "CON ", "a\n", "~x"]
    names = {page_name(each) for each in strange}
    assert len(names) == len(strange)
    assert all(name[0] == "~" and name[1:33].isalnum() and name[33:] == ".html" for name in names)


RATIO_SHOWN = {
    "9:16": "9:16", "16:9": "16:9", "1:1": "1:1", "10:16": "2:3",
    **dict.fromkeys(("0:1", "x", "1e999:1", None, "nan:1", "-1:1"), "9:16"),
}  # fmt: skip


@pytest.mark.parametrize("ratio", RATIO_SHOWN)
def test_a_cover_has_the_nearest_supported_ratio(ratio: str | None) -> None:
    assert RATIOS[ratio_class(ratio)] == RATIO_SHOWN[ratio]


def test_prices_are_shown_as_a_range_one_number_or_nothing() -> None:
    assert price_range([355.2, 166.5]) == "166.5 \u2013 355.2"
    assert price_range([99]) == "99"
    assert price_range([]) is None


def card_of(copies: dict[str, str], **fields: Any) -> dict[str, Any]:
    return card(Stored(document_of(base("1", **fields)), "", LAST, LAST, None, 1, 1, None), copies)


def test_a_card_has_the_values_of_its_template() -> None:
    cover, preview = "https://media.example/1.jpeg", "https://media.example/1.mp4"
    shown = card_of(
        {cover: "media/1.jpeg"}, Title="战\u202e", Title_en="Fight", Cover=f"{cover}?x=1", PreviewVideo=f"{preview}?x=1",
        CoverAspectRatio="16:9", ConsumeItems=[{"Resolution": "720p", "Credit": 2}, {"Resolution": "480p", "Credit": 1.5}],
        Tags=["热门"], Tags_en=["Hot\u202e"],
    )  # fmt: skip
    assert shown == {
        "id": "1", "page": "1.html", "title": "战\\u202e", "title_en": "Fight", "glyph": ("F", "战"),
        "cover": "media/1.jpeg", "preview": f"{preview}?x=1", "ratio": RATIOS.index("16:9"), "tone": 6, "price": "1.5 \u2013 2",
        "tags": [("热门", "Hot\\u202e")],
    }  # fmt: skip


@pytest.mark.parametrize(("title", "title_en", "shown"), [
    ("战斗", None, ("战斗", "", ("战", "战"))), (None, "Fight", ("", "Fight", ("F", "F"))), (None, None, ("", "1", ("1", "1"))),
])  # fmt: skip
def test_a_card_shows_one_title_twice_or_the_id(title: str | None, title_en: str | None, shown: tuple[Any, ...]) -> None:
    values = card_of({}, Title=title, Title_en=title_en, Cover=None, Tags=["新"], Tags_en=None)
    assert (values["title"], values["title_en"], values["glyph"]) == shown
    assert (values["cover"], values["tags"]) == (None, [("新", "新")])


def marks(*events: tuple[int, timedelta, str, str, tuple[Any, ...]]) -> tuple[dict[str, str], dict[str, int]]:
    """Return the marks after events (run, time before the last event, template, kind, prices); run 1 is the first fill."""
    found = [
        Event(seq, run, LAST - before, template_id, kind, tuple(
            {"field": f"consume_items.{resolution}", "old": old, "new": new} for resolution, old, new in prices
        ), None, ())
        for seq, (run, before, template_id, kind, prices) in enumerate(events, 1)
    ]  # fmt: skip
    dump: Any = SimpleNamespace(events=tuple(found), filled_run_id=1)
    return marks_of(dump)


NOW, DAY = timedelta(0), timedelta(days=1)


def test_an_addition_is_new_for_two_weeks_unless_it_is_of_the_first_fill() -> None:
    assert marks((1, NOW, "1", "added", ()), (2, NOW, "2", "added", ())) == ({"2": "2026-01-20T12:00:00Z"}, {})
    assert marks(
        (2, 14 * DAY + timedelta(seconds=1), "1", "added", ()),
        (3, 14 * DAY, "2", "added", ()),
        (4, 3 * DAY, "3", "added", ()),
        (5, 2 * DAY, "3", "removed", ()),
        (6, 1 * DAY, "3", "added", ()),
        (7, NOW, "2", "changed", ()),
    ) == ({"2": "2026-01-06T12:00:00Z", "3": "2026-01-19T12:00:00Z"}, {})


PERCENT: dict[tuple[tuple[str, float | None, float | None], ...], int | None] = {
    (("720p", 1, 2),): 100, (("720p", 3, 4),): 33, (("720p", 100, 50),): -50, (("720p", 200, 200.5),): 1,
    (("720p", 200, 199.5),): -1, (("720p", 100, 100.7),): 1, (("720p", 5, None),): None, (("720p", None, 5),): None,
    (("720p", 0, 5),): None, (("480p", 5, None), ("720p", 100, 110), ("1080p", 100, 150)): 10, (): None,
}  # fmt: skip


@pytest.mark.parametrize("prices", PERCENT)
def test_a_card_shows_the_first_moved_price_in_percent(prices: tuple[Any, ...]) -> None:
    percent = PERCENT[prices]
    assert marks((2, NOW, "1", "changed", prices)) == ({}, {} if percent is None else {"1": percent})


def test_a_card_shows_the_newest_price_change() -> None:
    changes = [(run, NOW, "1", "changed", (("720p", *moved),)) for run, moved in ((2, (100, 200)), (3, (200, 300)))]
    assert marks(*changes) == ({}, {"1": 50})


def test_data_in_a_script_element_cannot_end_the_element() -> None:
    written = script("x", "</script><!--&\u2028\u2029")
    assert written == 'window.x = "\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\\u2029";\n'


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"field": "consume_items.480p", "old": None, "new": 99.9}, ("Price at 480p", "480p 价格", "none → 99.9", "无 → 99.9")),
        (
            {"field": "template_type", "old": "BEGIN_FRAME", "new": "BEGIN_END_FRAME"},
            ("Type", "类型", "First frame → First and last frame", "首帧 → 首尾帧"),
        ),
        ({"field": "input_requirement", "old": "A_NEW_WORD", "new": "free Text_"},
         ("Input", "图片要求", "A new word → free Text_", "A new word → free Text_")),
        ({"field": "duration_ms", "old": 999_900, "new": None}, ("Length", "时长", "999.9 s → none", "999.9 s → 无")),
        ({"field": "aspect_ratios", "old": ["9:16", "1:1"], "new": []},
         ("Supported ratios", "支持画幅", "9:16, 1:1 → none", "9:16, 1:1 → 无")),
        ({"field": "tags", "gained": [{"name": "热", "name_en": "Hot"}], "lost": [{"name": "冬", "name_en": None}]},
         ("Tags", "标签", "+Hot  −冬", "+热  −冬")),
        ({"field": "title", "old": "👩\u200d🚀", "new": ""}, ("Chinese title", "中文标题", *('👩\u200d🚀 → ""',) * 2)),
        ({"field": "extra.Mood", "old": "\u202ea", "new": "b"}, ("extra.Mood", "extra.Mood", "\\u202ea → b", "\\u202ea → b")),
    ],
)  # fmt: skip
def test_a_change_is_described_in_both_languages(changed: dict[str, Any], shown: tuple[str, ...]) -> None:
    assert (*words.field(changed["field"]), *words.change(changed)) == shown


WORDS = """
template_id: Template ID, 模板编号 | title: Chinese title, 中文标题 | title_en: English title, 英文标题 | tags: Tags, 标签
template_type: Type, 类型 | input_requirement: Input, 图片要求 | input_num: Images, 图片数 | duration_ms: Length, 时长
cover_aspect_ratio: Cover ratio, 封面画幅 | aspect_ratios: Supported ratios, 支持画幅 | released_at: Released, 发布时间
media_id: Media ID, 媒体编号 | service_id: Service ID, 服务编号 | cover_url: Cover, 封面地址
preview_video_url: Preview, 预览地址 | BEGIN_FRAME: First frame, 首帧 | BEGIN_END_FRAME: First and last frame, 首尾帧
REFERENCE_IMAGE: Reference image, 参考图 | ANY_IMAGE: Any image, 任意图片
SINGLE_PERSON: One person, 单人 | DOUBLE_PERSON: Two people, 双人
SINGLE_PET: One pet, 单只宠物 | PERSON_AND_PET: A person and a pet, 一人一宠 | more-images: more images, 图片数增加
fewer-images: fewer images, 图片数减少
images-stated: number of images stated, 图片数已注明 | type: other type, 类型改变 | requirement: other input, 图片要求改变
resolution-gone:a:b: without a:b, 不再提供 a:b | ratio-gone:9:16: without 9:16, 不再支持 9:16
of-a-later-version:x: of-a-later-version, of-a-later-version
"""


def test_every_field_known_value_and_reason_has_a_text_in_both_languages() -> None:
    shown = {}
    for line in WORDS.replace(" | ", "\n").strip().splitlines():
        name, _, both = line.rpartition(": ")
        shown[name] = tuple(both.split(", "))
    find = {
        True: lambda name: words.reasons((name,)),
        False: lambda name: words.field(name) if name.islower() else words.word(name),
    }
    of_reasons = {name: name.partition(":")[0] in {*REASONS, "of-a-later-version"} for name in shown}
    assert {name: find[of_reasons[name]](name) for name in shown} == shown
    assert {*words.FIELDS} == {*DOCUMENT_KEYS} - {"consume_items", "extra"}
    assert {*REASONS} - {name.partition(":")[0] for name in shown} == {"removed"}
    assert words.reasons(("type", "requirement")) == ("other type, other input", "类型改变，图片要求改变")
