"""What waits follows from a position and the rules alone: whoever looks again finds the very same messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.feed_chain import Cursor
from sync.errors import CursorLost
from sync.reader import feed
from sync.store.prune import prune
from sync.webhooks.endpoints import Endpoint
from sync.webhooks.outbox import steps
from sync.webhooks.rules import Rules
from tests.builders import EPOCH, record, records
from tests.faults import sync

if TYPE_CHECKING:
    import sqlalchemy as sa

    from sync.webhooks.outbox import Step
    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers

START = str(Cursor.start(EPOCH))


def endpoint(per: str = "change", **rules: set[str]) -> Endpoint:
    return Endpoint("shop", "https://example.com/", (), Rules(**{name: frozenset(some) for name, some in rules.items()}), per)  # type: ignore[arg-type]


def walk(engine: sa.Engine, to: Endpoint, cursor: str, batch_size: int) -> list[Step]:
    return list(steps(engine, to, cursor, batch_size))


def told(step: Step) -> list[str]:
    """Ids of the templates that a step tells of."""
    if step.message is None:
        return []
    data: dict[str, Any] = json.loads(step.message.body)["data"]
    return [change["template_id"] for change in data.get("changes", [data])]


def cursors(engine: sa.Engine) -> list[str]:
    return [change["cursor"] for change in feed.changes(engine, since=0)]


@pytest.fixture
def three_runs(database: Database) -> Database:
    """Runs that bring 1 to 4; then 5; then 6 and 7."""
    for count in (4, 5, 7):
        sync(records(count), database.engine)
    return database


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7, 8, 200])
def test_each_change_is_a_message_however_many_are_read_at_a_time(three_runs: Database, batch_size: int) -> None:
    found = walk(three_runs.engine, endpoint(), START, batch_size)
    assert [told(step) for step in found] == [["1"], ["2"], ["3"], ["4"], ["5"], ["6"], ["7"]]
    assert [step.cursor for step in found] == cursors(three_runs.engine)
    assert [step.message.id for step in found if step.message] == [f"tsc_{cursor}" for cursor in cursors(three_runs.engine)]


@pytest.mark.parametrize(("batch_size", "messages"), [
    (200, [["1", "2", "3", "4"], ["5"], ["6", "7"]]),
    (7, [["1", "2", "3", "4"], ["5"], ["6", "7"]]),
    (6, [["1", "2", "3", "4"], ["5"], ["6", "7"]]),
    (3, [["1", "2", "3"], ["4"], ["5"], ["6", "7"]]),
    (1, [["1"], ["2"], ["3"], ["4"], ["5"], ["6"], ["7"]]),
])  # fmt: skip
def test_each_run_is_a_message_and_one_of_too_many_changes_is_several(
    three_runs: Database, batch_size: int, messages: list[list[str]]
) -> None:
    found = walk(three_runs.engine, endpoint("run"), START, batch_size)
    assert [told(step) for step in found] == messages
    for number, step in enumerate(found):  # from wherever a process died, the next one finds the same bytes and ids
        assert walk(three_runs.engine, endpoint("run"), step.cursor, batch_size) == found[number + 1 :]


@pytest.mark.parametrize("per", ["change", "run"])
def test_what_is_not_wanted_is_passed_over_in_one_step(three_runs: Database, per: str) -> None:
    found = walk(three_runs.engine, endpoint(per, ids={"2"}), START, 200)
    assert [told(step) for step in found] == [["2"], []]
    everything = cursors(three_runs.engine)
    assert [step.cursor for step in found] == [everything[1] if per == "change" else everything[3], everything[-1]]
    (nothing,) = walk(three_runs.engine, endpoint(per, ids={"99"}), START, 200)
    assert nothing == (everything[-1], None)


def test_the_message_of_a_run_has_the_wanted_changes_and_the_cursor_of_its_end(three_runs: Database) -> None:
    first = walk(three_runs.engine, endpoint("run", ids={"2"}), START, 200)[0]
    assert first.message is not None
    data = json.loads(first.message.body)["data"]
    assert data["cursor"] == first.cursor == cursors(three_runs.engine)[3]


def test_a_message_holds_the_change_as_the_feed_gives_it_to_readers(sqlite: Database) -> None:
    sync([record("1")], sqlite.engine)
    sync([record("1", ConsumeItems=[{"Resolution": "720p", "Credit": 1.5}])], sqlite.engine)
    sync([], sqlite.engine, accept_removals=True)
    found = [json.loads(step.message.body) for step in walk(sqlite.engine, endpoint(), START, 200) if step.message]
    assert [each["type"] for each in found] == ["template.added", "template.changed", "template.removed"]
    assert [each["data"] for each in found] == json.loads(json.dumps(feed.changes(sqlite.engine, since=0)))


def test_a_position_unknown_to_the_feed_is_lost_and_nothing_is_sent(three_runs: Database) -> None:
    with pytest.raises(CursorLost) as raised:
        walk(three_runs.engine, endpoint(), "0123456789ab-3-" + "0" * 24, 200)
    assert raised.value.reason == "diverged"
    early = cursors(three_runs.engine)[1]
    prune(three_runs.engine, before=None, keep_runs=1)
    with pytest.raises(CursorLost) as raised:
        walk(three_runs.engine, endpoint(), early, 200)
    assert raised.value.reason == "pruned"
