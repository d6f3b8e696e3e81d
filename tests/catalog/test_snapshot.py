"""All records of a walk together: the same twice, two under one id, ids written otherwise, fields that no record has."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from sync.catalog.fields import BATCH, COLUMNS, DOCUMENTED, MOST_EXTRA, MOST_FIELDS
from sync.catalog.parsing import REASON_SHOWN
from sync.catalog.served_records import LOOK_UP
from sync.catalog.snapshot import (
    DISPUTED,
    MOST_KEPT,
    PAYLOAD_SHOWN,
    TAGS_UNPAIRED,
    Snapshot,
    build_snapshot,
    kept_unknown,
    kept_values,
    payload,
    reject_reformatted,
)
from tests.builders import record
from tests.catalog.runs import Memory, base, document_of, new_parser, read, wire


def good(**changes: Any) -> dict[str, Any]:
    return record("1", **{"ConsumeItems": [], **changes})


def snapshot_of(*records: Any, page: int = 1) -> Snapshot:
    return read(*records, page=page)[0]


def reasons(snapshot: Snapshot) -> list[tuple[str | None, int, str]]:
    return [(bad.template_id, bad.position, reason) for bad, reason in snapshot.rejected]


@pytest.mark.parametrize(
    "other",
    [{}, {"Cover": f"{record()['Cover']}?sig=2"}, {name: record()[name][::-1] for name in ("Tags", "Tags_en")}],
    ids=["equal", "another signature", "another order of tags"],
)
def test_records_with_equal_content_are_merged(other: dict[str, Any]) -> None:
    served = snapshot_of(good(), good(**other))
    assert (list(served.good), served.rejected) == (["1"], [])


def test_different_records_with_one_id_are_both_rejected() -> None:
    served, parser = read(good(), good(Title="other"), good(), record("2", ConsumeItems=[]))
    assert (list(served.good), served.ids) == (["2"], {"1", "2"})
    assert {bad.reason for bad in served.rejected_records(parser)} == {DISPUTED}
    assert reasons(served) == [("1", 1, DISPUTED), ("1", 2, DISPUTED)]


def test_a_valid_record_is_rejected_if_another_one_with_its_id_is_invalid() -> None:
    assert snapshot_of(good(), good(Title=5)).good == {}
    assert snapshot_of(good(Title=5), good()).good == {}


def test_records_without_a_readable_id_are_listed() -> None:
    served = snapshot_of(good(TemplateId=None), record("2", Title=5), "x", good())
    assert [each.position for each in served.without_id] == [0, 2]


def test_an_unchanged_record_and_one_with_a_new_signature_are_merged() -> None:
    memory = Memory.after(good(Cover="https://m.example/c?sig=1"))
    found = memory.look(good(Cover="https://m.example/c?sig=1"), good(Cover="https://m.example/c?sig=2"))
    assert (found.counts, list(found.snapshot.good), found.reasons) == ((1, 1), ["1"], [])


@pytest.mark.parametrize("unchanged_first", [True, False])
def test_an_unchanged_record_and_a_different_one_are_disputed(unchanged_first: bool) -> None:  # noqa: FBT001 - a parameter
    memory = Memory.after(good())
    found = memory.look(*[good(), good(Title="other")][:: 1 if unchanged_first else -1])
    assert (found.snapshot.good, found.snapshot.ids, reasons(found.snapshot)) == ({}, {"1"}, [("1", 1, DISPUTED)])


@pytest.mark.parametrize("unchanged_first", [True, False])
def test_a_disputed_unchanged_record_is_shown_as_its_stored_document(unchanged_first: bool) -> None:  # noqa: FBT001 - a parameter
    memory = Memory.after(good())
    catalog = [good(), good(Title="other")][:: 1 if unchanged_first else -1]
    found = memory.look(*catalog, good())
    shown = [json.loads(each.payload) for each in found.snapshot.rejected_records(found.parser)]
    stored = document_of(good())
    assert [each.get("Title", each.get("title")) for each in shown] == ["other" if unchanged_first else "战斗游戏", "战斗游戏"]
    assert [each for each in shown if "title" in each] == [stored] * len([each for each in shown if "title" in each])
    assert any("title" in each for each in shown)


def test_a_stored_document_is_loaded_only_to_compare_an_unchanged_record() -> None:
    memory = Memory.after(good())
    served = [good(), good(), record("2"), record("2", Duration=10123.0)]
    found = memory.look(*served)
    assert (list(found.snapshot.good), found.reasons, memory.loaded) == (["1", "2"], [], {})
    found = memory.look(*served, good(Duration=10123.0))
    assert (list(found.snapshot.good), found.reasons, memory.loaded) == (["1", "2"], [], {"1": 1})


def test_the_commonest_reason_is_the_most_frequent_one() -> None:
    served = snapshot_of(good(Title=5), record("2", Duration="x"), record("3", Title=6))
    assert served.commonest_reason == "Title must be a string, not a number"
    assert snapshot_of(good()).commonest_reason == ""


def test_the_number_of_described_rejected_records_is_limited() -> None:
    served, parser = read(*([{"Title": "x"}] * (MOST_KEPT + 1)))
    assert (len(served.rejected), len(served.rejected_records(parser))) == (MOST_KEPT + 1, MOST_KEPT)


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({"b": 1, "a": [None, True]}, '{"a": [null, true], "b": 1}'),
        ({"Title": "战\x00\ud83d\x1b"}, r'{"Title": "\u6218\u0000\ud83d\u001b"}'),
        ({"x": Decimal("166.50")}, '{"x": 166.5}'),
        ({"x": Decimal("0.123456789012345678")}, '{"x": "0.123456789012345678"}'),
        ({"x": Decimal("1E+999")}, '{"x": "1E+999"}'),
        ({"x": Decimal("NaN")}, '{"x": "NaN"}'),
        ("just text", '"just text"'),
        (None, "null"),
    ],
)
def test_a_payload_is_one_line_of_ascii_in_the_order_of_names(record: Any, shown: str) -> None:
    assert payload(record) == shown


def test_a_recursive_value_has_no_payload() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert payload(endless) == "(too deeply nested to show)"


def test_the_limits_of_stored_rejections_have_these_values() -> None:
    assert (PAYLOAD_SHOWN, REASON_SHOWN, MOST_KEPT) == (4000, 300, 1000)


def test_the_texts_of_two_reasons_do_not_change() -> None:
    assert DISPUTED == "the catalog served two different records under this TemplateId"
    assert TAGS_UNPAIRED == "Tags_en has items, and Tags is missing"


# Fields that no record has, and tags ---------------------------------------------------------------------------------------


def test_a_field_is_missing_if_no_valid_record_of_the_walk_has_a_value() -> None:
    without = good(Title=..., Cover=None, Duration=0, Tags=[], Tags_en=[], Title_en="")
    assert snapshot_of(without).missing == {"Title", "Cover"}
    assert snapshot_of(without, record("2", Title="x")).missing == frozenset()
    assert snapshot_of(without, record("2", Duration="x")).missing == {"Title", "Cover"}
    assert snapshot_of(without, record("2"), record("2", Title="other")).missing == {"Title", "Cover"}
    assert snapshot_of(without, page=LOOK_UP).missing == DOCUMENTED
    assert snapshot_of().missing == DOCUMENTED


@pytest.mark.parametrize("tags", [None, ...], ids=["null", "absent"])
def test_english_tags_without_tags_are_rejected_unless_no_record_has_tags(tags: Any) -> None:
    served, parser = read(good(Tags=tags), record("2", Tags=tags, ConsumeItems=[]))
    assert (list(served.good), served.rejected) == (["1", "2"], [])
    assert parser.document(served.good["1"])["tags"] == []
    for with_tags in (record("2"), record("2", Tags=[], Tags_en=[])):
        assert reasons(snapshot_of(good(Tags=tags), with_tags)) == [("1", 0, TAGS_UNPAIRED)]


@pytest.mark.parametrize("english", [..., None, []], ids=["absent", "null", "empty"])
def test_a_record_without_any_tags_is_valid(english: Any) -> None:
    served = snapshot_of(good(Tags=..., Tags_en=english), record("2"))
    assert (list(served.good), served.rejected) == (["1", "2"], [])


def test_english_tags_without_tags_are_valid_in_a_look_up() -> None:
    assert reasons(snapshot_of(good(Tags=...), page=LOOK_UP)) == []


def test_tags_of_a_look_up_do_not_count() -> None:
    parser = new_parser()
    walked = parser.parse_page(1, [wire(good(Tags=...))])
    missing = frozenset(parser.missing)
    served = build_snapshot([*walked, *parser.parse_page(LOOK_UP, [wire(record("2"))])], missing, parser)
    assert (list(served.good), reasons(served), {*served.missing}) == (["1", "2"], [], {"Tags"})


def test_a_look_up_does_not_supply_a_field_of_a_disputed_record() -> None:
    parser = new_parser()
    walked = parser.parse_page(1, map(wire, (good(Title=...), record("2"), record("2", Title="other"))))
    looked_up = parser.parse_page(LOOK_UP, [wire(record("3"))])
    assert build_snapshot([*walked, *looked_up], parser.missing, parser).missing == {"Title"}


def test_stored_documents_are_loaded_until_every_field_was_found() -> None:
    memory = Memory()
    catalog = [record(str(number)) for number in range(BATCH + 2)]
    memory.run(*catalog)
    found = memory.look(*catalog, record("0", Title="other"))
    assert (found.snapshot.missing, memory.loaded.total()) == (frozenset(), 1 + BATCH)


def test_tags_of_a_record_outside_the_list_count() -> None:
    parser = new_parser()
    left = parser.parse_page(1, [wire(good(Tags=...)), wire(record("2"))])[:1]
    assert reasons(build_snapshot(left, parser.missing, parser)) == [("1", 0, TAGS_UNPAIRED)]


def test_another_reason_precedes_unpaired_tags() -> None:
    title = "Title must be a string, not a number"
    assert reasons(snapshot_of(good(Tags=..., Title=5), record("2"))) == [("1", 0, title)]


# Other spellings of known IDs -----------------------------------------------------------------------------------------------


def reformatted(ids: list[str], known: list[str], most: int) -> tuple[list[str], set[str]]:
    snapshot = reject_reformatted(snapshot_of(*(record(template_id, ConsumeItems=[]) for template_id in ids)), known, most)
    return list(snapshot.good), {reason for _, reason in snapshot.rejected}


@pytest.mark.parametrize(
    ("ids", "known", "most", "good"),
    [
        *((["9", *map(write.format, "123")], ["1", "2", "3"], 2, ["9"]) for write in ("0{}", " {}", "{} ", "00{} ")),
        *((ids, ["a1", "b1"], 1, []) for ids in (["A1", "B1"], ["a-1", "b-1"], ["\uff411", "\uff421"], ["A_1", "#b.1"])),
        (["01", "02", "3"], ["1", "2", "3"], 2, ["01", "02", "3"]),  # as many as are accepted
        (["1", "01", "2", "02"], ["1", "2"], 0, ["1", "01", "2", "02"]),  # both spellings are served
        (["a1", "b1"], ["a1", "A1", "b1", "B1"], 1, ["a1", "b1"]),
        (["x1", "x2"], ["1", "2"], 1, ["x1", "x2"]),
    ],
)
def test_other_spellings_of_many_known_ids_are_rejected(ids: list[str], known: list[str], most: int, good: list[str]) -> None:
    reasons = {"its id is a known template's, written otherwise"} if len(good) < len(ids) else set()
    assert reformatted(ids, known, most) == (good, reasons)


def test_a_rejected_spelling_counts_as_served() -> None:
    snapshot = snapshot_of(record("01", ConsumeItems=[]))
    reject_reformatted(snapshot, ["1"], 0)
    assert snapshot.ids == {"01"}


def test_rejected_records_with_an_id_count_as_served_and_are_stored_as_served() -> None:
    assert snapshot_of(good(), record("2", Title=5), record(TemplateId=7)).ids == {"1", "2", "7"}
    served, parser = read({"Title": "x"}, record("2", Title=5))
    assert served.ids == {"2"}
    (without_id, bad) = served.rejected_records(parser)
    assert (without_id.payload, json.loads(bad.payload)["Title"]) == ('{"Title": "x"}', 5)


# Values that are kept -------------------------------------------------------------------------------------------------


FULL = document_of(base())
EMPTY = document_of({"TemplateId": "1"})


def tag(name: str, name_en: str | None = None) -> dict[str, Any]:
    return {"name": name, "name_en": name_en}


@pytest.mark.parametrize(("wire_name", "column"), COLUMNS.items())
def test_the_stored_value_of_a_missing_field_is_kept(wire_name: str, column: str) -> None:
    assert kept_values(FULL, EMPTY, {wire_name}) == {column: FULL[column]}


def test_stored_values_of_all_documented_fields_are_kept() -> None:
    assert {**EMPTY, **kept_values(FULL, EMPTY, DOCUMENTED)} == {**FULL, "extra": {}}


def test_equal_and_served_values_are_not_kept() -> None:
    assert kept_values(FULL, EMPTY, ()) == {}
    assert kept_values(FULL, document_of(base()), DOCUMENTED) == {}
    assert kept_values(EMPTY, EMPTY, DOCUMENTED) == {}


def test_the_arguments_are_not_modified() -> None:
    before, after = document_of(base()), document_of({"TemplateId": "1", "New": 1})
    kept_values(before, after, DOCUMENTED)
    kept_unknown(before, after)
    assert (before, after) == (FULL, document_of({"TemplateId": "1", "New": 1}))


def test_missing_english_names_are_kept_with_their_tags() -> None:
    before = {**FULL, "tags": [tag("a", "A"), tag("b", "B"), tag("a", "A2")]}
    after = {**FULL, "tags": [tag("c"), tag("a")]}
    assert kept_values(before, after, {"Tags_en"}) == {"tags": [tag("c"), tag("a", "A"), tag("a", "A2")]}
    assert kept_values(before, after, {"Tags_en", "Tags"}) == {"tags": before["tags"]}
    assert kept_values(before, {**FULL, "tags": [tag("c")]}, {"Tags_en"}) == {}


# Unknown fields of a look-up -----------------------------------------------------------------------------------------------


def with_extra(**extra: Any) -> dict[str, Any]:
    return {**EMPTY, "extra": extra}


def test_unknown_fields_missing_from_a_look_up_are_kept() -> None:
    assert kept_unknown(with_extra(Old=1, Both=1), with_extra(Both=2, New=3)) == {"extra": {"Old": 1, "Both": 2, "New": 3}}
    assert kept_unknown(with_extra(Both=1), with_extra(Both=2)) == {}


def test_unknown_fields_are_kept_within_the_bound_of_characters() -> None:
    around = len('{"New":"","Old":""}')
    half = MOST_EXTRA // 2
    new = with_extra(New="y" * half)
    fits, too_long = (with_extra(Old="x" * (MOST_EXTRA - half - around + more)) for more in (0, 1))
    assert {*kept_unknown(fits, new)["extra"]} == {"Old", "New"}
    assert kept_unknown(too_long, new) == {}


def test_unknown_fields_are_kept_within_the_bound_of_fields() -> None:
    for count, kept in [(MOST_FIELDS - 1, MOST_FIELDS), (MOST_FIELDS, 0)]:
        old = with_extra(**{f"Old{number}": number for number in range(count)})
        assert len(kept_unknown(old, with_extra(New=1)).get("extra", ())) == kept
