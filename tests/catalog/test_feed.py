"""The change feed: changed fields and prices of a template, breaking changes, cursors."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.catalog.diff import ChangeSet
from sync.catalog.document import content_hash
from sync.catalog.feed import (
    CHAINED,
    REASONS,
    Cursor,
    apply_fields,
    breaking,
    changed_fields,
    price_moves,
)
from sync.catalog.served_records import wire_hash
from tests.catalog.runs import BASE, base, compared, document_of, published, wire

UNPUBLISHED: dict[str, dict[str, Any]] = {
    "tags turned round": {"Tags": ["新", "热"], "Tags_en": ["New", "Hot"]},
    "ratios turned round": {"SupportAspectRatio": "1:1,9:16"},
    "prices turned round": {"ConsumeItems": BASE["ConsumeItems"][::-1]},  # type: ignore[index]  # it is the list above
    "a URL with a new signature": {"Cover": "https://m.example/c.jpeg?sig=2"},
    "a URL signed": {"PreviewVideo": "https://m.example/p.mp4?sig=1"},
    "a URL with a new signature in an unknown field": {"Later": {"a": [1, 2], "url": "https://m.example/x?sig=2"}},
}


@pytest.mark.parametrize("changes", UNPUBLISHED.values(), ids=UNPUBLISHED)
def test_an_insignificant_difference_is_stored_and_not_published(changes: dict[str, Any]) -> None:
    found = compared([base()], [base(**changes)])
    (after,) = found.changes.unpublished
    before = document_of(base())
    assert (found.changes.changes, found.changes.unchanged) == ((), 1)
    assert found.document(after) != before
    assert content_hash(found.document(after)) == content_hash(before)
    assert after.wire_hash == wire_hash(wire(base(**changes)))


RESPELLED: dict[str, dict[str, Any]] = {
    "a price's keys turned round": {
        "ConsumeItems": [{"Credit": 166.5, "Resolution": "480p"}, {"Credit": 355.2, "Resolution": "720p"}],
    },
    "a number written as a float": {"Duration": 10123.0},
    "an unknown number written as a float": {"Later": {"a": [1.0, 2], "url": "https://m.example/x?sig=1"}},
    "keys turned round": {"Later": {"url": "https://m.example/x?sig=1", "a": [1, 2]}},
    "spaces among ratios": {"SupportAspectRatio": " 9:16 , 1:1,"},
}  # fmt: skip


@pytest.mark.parametrize("changes", RESPELLED.values(), ids=RESPELLED)
def test_equal_values_in_another_notation_change_only_the_wire_hash(changes: dict[str, Any]) -> None:
    rehashed = {"1": wire_hash(wire(base(**changes)))}
    assert compared([base()], [base(**changes)]).changes == ChangeSet(rehashed=rehashed, unchanged=1)


PUBLISHED: dict[str, tuple[dict[str, Any], str, Any, Any]] = {
    "a title": ({"Title": "新"}, "title", "战斗游戏", "新"),
    "a title with a space more": ({"Title_en": "Battle Game "}, "title_en", "Battle Game", "Battle Game "),
    "a title that is empty": ({"Title": ""}, "title", "战斗游戏", ""),
    "a title that is null": ({"Title": None}, "title", "战斗游戏", None),
    "a title that only this template lacks": ({"Title": ...}, "title", "战斗游戏", None),
    "a duration": ({"Duration": 0}, "duration_ms", 10123, 0),
    "a release": ({"ReleaseOnlineTime": 0}, "released_at", "2026-05-22T03:37:31Z", "1970-01-01T00:00:00Z"),
    "another file": ({"Cover": "https://m.example/d.jpeg?sig=1"}, "cover_url", BASE["Cover"], "https://m.example/d.jpeg?sig=1"),
    "a ratio more": ({"SupportAspectRatio": "9:16,1:1,4:3"}, "aspect_ratios", ["9:16", "1:1"], ["9:16", "1:1", "4:3"]),
    "no ratio": ({"SupportAspectRatio": None}, "aspect_ratios", ["9:16", "1:1"], []),
    "an unknown field": ({"Later": 1}, "extra.Later", BASE["Later"], 1),
    "an unknown field in another order": (
        {"Later": {"a": [2, 1], "url": "https://m.example/x?sig=1"}}, "extra.Later", BASE["Later"],
        {"a": [2, 1], "url": "https://m.example/x?sig=1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "field", "old", "new"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_change_has_the_old_and_the_new_value(changes: dict[str, Any], field: str, old: Any, new: Any) -> None:
    assert published(**changes) == [{"field": field, "old": old, "new": new}]


def test_each_changed_price_is_one_field() -> None:
    dearer = [{"Resolution": "720p", "Credit": 400}, {"Resolution": "1080p", "Credit": 0.1}]
    assert published(ConsumeItems=dearer) == [
        {"field": "consume_items.480p", "old": 166.5, "new": None},
        {"field": "consume_items.720p", "old": 355.2, "new": 400},
        {"field": "consume_items.1080p", "old": None, "new": 0.1},
    ]


def test_a_change_of_tags_has_the_gained_and_lost_pairs() -> None:
    (change,) = published(Tags=["热", "新", "冷"], Tags_en=["Hot", "Newest", "Cold"])
    assert (change["field"], len(change["old"]), len(change["new"])) == ("tags", 2, 3)
    assert change["gained"] == [{"name": "新", "name_en": "Newest"}, {"name": "冷", "name_en": "Cold"}]
    assert change["lost"] == [{"name": "新", "name_en": "New"}]


def test_null_and_absent_are_equal() -> None:
    for one, other in [(None, ...), (..., None)]:
        assert compared([base(Title=one), base("2")], [base(Title=other), base("2")]).changes.changes == ()
    assert published(Later=None) == [{"field": "extra.Later", "old": BASE["Later"], "new": None}]


def test_an_unknown_field_with_null_has_a_value() -> None:
    assert published(Later=...) == []
    assert compared([base(Later=...), base("2")], [base(Later=None), base("2")]).published == {}
    (change,) = compared([base(Later=None)], [base(Later=1)]).published["1"]
    assert change == {"field": "extra.Later", "old": None, "new": 1}


@pytest.mark.parametrize(("old", "new"), [(1, True), (False, 0), ([1], [True]), ({"a": 0}, {"a": False})])
def test_a_number_that_becomes_a_boolean_is_a_change(old: Any, new: Any) -> None:
    (change,) = compared([base(Later=old)], [base(Later=new)]).changes.changes
    assert json.dumps(change.fields) == json.dumps([{"field": "extra.Later", "old": old, "new": new}])


def test_an_unknown_field_is_compared_if_both_documents_have_it() -> None:
    assert changed_fields(document_of(base(Old=1)), document_of(base(New=1))) == []
    assert changed_fields(document_of(base(Later=1)), document_of(base(Later=2, New=1))) == [
        {"field": "extra.Later", "old": 1, "new": 2}
    ]


def extra_change(name: str, old: Any, new: Any) -> list[dict[str, Any]]:
    before, after = ({**document_of(base()), "extra": {name: value}} for value in (old, new))
    return changed_fields(before, after)


@pytest.mark.parametrize(("old", "new"), [
    ({"480p": "s"}, {"480p": "s", "720p": "s"}), ({"480p": "s", "720p": "s"}, {"720p": "s"}), ({"480p": "s"}, {"720p": "min"}),
])  # fmt: skip
def test_an_unknown_field_of_a_price_appears_and_disappears_in_a_resolution_without_a_change(old: Any, new: Any) -> None:
    assert extra_change("ConsumeItems.Unit", old, new) == []
    assert extra_change("Unit", old, new) == [{"field": "extra.Unit", "old": old, "new": new}]


@pytest.mark.parametrize(("old", "new"), [
    ({"480p": "s", "720p": "s"}, {"480p": "min"}), ({"480p": "s"}, 1), (1, {"480p": "s"}), (1, 2), ({"480p": 1}, {"480p": True}),
])  # fmt: skip
def test_another_value_of_an_unknown_field_of_a_price_is_a_change(old: Any, new: Any) -> None:
    assert extra_change("ConsumeItems.Unit", old, new) == [{"field": "extra.ConsumeItems.Unit", "old": old, "new": new}]


def test_a_thousand_tags_are_compared() -> None:
    many = [{"Tags": [f"{half}{n}" for n in range(1000)], "Tags_en": [f"{half}{n}" for n in range(1000)]} for half in "ab"]
    (change,) = compared([base(**many[0])], [base(**many[1])]).changes.changes
    assert (len(change.fields[0]["gained"]), len(change.fields[0]["lost"])) == (1000, 1000)


EMPTY = document_of({"TemplateId": "1"})


def test_every_documented_field_that_appears_or_disappears_is_a_change() -> None:
    assert len(changed_fields(document_of(base()), EMPTY)) == 16  # 12 of one value, tags, two prices, ratios
    assert len(changed_fields(EMPTY, document_of(base()))) == 16


OTHER = {
    "Title": "x", "Title_en": None, "Duration": 0, "ReleaseOnlineTime": 0, "Cover": "https://m.example/d", "Tags": ["热"],
    "Tags_en": ["Hot"], "SupportAspectRatio": "", "Later": 1,
    "ConsumeItems": [{"Resolution": "720p", "Credit": 1}, {"Resolution": "1080p", "Credit": 2}],
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [(base(), base(**OTHER)), (base(**OTHER), base())])
def test_applying_a_change_to_the_old_document_gives_the_new_one(old: Any, new: Any) -> None:
    before, after = document_of(old), document_of(new)
    applied = apply_fields(before, changed_fields(before, after))
    assert content_hash(applied) == content_hash(after)
    assert before == document_of(old)


def test_an_applied_price_keeps_its_position_and_a_new_one_is_last() -> None:
    fields = [{"field": "consume_items.480p", "new": 1}, {"field": "consume_items.4k", "new": 2}]
    assert [each["resolution"] for each in apply_fields(document_of(base()), fields)["consume_items"]] == ["480p", "720p", "4k"]


# Changes that break callers -------------------------------------------------------------------------------------------


BREAK: dict[str, tuple[list[tuple[str, Any, Any]], list[str]]] = {
    "one image more": ([("input_num", 1, 2)], ["more-images"]),
    "an image where it took none": ([("input_num", 0, 1)], ["more-images"]),
    "one image fewer": ([("input_num", 2, 1)], ["fewer-images"]),
    "a number of images where none was stated": ([("input_num", None, 1)], ["images-stated"]),
    "a resolution without a price": ([("consume_items.720p", 355.2, None)], ["resolution-gone:720p"]),
    "a resolution with a dot": ([("consume_items.4.5k", 1, None)], ["resolution-gone:4.5k"]),
    "a resolution under another name": (
        [("consume_items.720p", 355.2, None), ("consume_items.720P", None, 355.2)],
        ["resolution-gone:720p"],
    ),
    "two ratios gone": ([("aspect_ratios", ["9:16", "1:1", "4:3"], ["1:1"])], ["ratio-gone:9:16", "ratio-gone:4:3"]),
    "ratios no longer stated": ([("aspect_ratios", ["9:16"], [])], ["ratio-gone:9:16"]),
    "another type": ([("template_type", "BEGIN_END_FRAME", "BEGIN_FRAME")], ["type"]),
    "a type at last": ([("template_type", None, "BEGIN_FRAME")], ["type"]),
    "another requirement": ([("input_requirement", "SINGLE_PERSON", "SINGLE_PET")], ["requirement"]),
    "a requirement dropped": ([("input_requirement", "SINGLE_PERSON", None)], ["requirement"]),
    "several at once, in the order of the fields": (
        [("template_type", "A", "B"), ("title", "a", "b"), ("input_num", 1, 2), ("consume_items.480p", 0, None)],
        ["type", "more-images", "resolution-gone:480p"],
    ),
}
HARMLESS: dict[str, tuple[str, Any, Any]] = {
    "a title": ("title", "a", "b"),
    "a dearer price": ("consume_items.720p", 1, 100),
    "a price of nothing": ("consume_items.720p", 1, 0),
    "a resolution more": ("consume_items.1080p", None, 799.2),
    "a ratio more": ("aspect_ratios", ["9:16"], ["9:16", "1:1"]),
    "the first ratio": ("aspect_ratios", [], ["9:16"]),
    "a number of images no longer stated": ("input_num", 1, None),
    "an unknown field of a telling name": ("extra.input_num", 1, 2),
    "the cover's ratio": ("cover_aspect_ratio", "9:16", "1:1"),
}


def _row(*changes: tuple[str, Any, Any]) -> list[dict[str, Any]]:
    return [{"field": field, "old": old, "new": new} for field, old, new in changes]


@pytest.mark.parametrize(("changes", "reasons"), BREAK.values(), ids=BREAK)
def test_a_breaking_change_has_reasons(changes: list[tuple[str, Any, Any]], reasons: list[str]) -> None:
    assert breaking("changed", _row(*changes)) == reasons
    assert {reason.partition(":")[0] for reason in reasons} <= REASONS.keys()


@pytest.mark.parametrize("changes", HARMLESS.values(), ids=HARMLESS)
def test_a_change_that_is_not_breaking_has_no_reason(changes: tuple[str, Any, Any]) -> None:
    assert breaking("changed", _row(changes)) == []


def test_a_removal_is_breaking_and_an_addition_is_not() -> None:
    assert breaking("removed", []) == breaking("removed", None) == ["removed"]
    assert breaking("added", []) == breaking("added", None) == breaking("changed", None) == []
    assert breaking("added", _row(("input_num", 1, 2))) == []


def test_the_stored_reasons_do_not_change() -> None:
    """They are stored in the feed: apps would not find one with another text. docs/json.md has their meanings."""
    assert [*REASONS] == [
        "removed", "more-images", "fewer-images", "images-stated", "resolution-gone", "ratio-gone", "type", "requirement",
    ]  # fmt: skip


def test_the_reasons_follow_from_the_fields_of_the_feed() -> None:
    before = document_of(base(SupportAspectRatio="9:16,1:1", InputNum=1))
    prices = [{"Resolution": "480p", "Credit": 200}]
    after = document_of(base(SupportAspectRatio="1:1", InputNum=2, TemplateType="X", InputRequirement="Y", ConsumeItems=prices))
    reasons = ["type", "requirement", "more-images", "resolution-gone:720p", "ratio-gone:9:16"]
    assert breaking("changed", changed_fields(before, after)) == reasons


# Prices that moved ----------------------------------------------------------------------------------------------------


def test_price_moves_have_exact_numbers() -> None:
    fields: list[dict[str, Any]] = [
        {"field": "title", "old": "a", "new": "b"},
        {"field": "consume_items.480p", "old": 166.5, "new": 199.99},
        {"field": "consume_items.4.5k", "old": None, "new": 1000},
        {"field": "consume_items.720p", "old": 0.000000000000001, "new": None},
        {"field": "extra.consume_items.1080p", "old": 1, "new": 2},
    ]
    assert price_moves(fields) == [
        ("480p", Decimal("166.5"), Decimal("199.99")),
        ("4.5k", None, Decimal(1000)),
        ("720p", Decimal("0.000000000000001"), None),
    ]


START = Cursor.start("0123456789ab")
ROW: dict[str, Any] = {
    "seq": 1, "run_id": 7, "at": "2026-11-25T12:00:00Z", "template_id": "101", "kind": "changed",
    "fields": [{"field": "consume_items.720p", "old": 10, "new": 12.5}], "evidence": None, "document_hash": "ab" * 32,
}  # fmt: skip
ANOTHER = {
    "seq": 2, "run_id": 8, "at": "2026-11-25T12:00:01Z", "template_id": "102", "kind": "removed",
    "fields": None, "evidence": "walks", "document_hash": "cd" * 32,
}  # fmt: skip


def test_a_cursor_has_epoch_seq_and_chain() -> None:
    text = str(START.after(ROW))
    assert text == "0123456789ab-1-e8ed472d939753e638bdd9d6"
    assert Cursor.parse(text) == START.after(ROW)
    assert START.seq == 0


def test_the_longest_cursor_has_57_characters_and_no_full_stop() -> None:
    text = str(Cursor("f" * 12, 2**63 - 1, "f" * 24))
    assert len(text) == 57
    assert "." not in text


def test_the_chain_hashes_the_previous_chain_and_the_row() -> None:
    row = (
        '[1,7,"2026-11-25T12:00:00Z","101","changed",[{"field":"consume_items.720p","new":12.5,"old":10}],null,"'
        + "ab" * 32
        + '"]'
    )
    assert START.after(ROW).chain == hashlib.sha256((START.chain + row).encode()).hexdigest()[:24]


@pytest.mark.parametrize("name", CHAINED)
def test_a_difference_in_any_column_changes_all_later_cursors(name: str) -> None:
    one, another = START.after(ROW), START.after({**ROW, name: ANOTHER[name]})
    assert one.chain != another.chain
    assert one.after(ANOTHER).chain != another.after(ANOTHER).chain


@pytest.mark.parametrize(("one", "same"), [(2.0, 2), (1e16, 10**16), (-0.0, 0), ([1.0, {"a": 3.0}], [1, {"a": 3}])], ids=repr)
def test_numbers_in_different_notations_have_the_same_hash(one: Any, same: Any) -> None:
    rows = [{**ROW, "fields": [{"field": "extra.x", "old": value, "new": None}]} for value in (one, same)]
    assert START.after(rows[0]) == START.after(rows[1])


CHAIN = "03c0d5bf1f13a4b1fb2ef9e3"


@pytest.mark.parametrize(
    "text",
    ["", "7", "0123456789ab-1", f"0123456789AB-1-{CHAIN}", f"0123456789ab-01-{CHAIN}", f"0123456789ab--1-{CHAIN}",
     f" 0123456789ab-1-{CHAIN}", f"0123456789ab-1-{CHAIN}\n", f"0123456789ab-1-{CHAIN}0",
     f"0123456789ab-{2**63}-{CHAIN}"],
)  # fmt: skip
def test_a_text_in_another_form_is_not_a_cursor(text: str) -> None:
    assert Cursor.parse(text) is None


def test_a_cursor_can_have_the_largest_seq_of_the_databases() -> None:
    assert Cursor.parse(f"0123456789ab-{2**63 - 1}-{CHAIN}") == Cursor("0123456789ab", 2**63 - 1, CHAIN)


ROWS = st.lists(st.sampled_from([ROW, ANOTHER, {**ROW, "kind": "added"}]), max_size=5)


@settings(max_examples=40)
@given(ROWS, ROWS)
def test_only_equal_histories_have_equal_cursors(one: list[Any], another: list[Any]) -> None:
    def end(rows: list[Any]) -> Cursor:
        cursor = START
        for seq, row in enumerate(rows, 1):
            cursor = cursor.after({**row, "seq": seq})
        return cursor

    assert (end(one) == end(another)) == (one == another)


def test_a_row_with_half_a_surrogate_pair_has_a_cursor() -> None:
    assert START.after({**ROW, "evidence": "\ud800"}) != START.after({**ROW, "evidence": "\ud801"})
