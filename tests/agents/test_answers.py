"""Answers of the tools: the values of the catalog as JSON, escaping and size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import to_builtins

from sync.agents.answers import (
    TooLargeError,
    change,
    escape_and_truncate,
    fit_to_limit,
    fits,
    status,
    template_as,
)
from sync.outputs import tools
from sync.outputs.catalog import built
from sync.outputs.tools import TemplateSummary, WholeTemplate
from sync.reader.values import CatalogStatus, Change, FieldChange, Price, PricePeriod, Tag, Template


def test_control_characters_are_escaped() -> None:
    assert escape_and_truncate({"a\x1b": ["x\u202ey\x00\n", 1, None, True]}) == {"a\\x1b": ["x\\u202ey\\x00\\n", 1, None, True]}
    assert escape_and_truncate("\ud800") == "\\ud800"


def lists(levels: int, within: Any = 1) -> Any:
    return [lists(levels - 1, within)] if levels else within


@pytest.mark.parametrize("answer", [
    {"title": "战斗游戏 🔥", "tags": ["x" * 2000], "n": 1.5},
    {"text": "y" * 2000, "list": [0] * 200, "deep": lists(20), "empty": lists(20, [])},
])  # fmt: skip
def test_an_answer_within_the_limits_is_unchanged(answer: dict[str, Any]) -> None:
    assert fit_to_limit(answer) == answer


def test_no_key_of_an_answer_is_lost() -> None:
    keys = [f"key{number}" for number in range(20)]
    assert [*fit_to_limit({key: ["x" * 2000] * 10 for key in keys})] == [*keys, "shortened"]


def test_an_answer_that_cannot_be_truncated_enough_is_refused() -> None:
    def nested(levels: int) -> Any:
        return {f"k{number}": nested(levels - 1) for number in range(20)} if levels else "x" * 100

    with pytest.raises(TooLargeError):
        fit_to_limit({"extra": nested(3)})


def test_an_answer_has_at_most_24000_bytes_and_may_contain_a_surrogate() -> None:
    texts = ("a" * 23_991, "a" * 23_992, "战" * 12_000, "\ud800")
    assert [fits({"x": text}) for text in texts] == [True, False, False, True]


@pytest.mark.parametrize(("large", "longest", "most", "deepest"), [
    ([], 2000, 200, 20), ([["x" * 2000] * 20], 500, 50, 20), ([["x" * 2000] * 50], 100, 10, 20),
    ([[["x" * 2000] * 10] * 10] * 3, 40, 3, 5),
])  # fmt: skip
def test_larger_answers_are_truncated_more(large: list[Any], longest: int, most: int, deepest: int) -> None:
    given = {"text": "y" * 2001, "list": [0] * 201, "deep": lists(21)}
    expected = {"text": "y" * longest + "… (cut)", "list": [0] * most, "deep": lists(deepest, "… (cut)"), "shortened": True}
    cut = fit_to_limit({**given, "large": large})
    assert {name: cut[name] for name in expected} == expected


def test_the_default_limits_of_a_single_value() -> None:
    assert escape_and_truncate("x" * 2000) == "x" * 2000
    assert escape_and_truncate("x" * 2001) == "x" * 2000 + "… (cut)"
    assert escape_and_truncate([0] * 201) == [0] * 200
    assert escape_and_truncate(lists(21)) == lists(21)
    assert escape_and_truncate(lists(22)) == lists(21, "… (cut)")


def test_keys_are_truncated_and_scalars_are_kept_at_any_depth() -> None:
    assert escape_and_truncate({"abc\x1b": "abc\x1b"}, 2) == {"ab… (cut)": "ab… (cut)"}
    assert escape_and_truncate([1, "", [], {}, None, {"a": {}}], 0, 9, 0) == [1, "", [], {}, None, "… (cut)"]
    assert escape_and_truncate({"a": [1], "b": []}, 9, 9, 0) == {"a": "… (cut)", "b": []}


def test_an_object_of_an_answer_keeps_twenty_keys_and_deeper_ones_fewer() -> None:
    many = {f"k{number:02}": number for number in range(30)}
    assert len(escape_and_truncate(many, 9, 2, 3)) == 20
    assert len(escape_and_truncate(many, 9, 25, 3)) == 25
    assert escape_and_truncate(many, 9, 2, 2) == {"k00": 0, "k01": 1}


def test_only_texts_for_later_calls_are_kept_up_to_their_maximum_length() -> None:
    names = ("after", "cursor", "template_id")
    assert escape_and_truncate(dict.fromkeys(names, "x" * 4000), 11) == dict.fromkeys(names, "x" * 4000)
    assert escape_and_truncate(dict.fromkeys(names, "x" * 4001), 11) == dict.fromkeys(names, "x" * 11 + "… (cut)")
    nested = fit_to_limit({"after": "a" * 4000, "rows": [{"template_id": "i" * 255, "extra": ["x" * 3000] * 100}]})
    assert (nested["after"], nested["rows"][0]["template_id"]) == ("a" * 4000, "i" * 255)
    assert len(nested["rows"][0]["extra"]) < 100
    other = {"after": ["x" * 12], "cursor": {"a": "x" * 12}, "template_id": 1, "title": "x" * 12}
    cut = "x" * 11 + "… (cut)"
    assert escape_and_truncate(other, 11) == {"after": [cut], "cursor": {"a": cut}, "template_id": 1, "title": cut}


def test_an_escaped_answer_is_not_marked_as_shortened() -> None:
    assert fit_to_limit({"title": "a\x1b", "text": "\x1b" * 2000}) == {"title": "a\\x1b", "text": "\\x1b" * 2000}


# Forms ------------------------------------------------------------------------------------------------------------------

DAY = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = Template(
    template_id="1", media_id="m", service_id="s", title="猫", title_en="Cat", cover_url="https://m.example/c.jpeg",
    cover_aspect_ratio="9:16", preview_video_url="https://m.example/p.mp4", duration_ms=5000, template_type="BEGIN_END_FRAME",
    input_requirement="SINGLE_PERSON", input_num=2, released_at=DAY, tags=(Tag("热", "Hot"), Tag("舞", None)),
    prices=(Price("480p", Decimal("166.5")), Price("720p", Decimal(400))), aspect_ratios=("9:16", "1:1"),
    extra=MappingProxyType({"Later": (1, MappingProxyType({"a": (2,)}))}), content_hash="c" * 64,
    first_seen_at=DAY + timedelta(days=1), changed_at=DAY + timedelta(days=2), removed_at=DAY + timedelta(days=3),
    first_seen_run_id=1, changed_run_id=2, removed_run_id=3,
)  # fmt: skip
IN_SHORT: dict[str, Any] = {
    "template_id": "1", "title": "猫", "title_en": "Cat", "template_type": "BEGIN_END_FRAME",
    "input_requirement": "SINGLE_PERSON", "input_num": 2, "duration_ms": 5000, "released_at": "2026-01-01T00:00:00Z",
    "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 400}],
    "tags": [{"name": "热", "name_en": "Hot"}, {"name": "舞", "name_en": None}], "aspect_ratios": ["9:16", "1:1"],
    "cover_url": "https://m.example/c.jpeg",
}  # fmt: skip
WHOLE: dict[str, Any] = {
    **IN_SHORT, "media_id": "m", "service_id": "s", "cover_aspect_ratio": "9:16",
    "preview_video_url": "https://m.example/p.mp4", "extra": {"Later": [1, {"a": [2]}]},
    "first_seen_at": "2026-01-02T00:00:00Z", "changed_at": "2026-01-03T00:00:00Z", "removed_at": "2026-01-04T00:00:00Z",
}  # fmt: skip


def test_the_long_and_the_short_form_of_a_template() -> None:
    assert to_builtins(template_as(WholeTemplate, TEMPLATE)) == WHOLE
    assert to_builtins(template_as(TemplateSummary, TEMPLATE)) == IN_SHORT


def test_the_form_of_a_change() -> None:
    found = Change(
        seq=7, cursor="c", run_id=3, at=DAY, kind="changed", template_id="1",
        fields=(FieldChange(field="aspect_ratios", old=("9:16",), new=("9:16", "1:1")),), prices=(), breaking=("price",),
        evidence="lookup", template=TEMPLATE,
    )  # fmt: skip
    assert to_builtins(change(found)) == {
        "seq": 7, "run_id": 3, "at": "2026-01-01T00:00:00Z", "template_id": "1", "kind": "changed",
        "fields": [{"field": "aspect_ratios", "old": ["9:16"], "new": ["9:16", "1:1"]}], "evidence": "lookup",
        "breaking": ["price"], "title": "猫", "title_en": "Cat",
    }  # fmt: skip


def test_a_current_price_has_no_end() -> None:
    held = PricePeriod(template_id="1", resolution="480p", credit=Decimal("0.5"), valid_from=DAY, valid_until=None)
    written = {"resolution": "480p", "credit": 0.5, "valid_from": "2026-01-01T00:00:00Z", "valid_until": None}
    assert to_builtins(built(tools.PricePeriod, held)) == written


@pytest.mark.parametrize(("success", "age", "seconds"), [
    (DAY, timedelta(seconds=1.23456), 1.235), (None, None, None),
])  # fmt: skip
def test_the_age_in_a_status_has_milliseconds(success: datetime | None, age: timedelta | None, seconds: float | None) -> None:
    counts = {"present": 5, "held": 1, "unconfirmed": 3, "oldest_seq": 2, "last_seq": 9}
    found = CatalogStatus(
        last_success_at=success, last_success_age=age, last_change_at=None, feed_epoch="e", cursor="c", **counts
    )
    assert to_builtins(status(found)) == {
        **counts, "last_success_at": success and "2026-01-01T00:00:00Z", "last_success_age_seconds": seconds,
        "last_change_at": None, "cursor": "c",
    }  # fmt: skip
