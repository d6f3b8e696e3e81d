"""What a run writes, table by table, on all three databases."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.run_record import Run, Status
from sync.catalog.served_records import wire_hash
from sync.errors import DatabaseError, SchemaError
from sync.reader import status
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.engine import reading, writing
from tests.builders import DOCUMENT, SEED_PAGE, record, records
from tests.faults import AFTER, BEFORE, Catalog, anomalies, at, documents, exported_documents, on_each_statement, sync, take_lease

if TYPE_CHECKING:
    from sync.client.api_client import Params
    from tests.builders import Database

DATABASES = Path(__file__).parents[2] / "docs" / "database.md"


def _row(database: Database, template_id: str) -> dict[str, Any]:
    return next(row for row in database.rows("templates") if row["template_id"] == template_id)


def _statements(database: Database, served: list[dict[str, Any]] | Catalog) -> list[str]:
    """Return the statements of a run."""
    statements: list[str] = []
    on_each_statement(database.engine, statements.append)
    sync(served, database.engine)
    return statements


def _writes(statement: str) -> bool:
    return statement.startswith(("INSERT", "UPDATE", "DELETE"))


def _refuses(database: Database, message: str, hint: str) -> None:
    """Check that the next run ends with an error and applies nothing."""
    before = database.catalog_dump()
    error = sync(AFTER, database.engine).error
    assert isinstance(error, DatabaseError)
    assert (str(error), error.hint) == (message, hint)
    assert database.catalog_dump() == before


def _prices(database: Database, template_id: str = "1") -> list[tuple[Any, ...]]:
    found = [row for row in database.rows("price_history") if row["template_id"] == template_id]
    return sorted(
        (row["resolution"], float(row["credit"]), str(row["valid_from"])[14:16], str(row["valid_until"])[14:16]) for row in found
    )


def test_the_documented_response_is_stored_exactly(database: Database) -> None:
    (documented,) = json.loads(SEED_PAGE.read_text())["data"]["templates"]
    sync([documented], database.engine, clock=at(0))
    with reading(database.engine) as connection:
        (stored,) = documents(connection).values()
    assert stored == {
        **DOCUMENT,
        "template_id": "104909826",
        "cover_url": documented["Cover"],
        "preview_video_url": documented["PreviewVideo"],
        "tags": DOCUMENT["tags"][:1],
        "aspect_ratios": ["9:16", "1:1", "16:9", "4:3", "3:4"],
    }
    assert [row["credit"] for row in database.rows("consume_items", "position")] == [Decimal("166.5"), Decimal("355.2")]
    assert exported_documents(database.engine) == [stored]


def test_an_added_template_has_a_version_prices_and_a_change(database: Database) -> None:
    sync([record("1")], database.engine, clock=at(0))
    row, ended = _row(database, "1"), datetime(2026, 1, 1, 12, 0, 1, 123456, tzinfo=UTC)
    assert (row["first_seen_at"], row["changed_at"], row["removed_at"]) == (ended, ended, None)
    assert (row["first_seen_run_id"], row["changed_run_id"], row["removed_run_id"]) == (1, 1, None)
    (version,) = database.rows("template_versions")
    assert (version["from_run_id"], version["until_run_id"], version["document"]["title"]) == (1, None, "战斗游戏")
    assert version["content_hash"] == row["content_hash"]
    (change,) = database.rows("template_changes")
    assert {name: change[name] for name in ("seq", "run_id", "at", "kind", "fields", "evidence")} == {
        "seq": 1, "run_id": 1, "at": ended, "kind": "added", "fields": None, "evidence": None,
    }  # fmt: skip
    assert _prices(database) == [("480p", 166.5, "00", ""), ("720p", 355.2, "00", "")]


def test_a_changed_template_gets_a_new_version_and_the_old_one_ends(database: Database) -> None:
    sync(BEFORE, database.engine, clock=at(0))
    sync(AFTER, database.engine, clock=at(1))
    versions = sorted(
        (row["from_run_id"], row["until_run_id"], row["document"]["title_en"])
        for row in database.rows("template_versions")
        if row["template_id"] == "3"
    )
    assert versions == [(1, 2, "Number 3"), (2, None, "Renamed")]
    row = _row(database, "3")
    assert (row["title_en"], row["first_seen_run_id"], row["changed_run_id"]) == ("Renamed", 1, 2)
    change = next(each for each in database.rows("template_changes") if each["template_id"] == "3" and each["kind"] == "changed")
    assert [each["field"] for each in change["fields"]] == ["title_en", "tags", "consume_items.480p", "consume_items.720p"]


def test_an_unpublished_difference_is_stored_and_not_published(database: Database) -> None:
    sync([record("1")], database.engine, clock=at(0))
    resigned = record("1", Cover="https://media.example/cover.jpeg?x-expires=2", Tags=["热门", "🔥Seedance2.0模型"])
    resigned["Tags_en"] = ["Trending", "🔥Seedance2.0 Model"]
    outcome = sync([resigned], database.engine, clock=at(1))
    assert (outcome.run.changed, outcome.run.unchanged) == (0, 1)
    row = _row(database, "1")
    assert (row["cover_url"], row["changed_run_id"]) == (resigned["Cover"], 1)
    (version,) = database.rows("template_versions")
    assert (version["document"]["cover_url"], version["content_hash"]) == (resigned["Cover"], row["content_hash"])
    assert len(database.rows("template_changes")) == 1
    assert anomalies(database) == []


def test_a_removed_template_keeps_its_rows_and_its_prices_end(database: Database) -> None:
    sync(records(2), database.engine, clock=at(0))
    sync(records(1), database.engine, clock=at(1))
    row = _row(database, "2")
    assert (row["removed_at"], row["removed_run_id"], row["changed_run_id"]) == (row["changed_at"], 2, 2)
    assert {each["template_id"] for each in database.rows("consume_items")} == {"1", "2"}
    assert {each["template_id"] for each in database.rows("current_prices")} == {"1"}
    assert {each["template_id"] for each in database.rows("current_templates")} == {"1"}
    assert _prices(database, "2") == [("480p", 166.5, "00", "01"), ("720p", 355.2, "00", "01")]
    versions = [each["until_run_id"] for each in database.rows("template_versions") if each["template_id"] == "2"]
    assert versions == [2]


@pytest.mark.parametrize(("served", "periods"), [
    (
        [{"480p": 1, "720p": 2}, {"480p": 1.5}, {"480p": 1.5, "720p": 2}, {"720p": 2, "480p": 1.5}],
        [("480p", 1.0, "00", "01"), ("480p", 1.5, "01", ""), ("720p", 2.0, "00", "01"), ("720p", 2.0, "02", "")],
    ),
    (
        [{"480p": 1, "720p": 2}, {"480p": 1.5, "720p": 2}],
        [("480p", 1.0, "00", "01"), ("480p", 1.5, "01", ""), ("720p", 2.0, "00", "")],
    ),
    ([None, {"480p": 1}], [("480p", 1.0, "01", "")]),
], ids=["changed, removed and back", "one of two", "new to the whole catalog"])  # fmt: skip
def test_a_price_has_a_period_for_each_value(
    database: Database, served: list[dict[str, float] | None], periods: list[tuple[Any, ...]]
) -> None:
    for minute, items in enumerate(served):
        prices = ... if items is None else [{"Resolution": name, "Credit": credit} for name, credit in items.items()]
        assert sync([record("1", ConsumeItems=prices)], database.engine, clock=at(minute)).run.changed == (0 < minute < 3)
    assert _prices(database) == periods


def test_a_changed_price_ends_no_period_of_another_template(database: Database) -> None:
    one, two, three = record("1"), record("2"), record("3")
    sync([one, two], database.engine, clock=at(0))
    cheaper = {**one, "ConsumeItems": [{"Resolution": "480p", "Credit": 1}]}
    outcome = sync([cheaper, {**two, "Title": "新"}, three], database.engine, clock=at(1))
    assert (outcome.run.changed, outcome.run.added) == (2, 1)
    assert _prices(database) == [("480p", 1.0, "01", ""), ("480p", 166.5, "00", "01"), ("720p", 355.2, "00", "01")]
    assert _prices(database, "2") == [("480p", 166.5, "00", ""), ("720p", 355.2, "00", "")]
    assert _prices(database, "3") == [("480p", 166.5, "01", ""), ("720p", 355.2, "01", "")]


def test_a_returned_template_keeps_its_row_and_begins_a_new_period(database: Database) -> None:
    for minute, ids in enumerate(["12", "1", "123"]):
        sync([record(key) for key in ids], database.engine, clock=at(minute))
    assert [(key, _row(database, key)["first_seen_run_id"], _row(database, key)["removed_at"]) for key in "123"] == [
        ("1", 1, None), ("2", 1, None), ("3", 3, None),
    ]  # fmt: skip
    assert _prices(database, "2")[:2] == [("480p", 166.5, "00", "01"), ("480p", 166.5, "02", "")]
    assert anomalies(database) == []


def test_tag_ids_follow_the_order_of_appearance_and_stay(database: Database) -> None:
    sync([record("1", Tags=["a", "b"], Tags_en=["A", "B"]), record("2", Tags=["b"], Tags_en=["B"])], database.engine)
    sync([record("1", Tags=["c", "a"], Tags_en=["C", "A"]), record("2", Tags=["b"], Tags_en=["B"])], database.engine)
    assert [(row["tag_id"], row["name"], row["name_en"]) for row in database.rows("tags", "tag_id")] == [
        (1, "a", "A"), (2, "b", "B"), (3, "c", "C"),
    ]  # fmt: skip
    placed = sorted((row["template_id"], row["position"], row["tag_id"]) for row in database.rows("template_tags"))
    assert placed == [("1", 0, 3), ("1", 1, 1), ("2", 0, 2)]


def test_a_tag_without_an_english_name_is_one_tag_on_all_templates(database: Database) -> None:
    sync([record(key, Tags=["a"], Tags_en=...) for key in ("1", "2")], database.engine)
    sync([record(key, Tags=["a"], Tags_en=...) for key in ("1", "2", "3")], database.engine)
    assert [(row["tag_id"], row["name"], row["name_en"]) for row in database.rows("tags")] == [(1, "a", None)]


def test_seq_has_no_gaps_after_failed_runs(database: Database) -> None:
    sync(BEFORE, database.engine)
    failing = Catalog(AFTER)
    failing.on_request = failing.interrupt
    assert sync(failing, database.engine).run.status is Status.INTERRUPTED
    sync(AFTER, database.engine)
    sync(BEFORE, database.engine)
    feed = database.rows("template_changes", "seq")
    assert [row["seq"] for row in feed] == list(range(1, len(feed) + 1))
    assert {row["run_id"] for row in feed} == {1, 3, 4}
    assert database.scalar("SELECT last_seq FROM sync_state") == len(feed)
    assert anomalies(database) == []


def test_a_rejected_record_is_kept_with_its_reason_and_its_template_stays(database: Database) -> None:
    sync(records(2), database.engine)
    bad: list[Any] = [{"TemplateId": "2", "Title": 7, "X": "\x00\ud800🔥"}, "no object"]
    outcome = sync([*records(1), *bad], database.engine)
    assert (outcome.run.rejected, outcome.run.removed) == (2, 0)
    assert database.present == {"1", "2"}
    first, second = database.rows("rejected_templates", "ordinal")
    assert (first["run_id"], first["ordinal"], first["page"], first["position"], first["template_id"]) == (2, 1, 1, 1, "2")
    assert first["reason"] == "Title must be a string, not a number"
    assert (second["template_id"], second["payload"]) == (None, '"no object"')


def test_held_removals_are_counted_and_deleted_when_their_templates_return(database: Database) -> None:
    sync(records(30), database.engine, clock=at(0))
    for minute in (1, 2, 3):
        outcome = sync(records(10), database.engine, clock=at(minute))
        assert outcome.run.status is Status.HELD
        held = database.rows("held_removals")
        assert {(row["since_run_id"], row["runs"]) for row in held} == {(2, minute)}
        assert len(held) == 20
    assert len(database.present) == 30
    sync(records(30), database.engine, clock=at(4))
    assert database.rows("held_removals") == []


class _Unlisted(Catalog):
    """A catalog that lists all templates except the first, which a look-up finds."""

    def _listed(self, params: Params) -> tuple[int, bytes]:
        return super()._listed(params) if "template_id" in params else Catalog(self.served[1:])._listed(params)


def test_an_unconfirmed_removal_is_written_once_with_its_first_run(database: Database) -> None:
    sync(records(3), database.engine, clock=at(0))
    second = sync(_Unlisted(records(3)), database.engine, clock=at(1)).run
    (row,) = before = database.rows("unconfirmed_removals")
    (started,) = (run["started_at"] for run in database.rows("sync_runs") if run["run_id"] == second.run_id)
    assert (row["template_id"], row["since_run_id"], row["since_at"]) == ("1", second.run_id, started)
    written = [statement for statement in _statements(database, _Unlisted(records(3))) if _writes(statement)]
    assert [statement for statement in written if "unconfirmed_removals" in statement or "sync_state" in statement] == []
    assert database.rows("unconfirmed_removals") == before
    sync(records(3), database.engine)
    assert database.rows("unconfirmed_removals") == []


def test_a_new_field_leaves_sync_state_unchanged(database: Database) -> None:
    sync([record("1")], database.engine)
    (first,) = database.rows("sync_state")
    assert (first["last_seq"], first["oldest_seq"], first["unreconciled_runs"]) == (1, 1, 0)
    sync([record("1", New=1)], database.engine)
    assert database.rows("sync_state") == [first]


def test_a_feed_end_that_was_set_back_by_hand_is_refused(database: Database) -> None:
    sync(BEFORE, database.engine)
    database.execute("UPDATE sync_state SET last_seq = 3")
    (cursor,) = (row["last_cursor"] for row in database.rows("sync_state"))
    message = f"sync_state says that the feed ends at seq 3, but its last cursor is {cursor}."
    _refuses(database, message, "Restore a backup, or correct last_seq.")


def test_a_new_signature_writes_no_price_tag_or_ratio(database: Database) -> None:
    sync([record("1")], database.engine)
    statements = _statements(database, [record("1", Cover="https://media.example/cover.jpeg?x-expires=2")])
    lists = ("consume_items", "price_periods", "template_tags", "template_aspect_ratios")
    touched = [name for name in lists for statement in statements if _writes(statement) and name in statement]
    assert (touched, any("templates" in statement for statement in statements)) == ([], True)


def test_an_equal_record_in_other_bytes_gets_their_wire_hash(database: Database) -> None:
    turned = dict(reversed(record("1").items()))
    sync([record("1"), record("2")], database.engine)
    before = {row["template_id"]: row for row in database.rows("templates")}
    assert sync([turned, record("2")], database.engine).run.unchanged == 2
    after = {row["template_id"]: row for row in database.rows("templates")}
    assert after["1"]["wire_hash"] == wire_hash(json.dumps(turned).encode()) != before["1"]["wire_hash"]
    assert {**after["1"], "wire_hash": None} == {**before["1"], "wire_hash": None}
    assert after["2"] == before["2"]


def test_a_run_whose_row_was_deleted_applies_nothing(database: Database) -> None:
    sync(BEFORE, database.engine)

    def delete_the_row(statement: str) -> None:
        if "template_changes (" in statement and database.scalar("SELECT count(*) FROM sync_runs") == 2:
            database.execute("DELETE FROM sync_runs WHERE run_id = 2")

    if database.kind == "sqlite":  # no other connection can write meanwhile
        database.execute("CREATE TRIGGER gone AFTER INSERT ON template_changes BEGIN DELETE FROM sync_runs WHERE run_id = 2; END")
    else:
        on_each_statement(database.engine, delete_the_row)
    message = "The row of this run is missing from sync_runs; nothing was applied."
    _refuses(database, message, "Check for other writers to sync_runs.")


def test_many_templates_at_once_are_written_and_removed_in_batches(database: Database) -> None:
    sync(records(601), database.engine, page_size=50)
    assert len(database.present) == 601
    outcome = sync(records(1), database.engine, page_size=50, accept_removals=True)
    assert outcome.run.removed == 600
    assert {row["evidence"] for row in database.rows("template_changes") if row["kind"] == "removed"} == {"accepted"}
    assert anomalies(database) == []


def _first_lease(database: Database, run: Run) -> leases.Lease:
    """Return the lease that the only run had."""
    assert run.run_id is not None
    assert run.fence is not None
    return leases.Lease(run.run_id, run.fence, 60.0, database.rows("sync_runs")[0]["token"])


def test_closing_a_run_twice_leaves_its_row_unchanged(database: Database) -> None:
    run = sync(BEFORE, database.engine).run
    before = database.rows("sync_runs")
    Store(database.engine).close(_first_lease(database, run), replace(run, status=Status.FAILED, error="too late"))
    assert database.rows("sync_runs") == before


@pytest.mark.parametrize(("seconds", "recorded"), [(0.5, 0.0), (1.0, 0.0), (1.5, 1.5)])
def test_a_transaction_that_took_longer_than_a_second_ends_when_it_was_committed(
    seconds: float, recorded: float, database: Database
) -> None:
    run = sync(BEFORE, database.engine).run
    assert run.finished_at is not None
    corrected = Store(database.engine).correct_end(_first_lease(database, run), run, run.finished_at + timedelta(seconds=seconds))
    assert corrected == replace(run, finished_at=run.finished_at + timedelta(seconds=recorded))
    (stored,) = status.runs(database.engine, 2)
    assert stored.finished_at == corrected.finished_at


def test_an_incomplete_stored_document_ends_the_run(database: Database) -> None:
    sync(BEFORE, database.engine)
    database.execute("UPDATE template_versions SET document = '{}' WHERE template_id = '3'")
    _refuses(database, "template_versions holds an incomplete document of template 3.", "Restore a backup; nothing was applied.")


@pytest.mark.parametrize("table", ["sync_lease", "sync_state"])
def test_a_missing_single_row_is_an_error_with_the_documented_repair(database: Database, table: str) -> None:
    sync(BEFORE, database.engine)
    database.execute(f"DELETE FROM {table}")  # noqa: S608 - a literal of this test
    try:
        with pytest.raises(SchemaError, match="A required row is missing") as refused:
            raise sync(AFTER, database.engine).error or AssertionError
        assert "docs/database.md" in refused.value.hint
        assert len(database.rows("template_changes")) == 5
    finally:
        (documented,) = re.findall(rf"^INSERT INTO {table} .*?;", DATABASES.read_text(), re.MULTILINE | re.DOTALL)
        database.execute(documented.rstrip(";"))
    assert sync(AFTER, database.engine).error is None
    assert anomalies(database) == []


def test_a_run_that_failed_before_the_lease_gets_a_row_and_leaves_the_lease(database: Database) -> None:
    store = Store(database.engine)
    lease = take_lease(database.engine, now=datetime(2026, 1, 1, tzinfo=UTC))
    now = datetime(2026, 1, 2, tzinfo=UTC)
    failed = Run(None, "daemon", Status.FAILED, now, now, error_code="configuration", error="No key.")
    recorded = store.record_failed(failed)
    (row, _) = status.runs(database.engine, 2)
    assert (row, row.holder) == (recorded, leases.process_name())
    assert (row.run_id, row.status, row.error) == (lease.run_id + 1, Status.FAILED, "No key.")
    with writing(database.engine) as connection:
        leases.check_fence(connection, lease)
