"""A run, end to end, on all three databases."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sync.catalog.run_record import Status
from tests.builders import record, records, run_with

if TYPE_CHECKING:
    from tests.builders import Database


def test_the_first_run_adds_everything(database: Database) -> None:
    outcome = run_with(records(120), database.engine)
    assert outcome.error is None
    assert outcome.run.status is Status.SUCCEEDED
    assert (outcome.run.added, outcome.run.pages, outcome.run.catalog_total) == (120, 3, 120)
    assert len(database.present) == 120


def test_the_second_run_writes_one_row_its_own(database: Database) -> None:
    run_with(records(60), database.engine)
    before, runs = database.catalog_dump(), database.rows("sync_runs", "run_id")
    outcome = run_with(records(60), database.engine)
    assert outcome.run.unchanged == 60
    assert database.catalog_dump() == before
    assert database.rows("sync_runs", "run_id")[:1] == runs
    assert len(database.rows("sync_runs")) == 2


def test_a_price_change_is_told_old_to_new(database: Database) -> None:
    run_with([record("1")], database.engine)
    dearer = record("1", ConsumeItems=[{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 400}])
    outcome = run_with([dearer], database.engine)
    assert outcome.run.changed == 1
    change = database.rows("template_changes", "seq")[-1]
    assert change["fields"] == [{"field": "consume_items.720p", "old": 355.2, "new": 400}]
    prices = {row["resolution"]: row["credit"] for row in database.rows("consume_items")}
    assert prices == {"480p": Decimal("166.5"), "720p": Decimal(400)}


def test_a_template_that_goes_is_looked_up_and_then_removed(database: Database) -> None:
    run_with(records(3), database.engine)
    outcome = run_with(records(2), database.engine)
    assert outcome.run.removed == 1
    change = database.rows("template_changes", "seq")[-1]
    assert (change["kind"], change["template_id"], change["evidence"]) == ("removed", "3", "lookup")
    assert database.present == {"1", "2"}


def test_a_template_that_returns_is_added_again_in_its_old_row(database: Database) -> None:
    run_with(records(3), database.engine)
    run_with(records(2), database.engine)
    outcome = run_with(records(3), database.engine)
    assert outcome.run.added == 1
    row = next(row for row in database.rows("templates") if row["template_id"] == "3")
    assert (row["removed_at"], row["removed_run_id"], row["first_seen_run_id"]) == (None, None, 1)
    assert [each["kind"] for each in database.rows("template_changes", "seq") if each["template_id"] == "3"] == [
        "added", "removed", "added",
    ]  # fmt: skip
