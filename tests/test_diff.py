"""What is a change, told how, and what is only stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.decode import read_envelope
from sync.diff import ChangeSet, Previous, compare, differing, net_changes, write
from sync.snapshot import COLUMNS, content_hash, document
from sync.validate import Placed, read_records
from tests.builders import record
from tests.hostile import success

BASE = {
    "Tags": ["热", "新"],
    "Tags_en": ["Hot", "New"],
    "SupportAspectRatio": "9:16,1:1",
    "Cover": "https://m.example/c.jpeg?sig=1",
    "PreviewVideo": "https://m.example/p.mp4",
    "ConsumeItems": [{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 355.2}],
    "Later": {"a": [1, 2], "url": "https://m.example/x?sig=1"},
}


def as_read(record: dict[str, Any]) -> dict[str, Any]:
    """Give a record as it comes out of an answer: with its numbers exact."""
    found: dict[str, Any] = (read_envelope(success([record]).body).records or [])[0]
    return found


def served(*records: dict[str, Any]) -> Any:
    body = success(records).body
    return read_records([Placed(1, position, found) for position, found in enumerate(read_envelope(body).records or [])])


def base(template_id: str = "1", /, **changes: Any) -> dict[str, Any]:
    return record(template_id, **{**BASE, **changes})


def compared(before: list[dict[str, Any]], after: list[dict[str, Any]], **how: Any) -> ChangeSet:
    old, new = served(*before), served(*after)
    written = {key: write(template) for key, template in old.templates.items()}
    fingerprints = {key: each.fingerprint for key, each in written.items()}
    documents = {key: written[key].document for key in differing(fingerprints, new.templates)}
    previous = Previous(fingerprints, documents=documents, wire_fields=old.wire_fields)
    return compare(previous, new.templates, new.wire_fields, **how)


def told(**changes: Any) -> list[dict[str, Any]]:
    """Give the fields told when one of two templates changes so."""
    changed = compared([base(), base("2")], [base(**changes), base("2")])
    return [field for change in changed.changes for field in change.fields]


def test_the_same_catalog_changes_nothing_and_stores_nothing() -> None:
    assert compared([base()], [base()]) == ChangeSet(unchanged=1, wire_fields=frozenset(base()))


QUIET: dict[str, dict[str, Any]] = {
    "tags turned round": {"Tags": ["新", "热"], "Tags_en": ["New", "Hot"]},
    "ratios turned round": {"SupportAspectRatio": "1:1,9:16"},
    "prices turned round": {"ConsumeItems": BASE["ConsumeItems"][::-1]},  # type: ignore[index]  # it is the list above
    "a URL signed anew": {"Cover": "https://m.example/c.jpeg?sig=2"},
    "a URL signed": {"PreviewVideo": "https://m.example/p.mp4?sig=1"},
    "a URL in an unknown field signed anew": {"Later": {"a": [1, 2], "url": "https://m.example/x?sig=2"}},
}


@pytest.mark.parametrize("changes", QUIET.values(), ids=QUIET)
def test_what_means_nothing_is_stored_and_not_told(changes: dict[str, Any]) -> None:
    found = compared([base()], [base(**changes)])
    ((before, after),) = found.quiet
    assert (found.changes, found.unchanged) == ((), 1)
    assert after.document != before
    assert after.content_hash == content_hash(before)


UNSEEN: dict[str, dict[str, Any]] = {
    "a price's keys turned round": {
        "ConsumeItems": [{"Credit": 166.5, "Resolution": "480p"}, {"Credit": 355.2, "Resolution": "720p"}],
    },
    "a number written as a float": {"Duration": 10123.0},
    "an unknown number written as a float": {"Later": {"a": [1.0, 2], "url": "https://m.example/x?sig=1"}},
    "keys turned round": {"Later": {"url": "https://m.example/x?sig=1", "a": [1, 2]}},
    "spaces among ratios": {"SupportAspectRatio": " 9:16 , 1:1,"},
}  # fmt: skip


@pytest.mark.parametrize("changes", UNSEEN.values(), ids=UNSEEN)
def test_another_way_of_writing_the_same_is_not_even_stored(changes: dict[str, Any]) -> None:
    assert compared([base()], [base(**changes)]) == ChangeSet(unchanged=1, wire_fields=frozenset(base()))


TOLD: dict[str, tuple[dict[str, Any], str, Any, Any]] = {
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


@pytest.mark.parametrize(("changes", "field", "old", "new"), TOLD.values(), ids=TOLD)
def test_a_change_is_told_with_old_and_new(changes: dict[str, Any], field: str, old: Any, new: Any) -> None:
    assert told(**changes) == [{"field": field, "old": old, "new": new}]


def test_each_price_is_told_by_itself() -> None:
    dearer = [{"Resolution": "720p", "Credit": 400}, {"Resolution": "1080p", "Credit": 0.1}]
    assert told(ConsumeItems=dearer) == [
        {"field": "consume_items.480p", "old": 166.5, "new": None},
        {"field": "consume_items.720p", "old": 355.2, "new": 400},
        {"field": "consume_items.1080p", "old": None, "new": 0.1},
    ]


def test_the_smallest_difference_of_a_credit_is_a_change() -> None:
    body = success([base(ConsumeItems=[])]).body
    one, other = (
        read_envelope(body.replace(b'"ConsumeItems": []', b'"ConsumeItems": [{"Resolution": "4k", "Credit": %s}]' % credit))
        for credit in (b"123456789012.345", b"123456789012.346")
    )
    written = [write(read_records([Placed(1, 0, each.records[0])]).templates["1"]) for each in (one, other) if each.records]
    assert written[0].template.consume_items[0].credit == Decimal("123456789012.345")
    assert written[0].content_hash != written[1].content_hash


def test_tags_are_told_as_gained_and_lost_pairs() -> None:
    (change,) = told(Tags=["热", "冷"], Tags_en=["Hottest", "Cold"])
    assert (change["field"], change["gained"], change["lost"]) == (
        "tags",
        [{"name": "热", "name_en": "Hottest"}, {"name": "冷", "name_en": "Cold"}],
        [{"name": "热", "name_en": "Hot"}, {"name": "新", "name_en": "New"}],
    )
    assert (len(change["old"]), len(change["new"])) == (2, 2)


@pytest.mark.parametrize("field", [*COLUMNS, "Tags_en", "Later"])
def test_a_field_that_the_whole_catalog_drops_is_reported_once_and_kept(field: str) -> None:
    catalog, without = [base(), base("2")], [base(**{field: ...}), base("2", **{field: ...})]
    found = compared(catalog, without)
    assert (found.changes, found.quiet, found.unchanged, found.vanished) == ((), (), 2, (field,))
    assert compared(without, without).vanished == ()


@pytest.mark.parametrize("field", [name for name in [*COLUMNS, "Tags_en", "Later"] if name != "Tags"])
def test_a_field_that_a_part_of_the_catalog_lacks_has_not_vanished_but_is_kept(field: str) -> None:
    found = compared([base(), base("2")], [base(**{field: ...})], complete=False)
    assert (found.changes, found.vanished, found.wire_fields) == ((), (), frozenset(base()))


@pytest.mark.parametrize("field", [*COLUMNS, "Later"])
def test_a_field_new_to_the_whole_catalog_is_stored_and_reported_once(field: str) -> None:
    without = [base(**{field: ...}), base("2", **{field: ...})]
    if field == "Tags":
        without = [base(Tags=..., Tags_en=...)]
    found = compared(without, [base()] if field == "Tags" else [base(), base("2")])
    assert found.changes == ()
    assert field in found.appeared
    assert all(after.document != before for before, after in found.quiet)
    assert found.quiet


def test_english_tags_new_to_the_whole_catalog_are_no_change() -> None:
    found = compared([base(Tags_en=...)], [base()])
    assert (found.changes, found.appeared, len(found.quiet)) == ((), ("Tags_en",), 1)


def test_a_price_that_moved_while_the_field_was_gone_is_told_when_it_returns() -> None:
    hidden = compared([base()], [base(ConsumeItems=...)])
    assert (hidden.changes, hidden.vanished) == ((), ("ConsumeItems",))
    stored = {"1": document(read_records([Placed(1, 0, as_read(base()))]).templates["1"])}
    previous = Previous({"1": "x"}, documents=stored, wire_fields=hidden.wire_fields, absent_fields=hidden.absent_fields)
    back = as_read(base(ConsumeItems=[{"Resolution": "480p", "Credit": 99}, {"Resolution": "720p", "Credit": 355.2}]))
    found = compare(previous, read_records([Placed(1, 0, back)]).templates, frozenset(back))
    assert [(change.kind, change.fields) for change in found.changes] == [
        ("changed", ({"field": "consume_items.480p", "old": 166.5, "new": 99},))
    ]
    assert (found.appeared, found.absent_fields) == (("ConsumeItems",), frozenset())


def test_a_field_that_returns_is_new_to_a_template_that_came_while_it_was_gone() -> None:
    stored = {"1": document(read_records([Placed(1, 0, as_read(base(ConsumeItems=...)))]).templates["1"])}
    fields = frozenset(base())
    previous = Previous({"1": "x"}, documents=stored, wire_fields=fields, absent_fields=frozenset({"ConsumeItems"}))
    found = compare(previous, read_records([Placed(1, 0, as_read(base()))]).templates, fields)
    assert (found.changes, len(found.quiet)) == ((), 1)


def test_a_tag_lost_while_english_ones_appear_is_told() -> None:
    found = compared([base(Tags=["热", "新"], Tags_en=...)], [base(Tags=["热"], Tags_en=["Hot"])])
    ((change,),) = [each.fields for each in found.changes]
    assert (change["gained"], change["lost"]) == ([], [{"name": "新", "name_en": None}])


def test_english_tags_that_vanish_lose_no_tag_even_where_two_share_a_name() -> None:
    both = {"Tags": ["热", "热"], "Tags_en": ["Hot", "Trending"]}
    found = compared([base(**both)], [base(Tags=both["Tags"], Tags_en=...)])
    assert (found.changes, found.quiet, found.vanished) == ((), (), ("Tags_en",))


def test_a_new_tag_is_told_while_the_english_ones_are_not_sent() -> None:
    found = compared([base()], [base(Tags=["热", "新", "冷"], Tags_en=...)])
    (change,) = found.changes
    assert change.fields[0]["gained"] == [{"name": "冷", "name_en": None}]
    assert change.fields[0]["lost"] == []


def test_null_absent_and_empty_do_not_flap() -> None:
    for one, other in [(None, ...), (..., None)]:
        assert compared([base(Title=one), base("2")], [base(Title=other), base("2")]).changes == ()
    assert told(Later=None) == [{"field": "extra.Later", "old": BASE["Later"], "new": None}]


def test_an_unknown_field_of_a_price_is_told_by_resolution() -> None:
    unit = [{"Resolution": "480p", "Credit": 1, "Unit": "s"}]
    found = compared([base(ConsumeItems=unit)], [base(ConsumeItems=[{**unit[0], "Unit": "min"}])])
    assert [field["field"] for field in found.changes[0].fields] == ["extra.ConsumeItems.Unit"]


def test_a_template_that_was_not_present_is_added_and_one_not_served_is_left_alone() -> None:
    found = compared([base(), base("2")], [base("2"), base("3")])
    assert [(change.kind, change.template_id) for change in found.changes] == [("added", "3")]
    assert found.unchanged == 1


def test_nothing_served_forgets_no_field() -> None:
    found = compared([base()], [])
    assert (found.vanished, found.wire_fields) == ((), frozenset(base()))


def test_removals_come_last_by_id_with_what_the_template_was() -> None:
    document = write(served(base()).templates["1"]).document
    found = compared([], [base("3")]).removing({"2": "walks", "1": "lookup"}, {"1": document})
    assert [(each.kind, each.template_id, each.evidence) for each in found.changes] == [
        ("added", "3", None), ("removed", "1", "lookup"), ("removed", "2", "walks"),
    ]  # fmt: skip
    assert (found.changes[1].before, found.count("removed"), found.count("changed")) == (document, 2, 0)


def test_a_thousand_tags_exchanged_for_others_are_compared_in_no_time() -> None:
    many = [{"Tags": [f"{half}{n}" for n in range(1000)], "Tags_en": [f"{half}{n}" for n in range(1000)]} for half in "ab"]
    (change,) = compared([base(**many[0])], [base(**many[1])]).changes
    assert (len(change.fields[0]["gained"]), len(change.fields[0]["lost"])) == (1000, 1000)


def test_two_whole_catalogs_are_compared_by_kind_and_id() -> None:
    before, after = (
        {key: write(each).document for key, each in served(*records).templates.items()}
        for records in ([base("1"), base("2"), base("9")], [base("2", Title="x"), base("9"), base("3")])
    )
    assert [(each["kind"], each["template_id"]) for each in net_changes(before, after)] == [
        ("added", "3"), ("changed", "2"), ("removed", "1"),
    ]  # fmt: skip
