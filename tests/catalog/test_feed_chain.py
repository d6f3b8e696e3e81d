"""Cursors: what they are made of, and that no two histories share one."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.catalog.feed_chain import CHAINED, Cursor

START = Cursor.start("0123456789ab")
ROW: dict[str, Any] = {
    "seq": 1, "run_id": 7, "at": "2026-11-25T12:00:00Z", "template_id": "101", "kind": "changed",
    "fields": [{"field": "consume_items.720p", "old": 10, "new": 12.5}], "evidence": None, "document_hash": "ab" * 32,
}  # fmt: skip
OTHER = {
    "seq": 2, "run_id": 8, "at": "2026-11-25T12:00:01Z", "template_id": "102", "kind": "removed",
    "fields": None, "evidence": "walks", "document_hash": "cd" * 32,
}  # fmt: skip


def test_a_cursor_is_epoch_seq_and_chain_and_reads_back() -> None:
    text = str(START.after(ROW))
    assert text == "0123456789ab-1-e8ed472d939753e638bdd9d6"
    assert Cursor.parse(text) == START.after(ROW)


def test_the_longest_one_fits_into_64_characters_and_holds_no_full_stop() -> None:
    text = str(Cursor("f" * 12, 2**63 - 1, "f" * 24))
    assert len(text) == 57
    assert "." not in text


def test_the_chain_is_the_hash_of_the_one_before_and_of_the_row_as_canonical_json() -> None:
    said = (
        '[1,7,"2026-11-25T12:00:00Z","101","changed",[{"field":"consume_items.720p","new":12.5,"old":10}],null,"'
        + "ab" * 32
        + '"]'
    )
    assert START.after(ROW).chain == hashlib.sha256((START.chain + said).encode()).hexdigest()[:24]


@pytest.mark.parametrize("name", CHAINED)
def test_whatever_differs_in_a_row_is_another_cursor_and_so_is_every_one_after_it(name: str) -> None:
    one, another = START.after(ROW), START.after({**ROW, name: OTHER[name]})
    assert one.chain != another.chain
    assert one.after(OTHER).chain != another.after(OTHER).chain


@pytest.mark.parametrize(("one", "same"), [(2.0, 2), (1e16, 10**16), (-0.0, 0), ([1.0, {"a": 3.0}], [1, {"a": 3}])], ids=repr)
def test_numbers_that_an_engine_may_write_otherwise_are_the_same(one: Any, same: Any) -> None:
    rows = [{**ROW, "fields": [{"field": "extra.x", "old": value, "new": None}]} for value in (one, same)]
    assert START.after(rows[0]) == START.after(rows[1])


CHAIN = "03c0d5bf1f13a4b1fb2ef9e3"


@pytest.mark.parametrize(
    "text",
    ["", "7", "0123456789ab-1", f"0123456789AB-1-{CHAIN}", f"0123456789ab-01-{CHAIN}", f"0123456789ab--1-{CHAIN}",
     f" 0123456789ab-1-{CHAIN}", f"0123456789ab-1-{CHAIN}\n", f"0123456789ab-1-{CHAIN}0",
     f"0123456789ab-{2**63}-{CHAIN}"],
)  # fmt: skip
def test_what_is_not_written_exactly_so_is_no_cursor(text: str) -> None:
    assert Cursor.parse(text) is None


def test_a_cursor_may_stand_at_the_largest_seq_that_a_database_holds() -> None:
    assert Cursor.parse(f"0123456789ab-{2**63 - 1}-{CHAIN}") == Cursor("0123456789ab", 2**63 - 1, CHAIN)


ROWS = st.lists(st.sampled_from([ROW, OTHER, {**ROW, "kind": "added"}]), max_size=5)


@given(ROWS, ROWS)
def test_two_histories_end_in_one_cursor_only_if_they_are_one_history(one: list[Any], another: list[Any]) -> None:
    def end(rows: list[Any]) -> Cursor:
        cursor = START
        for seq, row in enumerate(rows, 1):
            cursor = cursor.after({**row, "seq": seq})
        return cursor

    assert (end(one) == end(another)) == (one == another)


def test_a_text_that_no_database_could_hold_still_has_a_cursor() -> None:
    assert START.after({**ROW, "evidence": "\ud800"}) != START.after({**ROW, "evidence": "\ud801"})
