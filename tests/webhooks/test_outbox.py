"""The position of an endpoint, the claim of the process that delivers to it, and its pending messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.feed import Cursor
from sync.errors import CursorLost, LeaseLost
from sync.reader import feed
from sync.store.lease import process_mark
from sync.store.prune import prune
from sync.store.tables import webhook_endpoints
from sync.webhooks.endpoints import Endpoint, Rules
from sync.webhooks.outbox import BATCH_SIZE, CLAIM_TTL, claim_endpoint, positions, register, resume, save_attempt, steps
from tests.builders import EPOCH, record, records
from tests.faults import sync

if TYPE_CHECKING:
    from sync.webhooks.outbox import Step
    from tests.builders import Database


START = str(Cursor.start(EPOCH))


def endpoint(per: str = "change", **rules: set[str]) -> Endpoint:
    return Endpoint("shop", "https://example.com/", (), Rules(**{name: frozenset(some) for name, some in rules.items()}), per)  # type: ignore[arg-type]


def walk(engine: sa.Engine, to: Endpoint, cursor: str, batch_size: int) -> list[Step]:
    return list(steps(engine, to, cursor, batch_size))


def ids_in(step: Step) -> list[str]:
    """Return the ids of the templates in the message of a step."""
    if step.message is None:
        return []
    data: dict[str, Any] = json.loads(step.message.body)["data"]
    return [change["template_id"] for change in data.get("changes", [data])]


def cursors(engine: sa.Engine) -> list[str]:
    return [change["cursor"] for change in feed.changes(engine, since=0)]


@pytest.fixture
def three_runs(database: Database) -> Database:
    """Runs that add templates 1 to 4, then 5, then 6 and 7."""
    for count in (4, 5, 7):
        sync(records(count), database.engine)
    return database


@pytest.mark.long_on_servers
@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7, 8, 200])
def test_each_change_is_a_message_with_any_batch_size(three_runs: Database, batch_size: int) -> None:
    found = walk(three_runs.engine, endpoint(), START, batch_size)
    assert [ids_in(step) for step in found] == [[str(number)] for number in range(1, 8)]
    assert [step.cursor for step in found] == cursors(three_runs.engine)
    assert [step.message.id for step in found if step.message] == [f"tsc_{cursor}" for cursor in cursors(three_runs.engine)]


@pytest.mark.long_on_servers
@pytest.mark.parametrize(("batch_size", "messages"), [
    *((size, [["1", "2", "3", "4"], ["5"], ["6", "7"]]) for size in (200, 7, 6)),
    (3, [["1", "2", "3"], ["4"], ["5"], ["6", "7"]]),
    (1, [["1"], ["2"], ["3"], ["4"], ["5"], ["6"], ["7"]]),
])  # fmt: skip
def test_each_run_is_a_message_or_several_if_it_exceeds_the_batch_size(
    three_runs: Database, batch_size: int, messages: list[list[str]]
) -> None:
    found = walk(three_runs.engine, endpoint("run"), START, batch_size)
    assert [ids_in(step) for step in found] == messages
    for number, step in enumerate(found):  # after a kill anywhere, the same bytes and ids follow
        assert walk(three_runs.engine, endpoint("run"), step.cursor, batch_size) == found[number + 1 :]


@pytest.mark.long_on_servers
@pytest.mark.parametrize("per", ["change", "run"])
def test_changes_that_do_not_match_are_skipped_in_one_step(three_runs: Database, per: str) -> None:
    found = walk(three_runs.engine, endpoint(per, ids={"2"}), START, 200)
    assert [ids_in(step) for step in found] == [["2"], []]
    everything = cursors(three_runs.engine)
    assert [step.cursor for step in found] == [everything[1] if per == "change" else everything[3], everything[-1]]
    assert found[0].message is not None
    data = json.loads(found[0].message.body)["data"]
    assert data["cursor"] == found[0].cursor  # for a run, the cursor of its end
    (nothing,) = walk(three_runs.engine, endpoint(per, ids={"99"}), START, 200)
    assert nothing == (everything[-1], None)


def test_a_message_contains_the_change_as_the_feed_returns_it(sqlite: Database) -> None:
    sync([record("1")], sqlite.engine)
    sync([record("1", ConsumeItems=[{"Resolution": "720p", "Credit": 1.5}])], sqlite.engine)
    sync([], sqlite.engine, accept_removals=True)
    found = [json.loads(step.message.body) for step in walk(sqlite.engine, endpoint(), START, 200) if step.message]
    assert [each["type"] for each in found] == ["template.added", "template.changed", "template.removed"]
    assert [each["data"] for each in found] == json.loads(json.dumps(feed.changes(sqlite.engine, since=0)))


@pytest.mark.long_on_servers
def test_a_position_that_is_not_in_the_feed_is_lost(three_runs: Database) -> None:
    with pytest.raises(CursorLost) as raised:
        walk(three_runs.engine, endpoint(), "0123456789ab-3-" + "0" * 24, 200)
    assert raised.value.reason == "diverged"
    early = cursors(three_runs.engine)[1]
    prune(three_runs.engine, before=None, keep_runs=1)
    with pytest.raises(CursorLost) as raised:
        walk(three_runs.engine, endpoint(), early, 200)
    assert raised.value.reason == "pruned"


def test_an_endpoint_resumes_with_its_next_message_also_after_many_changes_that_do_not_match(sqlite: Database) -> None:
    register(sqlite.engine, "shop", from_start=True)
    for title in ("Number 1", "Renamed"):
        sync([record("1", Title_en=title), *records(BATCH_SIZE + 5)[1:]], sqlite.engine)
    to = endpoint(kinds={"changed"})
    assert "resumes with template.changed of template 1 " in resume(sqlite.engine, to)
    assert "skips template.changed of template 1 " in resume(sqlite.engine, to, skip=True)
    assert [each.at_end for each in positions(sqlite.engine)] == [True]
    assert "no messages are pending" in resume(sqlite.engine, to)


NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_new_endpoint_begins_once_at_the_end_or_the_start_of_the_feed(database: Database) -> None:
    sync(records(3), database.engine)
    register(database.engine, "end", from_start=False)
    register(database.engine, "start", from_start=True)
    found = {each.name: (each.seq, each.behind, each.at_end) for each in positions(database.engine)}
    assert found == {"end": (3, 0, True), "start": (0, 3, False)}
    sync(records(4), database.engine)
    register(database.engine, "end", from_start=False)
    assert [(each.seq, each.behind) for each in positions(database.engine)] == [(3, 1), (0, 4)]


def test_with_an_empty_feed_an_endpoint_gets_no_end_position_so_the_first_run_is_not_sent(database: Database) -> None:
    register(database.engine, "end", from_start=False)
    register(database.engine, "start", from_start=True)
    assert [(each.name, each.seq, each.at_end) for each in positions(database.engine)] == [("start", 0, True)]


def test_the_start_of_a_pruned_feed_is_its_oldest_change(database: Database) -> None:
    for count in (1, 2, 3):
        sync(records(count), database.engine)
    prune(database.engine, before=None, keep_runs=1)
    register(database.engine, "start", from_start=True)
    (found,) = positions(database.engine)
    assert (found.seq, found.behind) == (2, 1)


def test_a_stored_position_that_is_no_cursor_has_the_seq_0(sqlite: Database) -> None:
    register(sqlite.engine, "shop", from_start=True)
    with sqlite.engine.begin() as connection:
        connection.execute(sa.update(webhook_endpoints).values(position="no cursor"))
    assert [(each.seq, each.behind, each.at_end) for each in positions(sqlite.engine)] == [(0, 0, False)]


def test_the_result_of_an_attempt_is_stored_exactly(database: Database) -> None:
    sync(records(1), database.engine)
    register(database.engine, "shop", from_start=True)
    with claim_endpoint(database.engine, "shop") as claim:
        assert claim is not None
        values = {"attempts": 3, "failing_since": NOW, "next_attempt_at": NOW, "last_status": 503, "last_answer": "🔥" * 200}
        save_attempt(database.engine, claim, **values, paused="gone")
    (found,) = positions(database.engine)
    assert {name: getattr(found, name) for name in values} == values
    assert (found.paused, found.last_attempt_at) == ("gone", None)


def test_one_process_at_a_time_claims_an_endpoint(database: Database) -> None:
    for name in ("one", "two"):
        register(database.engine, name, from_start=True)
    with claim_endpoint(database.engine, "one") as first:
        assert first is not None
        with claim_endpoint(database.engine, "one") as rival, claim_endpoint(database.engine, "two") as other:
            assert (rival, other is None) == (None, False)
    with claim_endpoint(database.engine, "one") as second:
        assert second is not None
        assert second.fence == first.fence + 1
    with claim_endpoint(database.engine, "unknown") as unknown:
        assert unknown is None


@pytest.mark.parametrize("why", ["expired", "process dead", "clock was ahead"])
def test_a_claim_of_a_dead_or_late_process_is_taken_over_and_its_writes_are_refused(database: Database, why: str) -> None:
    register(database.engine, "shop", from_start=True)
    mark = process_mark() or ""
    left: dict[str, dict[str, Any]] = {
        "expired": {"expires": 1.0},
        "process dead": {"process": mark.rpartition(":")[0] + ":1"},
        "clock was ahead": {"expires": webhook_endpoints.c.expires + 10 * CLAIM_TTL},
    }
    with claim_endpoint(database.engine, "shop") as late:
        assert late is not None
        with database.engine.begin() as connection:
            connection.execute(sa.update(webhook_endpoints).values(left[why]))
        with claim_endpoint(database.engine, "shop") as next_one:
            assert next_one is not None
            with pytest.raises(LeaseLost):
                save_attempt(database.engine, late, attempts=99)
            save_attempt(database.engine, next_one, attempts=1)
    assert [each.attempts for each in positions(database.engine)] == [1]


def test_a_stored_attempt_renews_the_claim(database: Database) -> None:
    register(database.engine, "shop", from_start=True)
    with claim_endpoint(database.engine, "shop") as claim:
        assert claim is not None
        with database.engine.begin() as connection:
            connection.execute(sa.update(webhook_endpoints).values(expires=webhook_endpoints.c.expires - CLAIM_TTL + 5))
        before = database.rows("webhook_endpoints")[0]["expires"]
        save_attempt(database.engine, claim, attempts=1)
        assert database.rows("webhook_endpoints")[0]["expires"] > before + CLAIM_TTL / 2
    row = database.rows("webhook_endpoints")[0]
    assert (row["expires"], row["holder"], row["process"]) == (0, None, None)
