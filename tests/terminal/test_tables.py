"""Columns that line up, and lines that fit."""

from __future__ import annotations

import pytest

from sync.terminal.tables import cut, fit, pad, plain, table, wide


def test_a_heading_is_bold_and_nothing_else_is() -> None:
    painted = table([["A", "B"], ["xyz", "1"], ["", "2"]], None, lambda text, color: f"<{color}>{text}")
    assert painted == ["<bold>A    B", "xyz  1", "     2"]


def test_a_table_is_whole_where_nobody_says_how_wide_it_may_be() -> None:
    assert table([["A", "B"], ["x" * 300, "1"]]) == ["A" + " " * 301 + "B", "x" * 300 + "  1"]
    assert plain("as it is", "red") == "as it is"


def test_a_row_that_lacks_a_cell_is_an_error_and_no_crooked_table() -> None:
    with pytest.raises(ValueError, match="zip"):
        table([["A", "B"], ["x"]])
    with pytest.raises(ValueError, match="zip"):
        fit([1, 1], 30, [False])


def test_a_table_takes_exactly_the_room_that_there_is() -> None:
    rows = [["A", "B"], ["x" * 20, "y" * 20]]
    assert table(rows, 42)[1] == "x" * 20 + "  " + "y" * 20
    assert table(rows, 41)[1] == "x" * 18 + "…  " + "y" * 18 + "…"
    assert table(rows, 40)[1] == "x" * 18 + "…  " + "y" * 18 + "…"
    assert table([["A"], ["x" * 20]], 20) == ["A", "x" * 20]


def test_a_line_that_does_not_fit_with_columns_of_twelve_is_cut_at_its_end() -> None:
    rows = [["A", "B", "C" * 20], ["x" * 20, "y" * 20, "z" * 20]]
    assert table(rows, 30) == ["A             B             C…", "x" * 11 + "…  " + "y" * 11 + "…  z…"]


def test_a_column_that_stays_whole_takes_its_room_from_the_others() -> None:
    rows = [["A", "B", "C"], ["x" * 20, "y" * 20, "z" * 20]]
    assert table(rows, 56, whole=["B"])[1] == "x" * 15 + "…  " + "y" * 20 + "  " + "z" * 15 + "…"


@pytest.mark.parametrize(("width", "headings"), [
    (None, "A  TITLE  TAGS  TYPE"), (92, "A  TITLE  TAGS  TYPE"), (91, "A  TITLE  TAGS  TYPE"), (79, "A  TITLE  TAGS  TYPE"),
    (78, "A  TITLE  TYPE"), (53, "A  TITLE  TYPE"), (52, "A  TITLE"), (10, "A  TITLE"),
])  # fmt: skip
def test_columns_are_omitted_in_order_until_the_others_are_readable(width: int | None, headings: str) -> None:
    rows = [["A", "TITLE", "TAGS", "TYPE"], ["x", "t" * 30, "g" * 30, "y" * 25]]
    assert " ".join(table(rows, width, omit=["TAGS", "TYPE"])[0].split()) == " ".join(headings.split())


@pytest.mark.parametrize(("widths", "room", "whole", "fitted"), [
    ([20, 30, 30], 80, [False] * 3, [20, 30, 30]),
    ([20, 30, 30], 62, [False] * 3, [20, 21, 21]),      # the narrowest is as wide as its share: what is over goes to the others
    ([30, 20, 30], 61, [False] * 3, [20, 20, 20]),
    ([5, 30, 30], 45, [False] * 3, [5, 20, 20]),
    ([5, 30, 30], 45, [False, True, False], [5, 30, 12]),
    ([14, 14, 14], 3, [False] * 3, [12, 12, 12]),
    ([13, 40], 10, [False, True], [12, 40]),
    ([40, 40], 10, [True, True], [40, 40]),
    ([], 10, [], []),
])  # fmt: skip
def test_the_widest_give_way_to_one_width_and_none_below_twelve(
    widths: list[int], room: int, whole: list[bool], fitted: list[int]
) -> None:
    assert fit(widths, room, whole) == fitted


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("a", 1), ("猫", 2), ("e\u0301", 1), ("\x1b", 0)])
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, columns: int) -> None:
    assert wide(text) == columns


@pytest.mark.parametrize(("text", "width", "shown"), [
    ("abc", 3, "abc"),
    ("abcd", 3, "ab…"),
    ("猫狗", 4, "猫狗"),
    ("猫狗", 3, "猫…"),
    ("猫狗", 2, "…"),
    ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ("ab", 0, "…"),
    ("", 0, ""),
])  # fmt: skip
def test_what_is_cut_ends_in_an_ellipsis_that_still_fits(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


def test_a_text_is_filled_up_to_a_width_and_never_cut_by_that() -> None:
    assert pad("猫", 5) == "猫   "
    assert pad("猫", 2) == "猫"
    assert pad("猫", 1) == "猫"
