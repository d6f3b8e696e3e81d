"""The plan of a run: its row has the counts of what it will write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.catalog.diff import Change, ChangeSet
from sync.catalog.plan import Plan
from sync.catalog.removals import HeldRemoval, SyncState, Unconfirmed
from sync.catalog.run_record import Run, Status, finish
from sync.catalog.snapshot import Snapshot
from sync.client.network import RequestStatistics
from sync.errors import RemovalsHeld
from tests.catalog.runs import base, document_of, new_parser, wire

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(seconds=2)
RUN = Run(1, "run", Status.RUNNING, START)
STATISTICS = RequestStatistics(requests=8, retries=2, bytes=4096)
PARSER = new_parser()
GOOD, BAD = PARSER.parse_page(1, [wire(base("1")), wire(base("2", Title=5))])
CHANGES = ChangeSet(
    tuple(Change(str(number), kind, GOOD) for number, kind in enumerate(("added", *["changed"] * 2, *["removed"] * 3))),
    unchanged=4, appeared=("New",), vanished=("Old", "Gone"),
)  # fmt: skip
STATE = SyncState(
    held={str(number): HeldRemoval(1, START) for number in range(5)},
    unconfirmed={str(number): Unconfirmed("no", answered=False) for number in range(6)},
)
SNAPSHOT = Snapshot({"1": GOOD}, [(BAD, "odd")])


@pytest.mark.parametrize("problem", [None, RemovalsHeld("5 removals are held.")])
def test_the_row_of_a_run_has_the_counts_of_its_plan(problem: RemovalsHeld | None) -> None:
    plan = Plan(SNAPSHOT, CHANGES, STATE, "loopback", PARSER, total=9, pages=3, problem=problem)
    row = finish(RUN, problem, STATISTICS, END).row() | {
        "catalog_total": 9, "pages": 3, "seen": 2, "added": 1, "removed": 3, "changed": 2, "unchanged": 4, "rejected": 1,
        "held": 5, "unconfirmed": 6, "fields_appeared": ["New"], "fields_vanished": ["Old", "Gone"],
    }  # fmt: skip
    assert plan.finished(RUN, STATISTICS, END).row() == row


def test_the_plan_of_a_refresh_has_no_total_no_pages_and_no_problem() -> None:
    row = Plan(Snapshot(), ChangeSet(), SyncState(), "loopback", PARSER).finished(RUN, STATISTICS, END)
    assert (row.catalog_total, row.pages, row.status) == (None, 0, Status.SUCCEEDED)


def test_rejected_records_and_documents_are_read_from_the_parser() -> None:
    plan = Plan(SNAPSHOT, CHANGES, STATE, "loopback", PARSER)
    assert [(each.template_id, each.reason, '"Title": 5' in each.payload) for each in plan.rejected()] == [("2", "odd", True)]
    assert plan.document_of(CHANGES.changes[0]) == document_of(base("1"))
