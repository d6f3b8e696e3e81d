"""What was seen once stays mended: recordings, each with the end that its run must have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.catalog.run_record import Status
from tests.replayed import RECORDINGS, replay

if TYPE_CHECKING:
    from tests.builders import Database


def test_a_template_that_disappears_during_an_outage_is_removed_by_its_look_up(database: Database) -> None:
    assert replay(RECORDINGS / "removed-before.jsonl", database.engine).run.added == 5
    outcome = replay(RECORDINGS / "removed-after.jsonl", database.engine)
    assert (outcome.run.status, outcome.run.retries, outcome.error) == (Status.SUCCEEDED, 2, None)
    (removed,) = (row for row in database.rows("template_changes") if row["kind"] == "removed")
    assert (removed["template_id"], removed["evidence"]) == ("3", "lookup")


def test_a_replay_into_an_empty_database_sends_no_request_that_was_not_recorded(sqlite: Database) -> None:
    outcome = replay(RECORDINGS / "removed-after.jsonl", sqlite.engine)
    assert (outcome.run.status, outcome.run.added) == (Status.SUCCEEDED, 4)
