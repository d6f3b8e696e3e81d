"""A field that no record of the catalog carries keeps its last value; one that a single record lacks does not."""

from __future__ import annotations

from typing import Any

import pytest
from sync.catalog.unsent_fields import keep_unsent, lacks

from sync.catalog.bounds import MOST_EXTRA, MOST_FIELDS
from sync.catalog.template import COLUMNS
from tests.catalog.runs import base, document_of

ALL = frozenset(base())
FULL = document_of(base())
EMPTY = document_of({"TemplateId": "1"})


def tag(name: str, name_en: str | None = None) -> dict[str, Any]:
    return {"name": name, "name_en": name_en}


@pytest.mark.parametrize("wire_name", [*COLUMNS, "Tags_en", "Later"])
def test_a_document_lacks_a_field_that_was_never_sent(wire_name: str) -> None:
    assert lacks(EMPTY, wire_name)
    assert not lacks(FULL, wire_name)


def test_null_is_a_value_of_an_unknown_field_and_none_of_a_documented_one() -> None:
    assert not lacks(document_of({"TemplateId": "1", "Later": None}), "Later")
    assert lacks(document_of({"TemplateId": "1", "Title": None}), "Title")
    assert not lacks(document_of({"TemplateId": "1", "Title": ""}), "Title")


def test_where_everything_is_sent_the_served_document_itself_is_given() -> None:
    assert keep_unsent(FULL, EMPTY, ALL) is EMPTY


def test_where_what_is_kept_is_what_is_served_the_served_document_itself_is_given() -> None:
    again = document_of(base())
    assert keep_unsent(FULL, again, frozenset()) is again
    assert keep_unsent(EMPTY, FULL, ALL - {"Unheard"}) is FULL


@pytest.mark.parametrize(("wire_name", "column"), COLUMNS.items())
def test_of_a_field_that_nobody_sends_the_stored_value_stays(wire_name: str, column: str) -> None:
    kept = keep_unsent(FULL, EMPTY, ALL - {wire_name})
    assert {name for name in kept if kept[name] != EMPTY[name]} == {column}
    assert kept[column] == FULL[column]


def test_what_is_served_goes_before_what_is_kept() -> None:
    assert keep_unsent(FULL, document_of({"TemplateId": "1", "Later": 2}), frozenset())["extra"] == {"Later": 2}


def test_nothing_that_was_given_is_changed() -> None:
    before, after = document_of(base()), document_of({"TemplateId": "1", "New": 1})
    kept = keep_unsent(before, after, frozenset({"TemplateId", "New"}))
    assert kept["extra"] == {"Later": base()["Later"], "New": 1}
    assert (before, after) == (FULL, document_of({"TemplateId": "1", "New": 1}))


def test_english_names_that_nobody_sends_stay_with_their_tags() -> None:
    before = {**FULL, "tags": [tag("a", "A"), tag("b", "B"), tag("a", "A2")]}
    after = {**FULL, "tags": [tag("c"), tag("a")]}
    assert keep_unsent(before, after, ALL - {"Tags_en"})["tags"] == [tag("c"), tag("a", "A"), tag("a", "A2")]
    assert keep_unsent(before, after, ALL - {"Tags_en", "Tags"})["tags"] == before["tags"]


def test_of_a_field_sent_by_others_a_template_without_it_has_lost_it() -> None:
    assert keep_unsent(FULL, EMPTY, ALL)["extra"] == {}


def with_extra(**extra: Any) -> dict[str, Any]:
    return {**EMPTY, "extra": extra}


def test_unknown_fields_are_kept_as_long_as_there_is_room_for_all_of_them() -> None:
    around = len('{"New":"","Old":""}')
    half = MOST_EXTRA // 2
    new = with_extra(New="y" * half)
    fits, too_long = (with_extra(Old="x" * (MOST_EXTRA - half - around + more)) for more in (0, 1))
    assert set(keep_unsent(fits, new, frozenset({"New"}))["extra"]) == {"Old", "New"}
    assert keep_unsent(too_long, new, ALL | {"New"} - {"Later"})["extra"] == new["extra"]


def test_no_more_unknown_fields_are_kept_than_a_record_may_have() -> None:
    new = with_extra(New=1)
    for count, kept in [(MOST_FIELDS - 1, MOST_FIELDS), (MOST_FIELDS, 1)]:
        old = with_extra(**{f"Old{number}": number for number in range(count)})
        assert len(keep_unsent(old, new, ALL | {"New"})["extra"]) == kept
