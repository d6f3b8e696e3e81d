"""Two catalogs compared: what is published, what is only stored, and what the next run must read again."""

from __future__ import annotations

from typing import Any

import pytest

from sync.catalog.diff import ChangeSet, net_changes
from sync.catalog.fields import BATCH, COLUMNS, DOCUMENTED, LISTS, MOST_NAMES
from sync.catalog.parsing import complete_document
from sync.catalog.served_records import wire_hash
from sync.catalog.snapshot import DISPUTED, TAGS_UNPAIRED
from tests.builders import record
from tests.catalog.runs import Memory, base, compared, document_of, wire

PRICES = [{"field": "consume_items.480p", "old": None, "new": 166.5}, {"field": "consume_items.720p", "old": None, "new": 355.2}]
GONE = [{**each, "old": each["new"], "new": None} for each in PRICES]


def test_an_unchanged_catalog_gives_an_empty_change_set() -> None:
    assert compared([base()], [base()]).changes == ChangeSet(unchanged=1)


def test_stored_documents_are_loaded_only_for_records_with_new_bytes() -> None:
    memory = Memory.after(base("1"), base("2"), base("3"))
    assert memory.loaded == {}
    memory.run(base("1"), base("2", Title="x"), base("4"))
    assert memory.loaded == {"2": 1}


def test_more_documents_than_one_batch_are_compared() -> None:
    memory = Memory.after(*(base(str(number)) for number in range(BATCH + 1)))
    found = memory.run(*(base(str(number), Title="x") for number in range(BATCH + 1)))
    assert [each.template_id for each in found.changes.changes] == [str(number) for number in range(BATCH + 1)]


def test_a_new_template_is_added_and_a_template_that_is_not_served_is_ignored() -> None:
    found = compared([base(), base("2")], [base("2"), base("3")]).changes
    assert [(change.kind, change.template_id) for change in found.changes] == [("added", "3")]
    assert (found.unpublished, found.rehashed, found.unchanged) == ((), {}, 1)


@pytest.mark.parametrize("served", [[], [{"TemplateId": 5}]], ids=["an empty catalog", "an invalid record"])
def test_without_a_valid_record_there_is_no_change(served: list[Any]) -> None:
    assert compared([base()], served).changes == ChangeSet()


def test_removals_come_last_by_id_with_their_last_document() -> None:
    memory = Memory.after(base(), base("2"))
    found = memory.look(base("3"), removed=["2", "1"])
    assert [(each.kind, each.template_id, each.evidence) for each in found.changes.changes] == [
        ("added", "3", None), ("removed", "1", "lookup"), ("removed", "2", "lookup"),
    ]  # fmt: skip
    assert [found.document(each) for each in found.changes.changes] == [document_of(base(key)) for key in "312"]
    assert [found.changes.count(kind) for kind in ("added", "removed", "changed")] == [1, 2, 0]


def test_a_change_names_the_lists_that_differ_and_an_addition_names_all() -> None:
    prices = [{"Resolution": "480p", "Credit": 1}]
    cases: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"Title": "x"}, ()),
        ({"Tags": ["热"], "Tags_en": ["Hot"]}, ("tags",)),
        ({"ConsumeItems": prices, "SupportAspectRatio": "1:1"}, ("consume_items", "aspect_ratios")),
    ]
    for changes, lists in cases:
        found = compared([base()], [base(**changes)])
        (change,) = found.changes.changes
        assert (change.lists, change.record) == (lists, found.snapshot.good["1"])
    (added,) = Memory().look(base()).changes.changes
    assert added.lists == LISTS


# Hashes of bytes -----------------------------------------------------------------------------------------------------------


def test_a_change_has_the_hash_of_its_bytes() -> None:
    memory = Memory.after(base("1"))
    found = memory.run(base("1", Title="x"), base("2")).changes
    assert [each.wire_hash for each in found.changes] == [wire_hash(wire(base("2"))), wire_hash(wire(base("1", Title="x")))]


def test_an_equal_record_in_other_bytes_gets_a_new_hash() -> None:
    memory = Memory.after(base("1"), base("2"))
    other = wire(base("1"))[:-1] + b" }"
    found = memory.run(other, base("2", Title="x"))
    assert (found.counts, found.changes.rehashed, found.changes.unchanged) == ((0, 2), {"1": wire_hash(other)}, 1)
    assert (len(found.changes.changes), found.changes.unpublished) == (1, ())
    assert memory.run(other, base("2", Title="x")).counts == (2, 0)


def test_a_record_with_kept_values_has_no_hash_until_its_field_returns() -> None:
    memory = Memory.after(base("1"), base("2", MediaId=...))
    gone = [base("1", MediaId=...), base("2", MediaId=...)]
    found = memory.run(*gone)
    assert (found.counts, found.changes.rehashed) == ((1, 1), {"1": None})
    again = memory.run(*gone)
    assert (again.counts, again.changes.rehashed, again.changes.unchanged) == ((1, 1), {}, 2)
    back = memory.run(base("1"), gone[1])
    assert (back.changes.changes, back.changes.rehashed) == ((), {"1": wire_hash(wire(base("1")))})
    assert memory.run(base("1"), gone[1]).counts == (2, 0)


def test_a_changed_record_with_kept_values_has_no_hash_either() -> None:
    found = compared([base()], [base(MediaId=..., Title="x")])
    (change,) = found.changes.changes
    assert ([each["field"] for each in change.fields], change.wire_hash) == (["title"], None)
    assert (found.document(change)["media_id"], found.document(change)["title"]) == (document_of(base())["media_id"], "x")


def test_a_rewritten_page_keeps_the_stored_hash_of_an_equal_record() -> None:
    memory = Memory.after(base("1"), base("2"))
    found = memory.run(base("1", Duration=10123.0), base("2", Title="x"), exact=False)
    assert (found.counts, found.changes.rehashed) == ((0, 2), {})
    assert [(each.template_id, each.wire_hash) for each in found.changes.changes] == [("2", None)]
    assert memory.stored == {"1": wire_hash(wire(base("1"))), "2": None}
    assert memory.run(base("1"), base("2", Title="x")).counts == (1, 1)


def test_a_rewritten_page_removes_the_hash_of_a_record_with_kept_values() -> None:
    memory = Memory.after(base())
    assert memory.run(base(MediaId=...), exact=False).changes.rehashed == {"1": None}


# Documented fields that are missing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, ...], ids=["null", "absent"])
@pytest.mark.parametrize("field", [*COLUMNS, "Tags_en"])
def test_a_documented_field_missing_from_every_record_keeps_its_stored_value(field: str, missing: Any) -> None:
    catalog, without = [base(), base("2")], [base(**{field: missing}), base("2", **{field: missing})]
    found = compared(catalog, without).changes
    assert (found.changes, found.unpublished, found.unchanged) == ((), (), 2)
    assert compared(without, without).changes.vanished == ()


@pytest.mark.parametrize("field", [*COLUMNS, "Tags_en"])
def test_a_documented_field_missing_from_every_record_is_reported_while_a_stored_value_stays(field: str) -> None:
    memory = Memory.after(base())
    assert [memory.run(base(**{field: ...})).changes.vanished for _ in range(2)] == [(field,), (field,)]
    assert memory.run(base()).changes == ChangeSet(unchanged=1, rehashed={"1": wire_hash(wire(base()))})


@pytest.mark.parametrize("empty", ["", []], ids=["an empty string", "an empty list"])
def test_an_empty_value_replaces_the_stored_value(empty: Any) -> None:
    field = "Title" if empty == "" else "ConsumeItems"
    found = compared([base(), base("2")], [base(**{field: empty})])
    assert (list(found.published), found.changes.vanished) == (["1"], ())


@pytest.mark.parametrize("missing", [None, ...], ids=["null", "absent"])
@pytest.mark.parametrize(("field", "column"), [*COLUMNS.items(), ("Tags_en", "tags")])
def test_a_documented_field_that_one_template_loses_or_gains_is_a_change(field: str, column: str, missing: Any) -> None:
    both = {"Tags_en": ...} if field == "Tags" else {}
    catalog, without = [base(), base("2")], [base(**{field: missing, **both}), base("2")]
    for before, after in ((catalog, without), (without, catalog)):
        found = compared(before, after)
        assert {each["field"].partition(".")[0] for each in found.published["1"]} == {column}
        assert (found.changes.vanished, found.changes.appeared, found.changes.unchanged) == ((), (), 1)


@pytest.mark.parametrize("missing", [None, ...], ids=["null", "absent"])
def test_prices_missing_from_some_then_from_all_records_are_published_when_they_return(missing: Any) -> None:
    """A consumer that follows the feed holds no prices of those ten templates, so their return is a change."""
    ids = [str(number) for number in range(1, 31)]
    whole, lost = [record(key) for key in ids], [record(key, ConsumeItems=missing) for key in ids]
    memory = Memory.after(*whole)
    assert memory.run(*lost[:10], *whole[10:]).published == dict.fromkeys(ids[:10], GONE)
    all_lost = memory.run(*lost)
    assert (all_lost.published, all_lost.changes.vanished) == ({}, ("ConsumeItems",))
    assert memory.run(*whole).published == dict.fromkeys(ids[:10], PRICES)
    assert all(memory.documents[key] == document_of(record(key)) for key in ids)


def test_a_price_that_changed_while_the_field_was_missing_is_published_when_it_returns() -> None:
    memory = Memory.after(base())
    assert memory.run(base(ConsumeItems=...)).published == {}
    moved = base(ConsumeItems=[{"Resolution": "480p", "Credit": 99}, {"Resolution": "720p", "Credit": 355.2}])
    assert memory.run(moved).published == {"1": [{"field": "consume_items.480p", "old": 166.5, "new": 99}]}


def test_a_template_added_without_a_field_gains_it_by_a_change() -> None:
    memory = Memory.after(record("2"))
    memory.run(record("1", ConsumeItems=...), record("2", ConsumeItems=...))
    assert memory.run(record("1"), record("2")).published == {"1": PRICES}


UNCOUNTED: dict[str, list[Any]] = {
    "rejected": [record("2", Title=5)],
    "disputed": [record("2"), record("2", Title="other")],
    "disputed, turned round": [record("2", Title="other"), record("2")],
    "with a bad twin": [record("2"), record("2", Title=5)],
    "after a bad twin": [record("2", Title=5), record("2")],
    "with unpaired tags": [record("2", Tags=...)],
}


@pytest.mark.parametrize("served", UNCOUNTED.values(), ids=UNCOUNTED)
def test_a_field_that_only_rejected_records_have_keeps_its_stored_values(served: list[Any]) -> None:
    memory = Memory.after(record("1"), record("2"))
    found = memory.run(record("1", ConsumeItems=...), *served)
    assert (found.published, found.changes.vanished, list(found.snapshot.good)) == ({}, ("ConsumeItems",), ["1"])
    assert [len(memory.documents[key]["consume_items"]) for key in "12"] == [2, 2]


# Tags ----------------------------------------------------------------------------------------------------------------------


def test_without_english_tags_two_tags_with_one_chinese_name_are_kept() -> None:
    both = {"Tags": ["热", "热"], "Tags_en": ["Hot", "Trending"]}
    found = compared([base(**both)], [base(Tags=both["Tags"], Tags_en=...)]).changes
    assert (found.changes, found.unpublished, found.unchanged) == ((), (), 1)


def test_a_new_tag_is_published_without_english_tags() -> None:
    ((change,),) = compared([base()], [base(Tags=["热", "新", "冷"], Tags_en=...)]).published.values()
    assert (change["gained"], change["lost"]) == ([{"name": "冷", "name_en": None}], [])


def test_english_tags_that_appear_in_a_template_are_a_change() -> None:
    ((change,),) = compared([base(Tags=["热", "新"], Tags_en=...)], [base(Tags=["热"], Tags_en=["Hot"])]).published.values()
    assert change["gained"] == [{"name": "热", "name_en": "Hot"}]
    assert change["lost"] == [{"name": "热", "name_en": None}, {"name": "新", "name_en": None}]


def test_records_with_english_tags_only_are_parsed_in_each_run() -> None:
    memory = Memory.after(base("1"), base("2"))
    without = [base("1", Tags=...), base("2", Tags=...)]
    found = memory.run(*without)
    assert (found.reasons, found.changes.unchanged, found.changes.vanished) == ([], 2, ("Tags",))
    assert memory.stored == {"1": None, "2": None}
    found = memory.run(base("1", Tags=...), base("2"))
    assert (found.reasons, found.counts) == ([("1", TAGS_UNPAIRED)], (0, 2))


def test_a_template_added_with_english_tags_only_has_no_hash() -> None:
    memory = Memory.after(base("1", Tags=...))
    assert memory.stored == {"1": None}
    assert memory.run(base("1", Tags=...), base("2")).reasons == [("1", TAGS_UNPAIRED)]


# Unknown fields ------------------------------------------------------------------------------------------------------------


def test_a_first_run_reports_the_fields_that_this_version_does_not_know() -> None:
    assert Memory().look(base(), base("2")).changes.appeared == ("Later",)


def test_an_unknown_field_that_appears_is_stored_and_not_published() -> None:
    found = compared([base(Later=...), base("2", Later=...)], [base(), base("2", Later=...)])
    (after,) = found.changes.unpublished
    assert (found.changes.changes, found.changes.unchanged) == ((), 2)
    assert (found.changes.appeared, found.changes.vanished) == (("Later",), ())
    assert (found.document(after), after.wire_hash) == (document_of(base()), wire_hash(wire(base())))


def test_an_unknown_field_that_disappears_is_removed_and_not_published() -> None:
    memory = Memory.after(base(), base("2"))
    found = memory.run(base(Later=...), base("2"))
    assert (found.changes.changes, found.changes.appeared, found.changes.vanished) == ((), (), ("Later",))
    assert [each.template_id for each in found.changes.unpublished] == ["1"]
    assert (memory.documents["1"]["extra"], memory.documents["2"]["extra"]) == ({}, {"Later": base()["Later"]})
    assert memory.run(base(Later=...), base("2")).changes == ChangeSet(unchanged=2)


def test_a_changed_value_of_an_unknown_field_is_published() -> None:
    """A field that is new while no walk can be verified is not new for ever: its values are published from the second on."""
    memory = Memory.after(base("1"), base("2"))
    found = [memory.run(base("1", New=value)).published for value in range(1, 9)]
    assert found == [{}, *({"1": [{"field": "extra.New", "old": value - 1, "new": value}]} for value in range(2, 9))]


def test_a_field_that_only_some_servers_send_is_never_published() -> None:
    """A rolling deployment: 70 of 280 records have the new field, now these and now those."""
    ids = [str(number) for number in range(280)]
    memory = Memory.after(*map(record, ids))
    for turn in range(4):
        new = {key for number, key in enumerate(ids) if number % 4 == turn % 2}
        found = memory.run(*(record(key, New="x") if key in new else record(key) for key in ids)).changes
        assert (found.changes, found.unchanged, found.appeared) == ((), 280, ("New",))
        assert {key for key, written in memory.documents.items() if written["extra"]} == new


def test_an_unknown_field_of_a_price_is_compared_for_each_template() -> None:
    unit = [{"Resolution": "480p", "Credit": 1, "Unit": "s"}]
    assert compared([base(ConsumeItems=unit)], [base(ConsumeItems=unit)]).changes == ChangeSet(unchanged=1)
    bare = [{"Resolution": "480p", "Credit": 1}]
    found = compared([base(ConsumeItems=unit)], [base(ConsumeItems=bare)]).changes
    assert (found.changes, found.vanished) == ((), ("ConsumeItems.Unit",))


def test_the_number_of_reported_field_names_is_limited() -> None:
    crowd = [record(str(number), **{f"f{number}_{name}": 1 for name in range(175)}) for number in range(7)]
    memory = Memory()
    assert len(memory.run(*crowd).changes.appeared) >= MOST_NAMES - 175
    found = memory.run(*(record(str(number)) for number in range(7))).changes
    assert (len(found.vanished), len(found.unpublished)) == (MOST_NAMES, 7)


# Look-ups ------------------------------------------------------------------------------------------------------------------

SLIM = {"ConsumeItems": ..., "Tags": ..., "Tags_en": ..., "Title_en": ..., "Later": ...}


@pytest.mark.parametrize("missing", [None, ...], ids=["null", "absent"])
def test_a_look_up_with_fewer_fields_empties_no_field(missing: Any) -> None:
    memory = Memory.after(base("1"), base("2"))
    slim = base("1", **{**dict.fromkeys(SLIM, missing), "Later": ...})
    found = memory.run(base("2"), looked_up=[slim])
    assert (found.changes.changes, found.changes.unpublished, found.changes.vanished) == ((), (), ())
    assert (found.changes.rehashed, memory.documents["1"]) == ({"1": None}, document_of(base("1")))
    assert memory.run(base("1"), base("2")).published == {}


@pytest.mark.parametrize("left_out", sorted(DOCUMENTED - {"TemplateId", "Duration"}))
def test_a_look_up_without_one_field_changes_the_others_only(left_out: str) -> None:
    memory = Memory.after(base("1"), base("2"))
    found = memory.run(base("2"), looked_up=[base("1", **{left_out: ..., "Duration": 1})])
    assert (found.reasons, [each["field"] for each in found.published["1"]]) == ([], ["duration_ms"])
    assert memory.documents["1"] == document_of(base("1", Duration=1))
    assert memory.run(base("1", Duration=1), base("2")).published == {}


def test_changes_of_the_fields_of_a_look_up_are_published() -> None:
    memory = Memory.after(base("1"), base("2"))
    found = memory.run(base("2"), looked_up=[base("1", **{**SLIM, "Title": "x", "Duration": 1})])
    assert [each["field"] for each in found.published["1"]] == ["title", "duration_ms"]
    assert memory.documents["1"] == document_of(base("1", Title="x", Duration=1))


def test_an_empty_value_in_a_look_up_replaces_the_stored_value() -> None:
    memory = Memory.after(base("1"), base("2"))
    found = memory.run(base("2"), looked_up=[base("1", Title="", ConsumeItems=[])])
    assert [each["field"] for each in found.published["1"]] == ["title", "consume_items.480p", "consume_items.720p"]


def test_an_unknown_field_of_a_look_up_is_added_to_the_stored_ones() -> None:
    memory = Memory.after(base("1"))
    found = memory.run(looked_up=[base("1", Later=..., New=1)])
    assert (found.changes.changes, found.changes.appeared, found.changes.vanished) == ((), ("New",), ())
    assert memory.documents["1"]["extra"] == {"Later": base()["Later"], "New": 1}
    assert memory.stored == {"1": None}


def test_a_look_up_does_not_supply_a_field_that_every_record_of_the_walk_lacks() -> None:
    memory = Memory.after(base("1"), base("2"))
    found = memory.run(base("1", MediaId=...), looked_up=[base("2")])
    assert (found.published, found.changes.vanished) == ({}, ("MediaId",))


def test_a_template_added_by_a_look_up_gains_the_missing_fields_by_a_change() -> None:
    memory = Memory.after(base("2"))
    memory.run(base("2"), looked_up=[record("1", ConsumeItems=...)])
    assert memory.run(base("2"), record("1")).published == {"1": PRICES}


def test_a_look_up_that_differs_from_the_record_of_the_walk_is_disputed() -> None:
    memory = Memory.after(base("1"))
    found = memory.run(base("1"), looked_up=[base("1", Title="x")])
    assert (found.reasons, found.published) == ([("1", DISPUTED)], {})


@pytest.mark.parametrize("hashed", [True, False], ids=["unchanged by hash", "parsed"])
def test_a_field_of_a_disputed_record_counts_if_another_record_has_it(hashed: bool) -> None:  # noqa: FBT001 - a parameter
    """Otherwise a dispute that lasts would hide for ever that a template lost its prices."""
    memory = Memory()
    without = base("0", ConsumeItems=...)
    memory.run(without, base("1"), base("2"), base("3"))
    if not hashed:
        memory.forget_hashes()
    found = memory.run(without, base("1"), base("1", Title="other"), base("2", ConsumeItems=...), base("3")).changes
    assert [(change.template_id, {each["field"] for each in change.fields}) for change in found.changes] == [
        ("2", {"consume_items.480p", "consume_items.720p"})
    ]
    assert found.vanished == ()


def test_a_field_that_becomes_documented_is_not_a_change() -> None:
    memory = Memory.after(base("1"), base("2", Title="y"))
    for document in memory.documents.values():
        document["extra"] = {**document["extra"], "Title": document.pop("title")}
        document.update(complete_document(document) or {})
    memory.forget_hashes()
    found = memory.run(base("1"), base("2", Title="z"))
    assert [(change.template_id, change.fields) for change in found.changes.changes] == [
        ("2", ({"field": "title", "old": "y", "new": "z"},))
    ]
    assert ([change.template_id for change in found.changes.unpublished], found.changes.vanished) == (["1"], ())
    assert "Title" not in memory.documents["1"]["extra"]


# Without the feed between them ----------------------------------------------------------------------------------------


def test_net_changes_are_ordered_by_kind_and_id() -> None:
    before, after = (
        {written["template_id"]: written for written in map(document_of, records)}
        for records in ([base("1"), base("2"), base("9")], [base("2", Title="x"), base("9"), base("3")])
    )
    found = net_changes(before, after)
    assert [(each["kind"], each["template_id"]) for each in found] == [("added", "3"), ("changed", "2"), ("removed", "1")]
    assert [each["document"] for each in found] == [after["3"], after["2"], None]
    assert (found[0]["fields"], found[2]["fields"]) == ([], []), "each change of `diff` has `fields`"
    assert found[1]["fields"] == [{"field": "title", "old": "战斗游戏", "new": "x"}]
    assert found[2]["before"] == before["1"]
