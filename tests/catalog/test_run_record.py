"""What is kept of a run: nothing that it counted is lost on its way to a row, to JSON and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sync.catalog.run_record import Run, Status, from_row

START = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Run(
    41, "daemon", Status.HELD, START, START + timedelta(seconds=2.1234), catalog_total=9, pages=1, requests=2, retries=3, bytes=4,
    seen=5, added=60, removed=7, changed=8, unchanged=9, rejected=10, held=11, unconfirmed=13,
    fields_appeared=("A", "B"), fields_vanished=("C",),
    error_code="held", error="11 removals wait", fence=12, holder="host", version="1.0",
)  # fmt: skip
ROW: dict[str, Any] = {
    "trigger": "daemon", "status": "held", "started_at": START, "finished_at": START + timedelta(seconds=2.1234),
    "catalog_total": 9, "pages": 1, "requests": 2, "retries": 3, "bytes": 4, "seen": 5, "added": 60, "removed": 7, "changed": 8,
    "unchanged": 9, "rejected": 10, "held": 11, "unconfirmed": 13,
    "fields_appeared": ["A", "B"], "fields_vanished": ["C"], "error_code": "held",
    "error": "11 removals wait", "fence": 12, "holder": "host", "version": "1.0",
}  # fmt: skip
NEW = Run(1, "run", Status.RUNNING, START)
NEW_ROW: dict[str, Any] = {
    "trigger": "run", "status": "running", "started_at": START, "finished_at": None, "catalog_total": None, "pages": 0,
    "requests": 0, "retries": 0, "bytes": 0, "seen": 0, "added": 0, "removed": 0, "changed": 0, "unchanged": 0, "rejected": 0,
    "held": 0, "unconfirmed": 0,
    "fields_appeared": None, "fields_vanished": None, "error_code": None, "error": None, "fence": None, "holder": "",
    "version": None,
}  # fmt: skip


def test_statuses_are_the_words_that_databases_hold() -> None:
    assert [*map(str, Status)] == [
        "running", "succeeded", "held", "incomplete", "deferred", "failed", "skipped", "interrupted",
    ]  # fmt: skip


def test_a_row_holds_all_that_a_run_counted_and_nothing_in_place_of_an_empty_list() -> None:
    assert FULL.row() == ROW
    assert NEW.row() == NEW_ROW


def test_a_row_holds_a_status_as_plain_text_which_every_driver_takes() -> None:
    assert type(FULL.row()["status"]) is str


def test_json_has_times_as_text_and_the_duration() -> None:
    assert FULL.as_json() == {
        **ROW,
        "run_id": 41,
        "seconds": 2.123,
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:02.123400Z",
    }
    assert NEW.as_json() == {
        **NEW_ROW,
        "run_id": 1,
        "seconds": None,
        "started_at": "2026-01-01T00:00:00Z",
        "fields_appeared": [],
        "fields_vanished": [],
    }


def test_a_run_is_read_back_as_it_was_without_what_is_the_stores_own() -> None:
    assert from_row({**ROW, "run_id": 41, "token": "t"}) == FULL
    assert from_row({**NEW_ROW, "run_id": 1}) == NEW
    assert from_row({**ROW, "run_id": 41}).status is Status.HELD


def test_changes_are_what_came_went_and_changed() -> None:
    assert (FULL.changes, NEW.changes) == (75, 0)
