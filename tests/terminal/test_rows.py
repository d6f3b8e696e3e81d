"""What the lists show: every column under its heading, and what is not there as what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sync.catalog.run_record import Run, Status
from sync.terminal.rows import rejected_rows, run_rows, tag_rows, template_rows, type_rows

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOTHING: dict[str, Any] = {
    "template_id": "2", "title": None, "title_en": None, "input_num": None, "input_requirement": None, "template_type": None,
    "tags": [], "consume_items": [],
}  # fmt: skip


def test_a_template_shows_what_it_is_called_costs_and_needs() -> None:
    full = {
        "template_id": "1\x1b",
        "title": "猫\x1b",
        "title_en": "Cat\x1b",
        "input_num": 2,
        "input_requirement": "SINGLE\x1b",
        "template_type": "BEGIN\x1b",
        "tags": [{"name": "热", "name_en": "Hot\x1b"}, {"name": "舞\x1b", "name_en": None}],
        "consume_items": [{"resolution": "480p", "credit": 1}, {"resolution": "720p", "credit": 2.5}],
    }
    assert template_rows([full, NOTHING]) == [
        ["ID", "TITLE", "PRICES", "INPUT", "TYPE", "TAGS"],
        [
            "1\\x1b", "Cat\\x1b · 猫\\x1b", "480p 1  720p 2.5", "2 × SINGLE\\x1b", "BEGIN\\x1b", "Hot\\x1b, 舞\\x1b",
        ],
        ["2", "", "", "? × ?", "", ""],
    ]  # fmt: skip
    assert template_rows([{**NOTHING, "input_num": 0}])[1][3] == "0 × ?"


def test_a_tag_shows_both_its_names_and_how_many_have_it() -> None:
    counts: list[dict[str, Any]] = [
        {"name": "热\n", "name_en": "Hot\n", "templates": 3},
        {"name": "舞", "name_en": None, "templates": 1},
        {"name": None, "name_en": "x", "templates": 0},
    ]
    assert tag_rows(counts) == [
        ["TAG", "EN", "TEMPLATES"],
        ["热\\n", "Hot\\n", "3"],
        ["舞", "", "1"],
        ["", "x", "0"],
    ]


def test_a_type_shows_how_many_are_of_it_and_no_type_is_called_none() -> None:
    counts: list[dict[str, Any]] = [{"type": "BEGIN\n", "templates": 3}, {"type": None, "templates": 1}]
    assert type_rows(counts) == [["TYPE", "TEMPLATES"], ["BEGIN\\n", "3"], ["(none)", "1"]]


def test_a_run_shows_its_counts_each_in_its_place_and_why_it_failed() -> None:
    done = Run(
        7, "run", Status.SUCCEEDED, START, START + timedelta(seconds=2.25), added=1, changed=2, removed=3, held=4, rejected=5
    )
    failed = Run(8, "run", Status.FAILED, START, START, error_code="401", error="no\x1b")
    mute = Run(9, "run", Status.FAILED, START, START, error_code="402")
    going = Run(10, "run", Status.RUNNING, START, error="not yet")
    assert run_rows([done, failed, mute, going]) == [
        ["RUN", "STARTED (UTC)", "STATUS", "+", "~", "-", "HELD", "REJECTED", "SEC", "ERROR"],
        ["7", "2026-01-02 03:04:05", "succeeded", "1", "2", "3", "4", "5", "2.2", ""],
        ["8", "2026-01-02 03:04:05", "failed", "0", "0", "0", "0", "0", "0.0", "401: no\\x1b"],
        ["9", "2026-01-02 03:04:05", "failed", "0", "0", "0", "0", "0", "0.0", "402: "],
        ["10", "2026-01-02 03:04:05", "running", "0", "0", "0", "0", "0", "", ""],
    ]


def test_a_record_that_was_set_aside_shows_where_it_stood_and_why_it_is_bad() -> None:
    named = {"page": 1, "position": 2, "template_id": "3\n", "reason": "bad\n", "payload": "{}\n"}
    assert rejected_rows([named, {**named, "template_id": None}]) == [
        ["PAGE", "POSITION", "ID", "REASON", "PAYLOAD"],
        ["1", "2", "3\\n", "bad\\n", "{}\\n"],
        ["1", "2", "-", "bad\\n", "{}\\n"],
    ]
