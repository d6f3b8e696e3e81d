"""Cursors: what they are made of, and that no two histories share one."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.catalog.feed import CHAINED, Cursor

START = Cursor.start("0123456789ab")
ROW: dict[str, Any] = {
    "seq": 1, "run_id": 7, "at": "2026-11-25T12:00:00Z", "template_id": "101", "kind": "changed",
    "fields": [{"field": "consume_items.720p", "old": 10, "new": 12.5}], "evidence": None, "document_hash": "ab" * 32,
}  # fmt: skip
OTHER = {
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
    one, another = START.after(ROW), START.after({**ROW, name: OTHER[name]})
    assert one.chain != another.chain
    assert one.after(OTHER).chain != another.after(OTHER).chain


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


ROWS = st.lists(st.sampled_from([ROW, OTHER, {**ROW, "kind": "added"}]), max_size=5)


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
