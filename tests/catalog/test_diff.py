"""Two catalogs compared: what is published, what is only stored, and what the next run must remember."""

from __future__ import annotations

from typing import Any

import pytest
from sync.catalog.raw_record import wire_hash

from sync.catalog.bounds import MOST_NAMES
from sync.catalog.diff import BATCH, ChangeSet, _remembered
from sync.catalog.template import COLUMNS
from tests.builders import record
from tests.catalog.runs import Memory, base, compared, document_of, wire

FIELDS = [*COLUMNS, "Tags_en", "Later"]


def test_the_same_catalog_changes_nothing_and_stores_nothing() -> None:
    assert compared([base()], [base()]).changes == ChangeSet(unchanged=1, wire_fields=frozenset(base()))
    assert ChangeSet().unchanged == 0


def test_a_document_is_read_from_the_database_only_where_the_bytes_are_new() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"), base("3"))
    assert memory.asked == {}
    memory.run(base("1"), base("2", Title="x"), base("4"))
    assert memory.asked == {"2": 1}


def test_more_documents_than_one_batch_are_compared() -> None:
    memory = Memory()
    memory.run(*(base(str(number)) for number in range(BATCH + 1)))
    found = memory.run(*(base(str(number), Title="x") for number in range(BATCH + 1)))
    assert [each.template_id for each in found.changes.changes] == [str(number) for number in range(BATCH + 1)]


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_the_whole_catalog_drops_is_reported_once_and_kept(field: str) -> None:
    catalog, without = [base(), base("2")], [base(**{field: ...}), base("2", **{field: ...})]
    found = compared(catalog, without).changes
    assert (found.changes, found.unpublished, found.unchanged, found.vanished) == ((), (), 2, (field,))
    assert compared(without, without).changes.vanished == ()


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "Tags"])
def test_a_field_that_a_part_of_the_catalog_lacks_has_not_vanished_but_is_kept(field: str) -> None:
    found = compared([base(), base("2")], [base(**{field: ...})], complete=False).changes
    assert (found.changes, found.vanished, found.wire_fields) == ((), (), frozenset(base()))


@pytest.mark.parametrize("field", [*COLUMNS, "Later"])
def test_a_field_new_to_the_whole_catalog_is_stored_and_reported_once(field: str) -> None:
    without = [base(**{field: ...}), base("2", **{field: ...})]
    if field == "Tags":
        without = [base(Tags=..., Tags_en=...)]
    found = compared(without, [base()] if field == "Tags" else [base(), base("2")])
    assert found.changes.changes == ()
    assert field in found.changes.appeared
    stored = {document["template_id"]: document for document in map(document_of, without)}
    assert all(found.document(after) != stored[after.template_id] for after in found.changes.unpublished)
    assert found.changes.unpublished


def test_english_tags_new_to_the_whole_catalog_are_no_change() -> None:
    found = compared([base(Tags_en=...)], [base()]).changes
    assert (found.changes, found.appeared, len(found.unpublished)) == ((), ("Tags_en",), 1)


def test_a_price_that_moved_while_the_field_was_gone_is_told_when_it_returns() -> None:
    memory = Memory()
    memory.run(base())
    hidden = memory.run(base(ConsumeItems=...)).changes
    assert (hidden.changes, hidden.vanished) == ((), ("ConsumeItems",))
    back = base(ConsumeItems=[{"Resolution": "480p", "Credit": 99}, {"Resolution": "720p", "Credit": 355.2}])
    found = memory.run(back).changes
    assert [(change.kind, change.fields) for change in found.changes] == [
        ("changed", ({"field": "consume_items.480p", "old": 166.5, "new": 99},))
    ]
    assert (found.appeared, found.absent_fields) == (("ConsumeItems",), frozenset())


def test_a_field_that_returns_is_new_to_a_template_that_came_while_it_was_gone() -> None:
    memory = Memory()
    memory.run(base("2"))
    memory.run(base(ConsumeItems=...), base("2", ConsumeItems=...))
    assert memory.absent_fields == {"ConsumeItems"}
    found = memory.run(base()).changes
    assert (found.changes, len(found.unpublished)) == ((), 1)


def test_a_tag_lost_while_english_ones_appear_is_told() -> None:
    found = compared([base(Tags=["热", "新"], Tags_en=...)], [base(Tags=["热"], Tags_en=["Hot"])]).changes
    ((change,),) = [each.fields for each in found.changes]
    assert (change["gained"], change["lost"]) == ([], [{"name": "新", "name_en": None}])


def test_english_tags_that_vanish_lose_no_tag_even_where_two_share_a_name() -> None:
    both = {"Tags": ["热", "热"], "Tags_en": ["Hot", "Trending"]}
    found = compared([base(**both)], [base(Tags=both["Tags"], Tags_en=...)]).changes
    assert (found.changes, found.unpublished, found.vanished) == ((), (), ("Tags_en",))


def test_a_new_tag_is_told_while_the_english_ones_are_not_sent() -> None:
    (change,) = compared([base()], [base(Tags=["热", "新", "冷"], Tags_en=...)]).changes.changes
    assert change.fields[0]["gained"] == [{"name": "冷", "name_en": None}]
    assert change.fields[0]["lost"] == []


def test_a_template_that_was_not_present_is_added_and_one_not_served_is_left_alone() -> None:
    found = compared([base(), base("2")], [base("2"), base("3")]).changes
    assert [(change.kind, change.template_id) for change in found.changes] == [("added", "3")]
    assert found.unchanged == 1


def test_nothing_served_forgets_no_field() -> None:
    found = compared([base()], []).changes
    assert (found.vanished, found.wire_fields) == ((), frozenset(base()))


def test_only_bad_records_forget_no_field() -> None:
    found = compared([base()], [{"TemplateId": 5}]).changes
    assert (found.vanished, found.wire_fields) == ((), frozenset(base()))


def test_removals_come_last_by_id_with_what_the_template_was() -> None:
    found = Memory().look(base("3"))
    stored = {"1": document_of(base()), "2": document_of(base("2"))}
    changes = found.changes.removing({"2": "walks", "1": "lookup"}, found.intake, lambda ids: {key: stored[key] for key in ids})
    assert [(each.kind, each.template_id, each.evidence) for each in changes.changes] == [
        ("added", "3", None), ("removed", "1", "lookup"), ("removed", "2", "walks"),
    ]  # fmt: skip
    assert (found.document(changes.changes[1]), changes.count("removed"), changes.count("changed")) == (stored["1"], 2, 0)


def test_a_first_run_reports_only_the_fields_that_this_version_does_not_know() -> None:
    assert Memory().look(base(), base("2")).changes.appeared == ("Later",)


def test_a_first_walk_that_cannot_be_verified_says_which_fields_there_are_all_the_same() -> None:
    found = Memory().look(base(), complete=False).changes
    assert (found.appeared, found.wire_fields, found.vanished) == (("Later",), frozenset(base()), ())


def test_a_change_carries_the_hash_of_its_bytes() -> None:
    memory = Memory()
    memory.run(base("1"))
    found = memory.run(base("1", Title="x"), base("2")).changes
    assert [each.wire_hash for each in found.changes] == [wire_hash(wire(base("2"))), wire_hash(wire(base("1", Title="x")))]


def test_so_many_field_names_are_remembered_and_those_sent_now_come_first() -> None:
    memory = Memory()
    old = {f"Old{number}": 1 for number in range(150)}
    for hundred in range(7):
        memory.run(base("1", **{f"{name}of{hundred}": 1 for name in old}))
    assert memory.wire_fields is not None
    assert len(memory.wire_fields) == MOST_NAMES
    assert {*base(), *(f"{name}of6" for name in old)} <= memory.wire_fields
    assert memory.absent_fields < memory.wire_fields


@pytest.mark.parametrize("kept", [True, False])
def test_what_no_longer_fits_among_the_kept_fields_did_not_change(kept: bool) -> None:  # noqa: FBT001 - a parameter
    most = "x" * (30_000 if kept else 60_000)
    found = compared([base(Old=most)], [base(New="y" * 10_000)])
    (after,) = found.changes.unpublished
    assert (found.changes.changes, found.changes.vanished, "Old" in found.document(after)["extra"]) == ((), ("Old",), kept)


def test_a_changed_template_keeps_what_is_no_longer_sent_in_the_document_that_is_stored() -> None:
    found = compared([base()], [base(MediaId=..., Title="x")])
    (change,) = found.changes.changes
    assert (change.fields[0]["field"], len(change.fields)) == ("title", 1)
    assert (found.document(change)["media_id"], found.document(change)["title"]) == (document_of(base())["media_id"], "x")


def test_a_field_that_any_record_carries_has_not_vanished_even_if_that_one_is_bad() -> None:
    without = base(Later=...)
    assert compared([base()], [without]).changes.vanished == ("Later",)
    assert compared([base()], [without, base("2")]).changes.vanished == ()
    assert compared([base()], [without, base("2", Title=5)]).changes.vanished == ()


def test_an_unknown_number_that_becomes_true_is_a_change_though_python_calls_them_equal() -> None:
    memory = Memory()
    memory.run(record("1", Later=1), record("2", Later=1))
    found = memory.run(record("1", Later=True), record("2", Later=1))
    assert [(change.template_id, change.kind, change.fields) for change in found.changes.changes] == [
        ("1", "changed", ({"field": "extra.Later", "old": 1, "new": True},))
    ]


def test_a_field_that_only_a_bad_record_still_carries_takes_no_values_from_the_others() -> None:
    """Else one spoilt record would take the prices of a whole catalog that stopped sending them."""
    memory = Memory()
    memory.run(record("1"), record("2"), record("3"))
    assert memory.run(*(record(key, ConsumeItems=...) for key in "123")).changes.vanished == ("ConsumeItems",)
    found = memory.run(record("1", ConsumeItems=...), record("2", ConsumeItems=...), record("3", ConsumeItems="spoilt"))
    assert (found.changes.changes, found.changes.unpublished, found.changes.appeared) == ((), (), ())
    assert [len(memory.documents[key]["consume_items"]) for key in "123"] == [2, 2, 2]


def test_the_bytes_of_a_template_that_was_not_served_are_read_again_once_a_field_that_it_may_carry_vanished() -> None:
    """Else it would come back with the field, be recognised, and the field's return would never be told."""
    memory = Memory()
    memory.run(base("1", Later=...), base("2"))
    found = memory.run(base("1", Later=...)).changes
    assert (found.vanished, found.respelled) == (("Later",), {"2": None})
    assert memory.run(base("1", Later=...)).changes.respelled == {}


def test_a_template_that_was_not_served_is_recognised_when_it_returns() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    assert memory.run(base("1")).changes.respelled == {}
    assert memory.run(base("1"), base("2")).intake.recognised == 2


def test_bytes_that_say_less_than_what_is_stored_are_not_remembered_as_saying_it() -> None:
    """Else the template would keep the old value for ever, once the field comes back with another one in the same bytes."""
    memory = Memory()
    memory.run(base())
    assert memory.run(base(Later=...)).changes.respelled == {"1": None}
    assert memory.run(base(Later=...)).changes.respelled == {}


def test_a_field_that_only_a_part_of_the_catalog_brought_is_not_remembered_nor_are_the_bytes_that_carry_it() -> None:
    memory = Memory()
    memory.run(base())
    found = memory.look(base("1", New=1), base("2", New=1), base("3"), complete=False).changes
    assert found.wire_fields == frozenset(base())
    assert {each.template_id: each.wire_hash for each in (*found.changes, *found.unpublished)} == {
        "1": None, "2": None, "3": wire_hash(wire(base("3"))),
    }  # fmt: skip


def test_english_tags_without_the_others_are_judged_anew_each_time() -> None:
    (added,) = Memory().look(base(Tags=...)).changes.changes
    assert added.wire_hash is None


def test_a_template_in_other_bytes_is_recognised_by_them_the_next_time_and_one_that_changed_is_written_once() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    other = wire(base("1")) + b" "
    found = memory.run(other, base("2", Title="x")).changes
    assert (found.respelled, found.unchanged, len(found.changes)) == ({"1": wire_hash(other)}, 1, 1)
    assert memory.run(other, base("2", Title="x")).intake.recognised == 2


def test_a_change_names_the_lists_that_have_to_be_written_anew_and_keeps_what_was_read_once() -> None:
    prices = [{"Resolution": "480p", "Credit": 1}]
    told: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"Title": "x"}, ()),
        ({"Tags": ["热"], "Tags_en": ["Hot"]}, ("tags",)),
        ({"ConsumeItems": prices, "SupportAspectRatio": "1:1"}, ("consume_items", "aspect_ratios")),
    ]
    for changes, lists in told:
        found = compared([base()], [base(**changes)])
        (change,) = found.changes.changes
        assert (change.lists, change.reading) == (lists, found.snapshot.good["1"].reading)


def test_field_names_of_old_are_forgotten_where_those_sent_now_leave_no_room() -> None:
    for many in (MOST_NAMES, MOST_NAMES + 1):
        sent = frozenset(f"Sent{number}" for number in range(many))
        assert _remembered(sent, frozenset({"Old", "Older"})) == sent
