"""Stored values that stay: of fields that no record of a walk has, and of those that a look-up leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from sync.catalog.fields import COLUMNS, DOCUMENTED, MOST_EXTRA, MOST_FIELDS
from sync.catalog.snapshot import kept_unknown, kept_values
from tests.catalog.runs import base, document_of

FULL = document_of(base())
EMPTY = document_of({"TemplateId": "1"})


def tag(name: str, name_en: str | None = None) -> dict[str, Any]:
    return {"name": name, "name_en": name_en}


@pytest.mark.parametrize(("wire_name", "column"), COLUMNS.items())
def test_of_a_field_that_is_missing_the_stored_value_stays(wire_name: str, column: str) -> None:
    assert kept_values(FULL, EMPTY, {wire_name}) == {column: FULL[column]}


def test_of_all_fields_that_are_missing_the_stored_values_stay_and_unknown_fields_do_not() -> None:
    assert {**EMPTY, **kept_values(FULL, EMPTY, DOCUMENTED)} == {**FULL, "extra": {}}


def test_nothing_is_kept_of_fields_that_are_served_or_that_are_stored_as_served() -> None:
    assert kept_values(FULL, EMPTY, ()) == {}
    assert kept_values(FULL, document_of(base()), DOCUMENTED) == {}
    assert kept_values(EMPTY, EMPTY, DOCUMENTED) == {}


def test_nothing_that_was_given_is_changed() -> None:
    before, after = document_of(base()), document_of({"TemplateId": "1", "New": 1})
    kept_values(before, after, DOCUMENTED)
    kept_unknown(before, after)
    assert (before, after) == (FULL, document_of({"TemplateId": "1", "New": 1}))


def test_english_names_that_are_missing_stay_with_their_tags() -> None:
    before = {**FULL, "tags": [tag("a", "A"), tag("b", "B"), tag("a", "A2")]}
    after = {**FULL, "tags": [tag("c"), tag("a")]}
    assert kept_values(before, after, {"Tags_en"}) == {"tags": [tag("c"), tag("a", "A"), tag("a", "A2")]}
    assert kept_values(before, after, {"Tags_en", "Tags"}) == {"tags": before["tags"]}
    assert kept_values(before, {**FULL, "tags": [tag("c")]}, {"Tags_en"}) == {}


# Unknown fields of a look-up -----------------------------------------------------------------------------------------------


def with_extra(**extra: Any) -> dict[str, Any]:
    return {**EMPTY, "extra": extra}


def test_unknown_fields_that_a_look_up_leaves_out_stay_and_those_that_it_has_come_first() -> None:
    assert kept_unknown(with_extra(Old=1, Both=1), with_extra(Both=2, New=3)) == {"extra": {"Old": 1, "Both": 2, "New": 3}}
    assert kept_unknown(with_extra(Both=1), with_extra(Both=2)) == {}


def test_unknown_fields_stay_as_long_as_there_is_room_for_all_of_them() -> None:
    around = len('{"New":"","Old":""}')
    half = MOST_EXTRA // 2
    new = with_extra(New="y" * half)
    fits, too_long = (with_extra(Old="x" * (MOST_EXTRA - half - around + more)) for more in (0, 1))
    assert {*kept_unknown(fits, new)["extra"]} == {"Old", "New"}
    assert kept_unknown(too_long, new) == {}


def test_no_more_unknown_fields_stay_than_a_record_may_have() -> None:
    for count, kept in [(MOST_FIELDS - 1, MOST_FIELDS), (MOST_FIELDS, 0)]:
        old = with_extra(**{f"Old{number}": number for number in range(count)})
        assert len(kept_unknown(old, with_extra(New=1)).get("extra", ())) == kept
