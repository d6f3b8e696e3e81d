"""All records of a walk, judged together: the same twice, two under one id, ids written otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sync.catalog.intake import Intake
from sync.catalog.raw_record import LOOK_UP
from sync.catalog.set_aside import DISPUTED, MOST_KEPT, set_aside_reformatted

from sync.catalog.snapshot import Snapshot, read_snapshot
from sync.spool import Spool
from tests.builders import record
from tests.catalog.runs import Memory, fields_of, kept_of, nothing_stored, take_in, wire


def good(**changes: Any) -> dict[str, Any]:
    return record("1", **{"ConsumeItems": [], **changes})


def read(*records: Any, page: int = 1) -> Snapshot:
    return take_in(*records, page=page)[0]


def reasons(snapshot: Snapshot) -> list[tuple[str | None, int, str]]:
    return [(bad.template_id, bad.position, reason) for bad, reason in snapshot.set_aside]


def test_the_fields_of_a_bad_record_are_known_but_absurd_names_are_not() -> None:
    served = read(good(Title=5, New=1, **{"y" * 3000: 1, "\ud800": 1}))
    assert {"Title", "New"} <= served.fields
    assert served.fields == {*good(), "New"}
    assert read({str(number): 1 for number in range(2000)}).fields == frozenset()


def test_the_same_record_twice_is_one() -> None:
    served = read(good(), good())
    assert (list(served.good), served.set_aside) == (["1"], [])


def test_the_same_record_signed_anew_and_in_another_order_is_one() -> None:
    served = read(
        good(Cover="https://m.example/c?sig=1", Tags=["a", "b"], Tags_en=["A", "B"]),
        good(Cover="https://m.example/c?sig=2", Tags=["b", "a"], Tags_en=["B", "A"]),
    )
    assert (list(served.good), served.set_aside) == (["1"], [])


def test_of_two_different_records_under_one_id_neither_is_believed() -> None:
    served, intake = take_in(good(), good(Title="other"), good(), record("2", ConsumeItems=[]))
    assert (list(served.good), served.ids) == (["2"], {"1", "2"})
    assert {bad.reason for bad in served.rejected(intake, nothing_stored)} == {
        "the catalog served two different records under this TemplateId"
    }
    assert reasons(served) == [("1", 1, DISPUTED), ("1", 2, DISPUTED)]


def test_an_id_with_a_good_and_a_bad_record_is_not_believed() -> None:
    assert read(good(), good(Title=5)).good == {}
    assert read(good(Title=5), good()).good == {}


def test_every_id_that_was_served_counts_as_served() -> None:
    assert read(good(), record("2", Title=5), record(TemplateId=7)).ids == {"1", "2", "7"}


def test_what_carries_no_id_is_nameless() -> None:
    served = read(good(TemplateId=None), record("2", Title=5), "x", good())
    assert [each.position for each in served.nameless] == [0, 2]


def test_a_recognised_record_and_one_that_was_only_signed_anew_are_one() -> None:
    memory = Memory()
    memory.run(good(Cover="https://m.example/c?sig=1"))
    found = memory.look(good(Cover="https://m.example/c?sig=1"), good(Cover="https://m.example/c?sig=2"))
    assert (found.intake.recognised, list(found.snapshot.good), found.snapshot.set_aside) == (1, ["1"], [])


@pytest.mark.parametrize("known_first", [True, False])
def test_a_recognised_record_and_a_different_one_are_disputed(known_first: bool) -> None:  # noqa: FBT001 - a parameter
    memory = Memory()
    memory.run(good())
    found = memory.look(*[good(), good(Title="other")][:: 1 if known_first else -1])
    assert (found.snapshot.good, found.snapshot.ids, reasons(found.snapshot)) == ({}, {"1"}, [("1", 1, DISPUTED)])


@pytest.mark.parametrize("known_first", [True, False])
def test_a_disputed_record_is_shown_as_its_document_recognised_or_not(known_first: bool) -> None:  # noqa: FBT001 - a parameter
    memory = Memory()
    memory.run(good())
    catalog = [good(), good(Title="other")][:: 1 if known_first else -1]
    found = memory.look(*catalog, good())
    memory.forget_bytes()
    unrecognised = memory.look(*catalog, good())
    shown = found.snapshot.rejected(found.intake, memory.load)
    assert shown == unrecognised.snapshot.rejected(unrecognised.intake, memory.load)
    assert {json.loads(each.payload)["title"] for each in shown} <= {"战斗游戏", "other"}


def test_the_stored_hash_is_asked_for_only_where_a_recognised_record_meets_other_bytes() -> None:
    memory = Memory()
    memory.run(good())
    asked: list[str] = []

    def stored_hash(template_id: str) -> str:
        asked.append(template_id)
        return kept_of(good()).content_hash

    intake = Intake(memory.known, frozenset(), Spool(), stored_hash=stored_hash)
    served = [wire(good()), wire(good()), wire(record("2")), wire(record("2", Duration=10123.0))]
    snapshot = read_snapshot(intake.take(1, served), intake)
    assert (list(snapshot.good), snapshot.set_aside, asked) == (["1", "2"], [], [])
    snapshot = read_snapshot(intake.take(1, [*served, wire(good(Duration=10123.0))]), intake)
    assert (list(snapshot.good), snapshot.set_aside, asked) == (["1", "2"], [], ["1"])


def test_the_commonest_reason_speaks_for_all() -> None:
    served = read(good(Title=5), record("2", Duration="x"), record("3", Title=6))
    assert served.commonest_reason == "Title must be a string, not a number"
    assert read(good()).commonest_reason == ""


def test_so_many_of_the_bad_records_are_described_and_all_are_counted() -> None:
    served, intake = take_in(*([{"Title": "x"}] * (MOST_KEPT + 1)))
    assert (len(served.set_aside), len(served.rejected(intake, nothing_stored))) == (MOST_KEPT + 1, MOST_KEPT)


# Tags that are dropped everywhere ------------------------------------------------------------------------------------------


def test_english_tags_without_any_tags_in_the_whole_catalog_are_no_fault() -> None:
    served, intake = take_in(good(Tags=...), record("2", Tags=..., ConsumeItems=[]))
    assert (list(served.good), served.set_aside) == (["1", "2"], [])
    reading = served.good["1"].reading
    assert reading is not None
    written = intake.load(reading).document
    assert written is not None
    assert written["tags"] == []
    assert read(good(Tags=...), page=LOOK_UP).good == {}  # one template by itself says nothing about the catalog


def test_english_tags_alone_are_a_fault_where_any_record_has_tags() -> None:
    reason = "Tags has 0 items, Tags_en 2"
    assert reasons(read(good(Tags=...), record("2", ConsumeItems=[]))) == [("1", 0, reason)]
    assert reasons(read(good(Tags=...), record("2", Title=5))) == [("1", 0, reason), ("2", 1, reasons(read(good(Title=5)))[0][2])]


def test_a_look_up_with_tags_says_nothing_about_the_walk() -> None:
    intake = Intake({}, frozenset(), Spool())
    sightings = [*intake.take(1, [wire(good(Tags=...))]), *intake.take(LOOK_UP, [wire(record("2", ConsumeItems=[]))])]
    served = read_snapshot(sightings, intake, fields_of(sightings))
    assert (list(served.good), served.set_aside) == (["1", "2"], [])


def test_tags_seen_on_the_walk_count_where_their_record_is_not_among_those_that_are_left() -> None:
    intake = Intake({}, frozenset(), Spool())
    served = read_snapshot(intake.take(1, [wire(good(Tags=...))]), intake, frozenset({"Tags", "Elsewhere"}))
    assert reasons(served) == [("1", 0, "Tags has 0 items, Tags_en 2")]
    assert served.fields == {*good(Tags=...), "Tags", "Elsewhere"}


# Ids that are merely written otherwise -------------------------------------------------------------------------------------


def reformatted(ids: list[str], known: list[str], most: int) -> tuple[list[str], set[str]]:
    snapshot = read(*(record(template_id, ConsumeItems=[]) for template_id in ids))
    set_aside_reformatted(snapshot, known, most=most)
    return list(snapshot.good), {reason for _, reason in snapshot.set_aside}


@pytest.mark.parametrize("write", ["0{}", " {}", "{} ", "00{} "])
def test_known_ids_written_otherwise_are_a_changed_format_and_no_new_templates(write: str) -> None:
    ids = [write.format(each) for each in ("1", "2", "3")]
    assert reformatted([*ids, "9"], ["1", "2", "3"], 2) == (["9"], {"its id is a known template's, written otherwise"})


def test_known_ids_in_the_other_case_are_a_changed_format_too() -> None:
    assert reformatted(["A1", "B1"], ["a1", "b1"], 1) == ([], {"its id is a known template's, written otherwise"})


@pytest.mark.parametrize("ids", [["a-1", "b-1"], ["\uff411", "\uff421"], ["A_1", "#b.1"]])
def test_known_ids_with_other_signs_or_wider_letters_are_a_changed_format_too(ids: list[str]) -> None:
    assert reformatted(ids, ["a1", "b1"], 1) == ([], {"its id is a known template's, written otherwise"})


def test_as_many_ids_written_otherwise_as_may_be_chance_are_new_templates() -> None:
    assert reformatted(["01", "02", "3"], ["1", "2", "3"], 2) == (["01", "02", "3"], set())


def test_an_id_whose_other_spelling_is_served_as_well_is_a_new_template() -> None:
    assert reformatted(["1", "01", "2", "02"], ["1", "2"], 0) == (["1", "01", "2", "02"], set())


def test_what_was_set_aside_counts_as_served_but_its_twin_is_still_missing() -> None:
    snapshot = read(record("01", ConsumeItems=[]))
    set_aside_reformatted(snapshot, ["1"], most=0)
    assert snapshot.ids == {"01"}


def test_known_ids_that_differ_only_in_case_stay_when_the_others_go() -> None:
    assert reformatted(["a1", "b1"], ["a1", "A1", "b1", "B1"], 1) == (["a1", "b1"], set())


def test_a_record_without_an_id_is_no_id_that_was_served_and_a_bad_one_is_shown_as_it_came() -> None:
    served, intake = take_in({"Title": "x"}, record("2", Title=5))
    assert served.ids == {"2"}
    (nameless, bad) = served.rejected(intake, nothing_stored)
    assert (nameless.payload, json.loads(bad.payload)["Title"]) == ('{"Title": "x"}', 5)


def test_known_ids_behind_a_letter_are_others() -> None:
    assert reformatted(["x1", "x2"], ["1", "2"], 1) == (["x1", "x2"], set())
