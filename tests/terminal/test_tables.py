"""Tables: alignment, width, and the text of empty values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.catalog.run_record import Run, Status
from sync.terminal import tables
from sync.terminal.lines import mark
from sync.webhooks.endpoints import Endpoint, Position


def test_only_the_heading_is_bold() -> None:
    assert tables.table([["A", "B"], ["xyz", "1"], ["", "2"]]) == [mark("A    B", "bold"), "xyz  1", "     2"]


def test_a_table_without_a_width_is_not_truncated() -> None:
    assert tables.table([["A", "B"], ["x" * 300, "1"]]) == [mark("A" + " " * 301 + "B", "bold"), "x" * 300 + "  1"]


def test_a_row_with_a_missing_cell_raises_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        tables.table([["A", "B"], ["x"]])
    with pytest.raises(ValueError, match="zip"):
        tables.fit([1, 1], 30, [False])


def test_a_table_fits_the_width() -> None:
    rows = [["A", "B"], ["x" * 20, "y" * 20]]
    assert tables.table(rows, 42)[1] == "x" * 20 + "  " + "y" * 20
    assert tables.table(rows, 41)[1] == "x" * 18 + "…  " + "y" * 18 + "…"
    assert tables.table(rows, 40)[1] == "x" * 18 + "…  " + "y" * 18 + "…"
    assert tables.table([["A"], ["x" * 20]], 20) == [mark("A", "bold"), "x" * 20]


def test_a_line_that_does_not_fit_with_minimal_columns_is_truncated() -> None:
    rows = [["A", "B", "C" * 20], ["x" * 20, "y" * 20, "z" * 20]]
    assert tables.table(rows, 30) == [mark("A             B             C…", "bold"), "x" * 11 + "…  " + "y" * 11 + "…  z…"]


def test_a_column_that_is_not_truncated_shortens_the_others() -> None:
    rows = [["A", "B", "C"], ["x" * 20, "y" * 20, "z" * 20]]
    assert tables.table(rows, 56, whole=["B"])[1] == "x" * 15 + "…  " + "y" * 20 + "  " + "z" * 15 + "…"


def test_the_columns_beside_an_omitted_one_stay_aligned() -> None:
    rows = [["A", "B", "C", "D"], ["a", "b" * 40, "cc", "d"], ["a", "b", "cc", "d"]]
    assert tables.table(rows, 20, omit=["B"]) == [mark("A  C   D", "bold"), "a  cc  d", "a  cc  d"]


@pytest.mark.parametrize(("width", "headings"), [
    (None, "A  TITLE  TAGS  TYPE"), (92, "A  TITLE  TAGS  TYPE"), (91, "A  TITLE  TAGS  TYPE"), (79, "A  TITLE  TAGS  TYPE"),
    (78, "A  TITLE  TYPE"), (53, "A  TITLE  TYPE"), (52, "A  TITLE"), (10, "A  TITLE"),
])  # fmt: skip
def test_columns_are_omitted_in_order_until_the_others_are_readable(width: int | None, headings: str) -> None:
    rows = [["A", "TITLE", "TAGS", "TYPE"], ["x", "t" * 30, "g" * 30, "y" * 25]]
    assert "  ".join(tables.table(rows, width, omit=["TAGS", "TYPE"])[0].split()) == mark(headings, "bold")


@pytest.mark.parametrize(("widths", "room", "whole", "fitted"), [
    ([20, 30, 30], 80, [False] * 3, [20, 30, 30]),
    ([20, 30, 30], 62, [False] * 3, [20, 21, 21]),      # the narrowest needs less than its share: the rest goes to the others
    ([30, 20, 30], 61, [False] * 3, [20, 20, 20]),
    ([5, 30, 30], 45, [False] * 3, [5, 20, 20]),
    ([5, 30, 30], 45, [False, True, False], [5, 30, 12]),
    ([14, 14, 14], 3, [False] * 3, [12, 12, 12]),
    ([13, 40], 10, [False, True], [12, 40]),
    ([40, 40], 10, [True, True], [40, 40]),
    ([], 10, [], []),
])  # fmt: skip
def test_the_widest_columns_get_one_width_of_at_least_twelve(
    widths: list[int], room: int, whole: list[bool], fitted: list[int]
) -> None:
    assert tables.fit(widths, room, whole) == fitted


def test_cells_of_millions_of_characters_are_truncated_quickly() -> None:
    assert tables.table([["PAYLOAD"], ["x" * 3_000_000]], 20)[1] == "x" * 19 + "…"


START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOTHING: dict[str, Any] = {
    "template_id": "2", "title": None, "title_en": None, "input_num": None, "input_requirement": None, "template_type": None,
    "tags": [], "consume_items": [],
}  # fmt: skip


def test_the_row_of_a_template() -> None:
    full = {
        "template_id": "1\x1b", "title": "猫\x1b", "title_en": "Cat\x1b", "input_num": 2, "input_requirement": "SINGLE\x1b",
        "template_type": "BEGIN\x1b",
        "tags": [{"name": "热", "name_en": "Hot\x1b"}, {"name": "舞\x1b", "name_en": None}],
        "consume_items": [{"resolution": "480p", "credit": 1}, {"resolution": "720p", "credit": 2.5}],
    }  # fmt: skip
    assert tables.template_rows([full, NOTHING]) == [
        ["ID", "TITLE", "PRICES", "INPUT", "TYPE", "TAGS"],
        ["1\\x1b", "Cat\\x1b · 猫\\x1b", "480p 1  720p 2.5", "2 × SINGLE\\x1b", "BEGIN\\x1b", "Hot\\x1b, 舞\\x1b"],
        ["2", "", "", "? × ?", "", ""],
    ]
    assert tables.template_rows([{**NOTHING, "input_num": 0}])[1][3] == "0 × ?"


def test_the_rows_of_tags_and_types() -> None:
    tags = [("热\n", "Hot\n", 3), ("舞", None, 1), (None, "x", 0)]
    rows = tables.tag_rows({"name": name, "name_en": name_en, "templates": count} for name, name_en, count in tags)
    assert rows == [["TAG", "EN", "TEMPLATES"], ["热\\n", "Hot\\n", "3"], ["舞", "", "1"], ["", "x", "0"]]
    rows = tables.type_rows([{"type": "BEGIN\n", "templates": 3}, {"type": None, "templates": 1}])
    assert rows == [["TYPE", "TEMPLATES"], ["BEGIN\\n", "3"], ["(none)", "1"]]


def test_the_row_of_a_run() -> None:
    done = Run(
        7, "run", Status.SUCCEEDED, START, START + timedelta(seconds=2.25), added=1, changed=2, removed=3, held=4, rejected=5
    )
    failed = Run(8, "run", Status.FAILED, START, START, error_code="401", error="no\x1b")
    without_message = Run(9, "run", Status.FAILED, START, START, error_code="402")
    active = Run(10, "run", Status.RUNNING, START, error="not yet")
    assert tables.run_rows([done, failed, without_message, active]) == [
        ["RUN", "STARTED (UTC)", "STATUS", "+", "~", "-", "HELD", "REJECTED", "SEC", "ERROR"],
        ["7", "2026-01-02 03:04:05", "succeeded", "1", "2", "3", "4", "5", "2.2", ""],
        ["8", "2026-01-02 03:04:05", "failed", "0", "0", "0", "0", "0", "0.0", "401: no\\x1b"],
        ["9", "2026-01-02 03:04:05", "failed", "0", "0", "0", "0", "0", "0.0", "402: "],
        ["10", "2026-01-02 03:04:05", "running", "0", "0", "0", "0", "0", "", ""],
    ]


def test_the_row_of_a_rejected_record() -> None:
    named = {"page": 1, "position": 2, "template_id": "3\n", "reason": "bad\n", "payload": "{}\n"}
    assert tables.rejected_rows([named, {**named, "template_id": None}]) == [
        ["PAGE", "POSITION", "ID", "REASON", "PAYLOAD"],
        ["1", "2", "3\\n", "bad\\n", "{}\\n"],
        ["1", "2", "-", "bad\\n", "{}\\n"],
    ]


NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
HEALTHY = Position(
    name="shop", cursor="0123456789ab-7-00112233445566778899aabb", seq=7, behind=3, at_end=True, attempts=0,
    failing_since=None, next_attempt_at=None, last_attempt_at=NOON - timedelta(seconds=40), last_status=204, last_answer=None,
    paused=None,
)  # fmt: skip
FAILING = replace(
    HEALTHY, attempts=4, failing_since=NOON - timedelta(hours=1), last_status=None, last_answer="timed\nout", at_end=False
)
SHOP = Endpoint("shop", "https://shop.example/hooks/secret?token=1", ())


@pytest.mark.parametrize(("position", "shown"), [
    (HEALTHY, "caught up"),
    (replace(HEALTHY, at_end=False), "pending"),
    (replace(FAILING, paused="gone"), "paused (gone)"),
    (FAILING, "failing for 60 min, 4 attempts, next is due"),
    (replace(FAILING, next_attempt_at=NOON - timedelta(seconds=1)), "failing for 60 min, 4 attempts, next is due"),
    (replace(FAILING, next_attempt_at=NOON), "failing for 60 min, 4 attempts, next is due"),
    (replace(FAILING, next_attempt_at=NOON + timedelta(seconds=1)), "failing for 60 min, 4 attempts, next in 1 s"),
])  # fmt: skip
def test_the_state_of_an_endpoint(position: Position, shown: str) -> None:
    assert tables.state_of(position, NOON) == shown


@pytest.mark.parametrize(("position", "shown"), [
    (HEALTHY, "204, 40 s ago"),
    (FAILING, "none, 40 s ago: timed\\nout"),
    (replace(HEALTHY, last_answer="OK"), "204, 40 s ago: OK"),
    (replace(HEALTHY, last_attempt_at=None), ""),
])  # fmt: skip
def test_the_last_response_of_an_endpoint(position: Position, shown: str) -> None:
    assert tables.last_response(position, NOON) == shown


@pytest.mark.parametrize(("position", "shown"), [
    (HEALTHY, None),
    (replace(HEALTHY, paused="lost: pruned"), "shop: paused (lost: pruned), 3 changes pending"),
    (FAILING, "shop: failing for 60 min, 4 attempts, next is due; last response none, 40 s ago: timed\\nout"),
    (replace(FAILING, failing_since=NOON - timedelta(seconds=3599)), None),
])  # fmt: skip
def test_a_problem_is_reported_after_an_hour_of_failures_or_when_an_endpoint_is_paused(
    position: Position, shown: str | None
) -> None:
    assert tables.describe_problem(position, NOON) == shown


def test_the_row_of_an_endpoint_does_not_contain_the_path_of_its_url() -> None:
    off = Endpoint("off", "http://localhost:8080/", (), enabled=False)
    assert tables.webhook_rows([(SHOP, HEALTHY), (SHOP, None), (off, HEALTHY), (off, None)], NOON) == [
        ["NAME", "ORIGIN", "SEQ", "BEHIND", "STATE", "LAST RESPONSE"],
        ["shop", "https://shop.example", "7", "3", "caught up", "204, 40 s ago"],
        ["shop", "https://shop.example", "", "", "no position yet", ""],
        ["off", "http://localhost:8080", "7", "3", "not enabled", "204, 40 s ago"],
        ["off", "http://localhost:8080", "", "", "not enabled", ""],
    ]
