"""How far an endpoint has been told, and who delivers: one at a time, whoever dies, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.errors import LeaseLost
from sync.store import process
from sync.store.prune import prune
from sync.store.tables import webhook_endpoints
from sync.webhooks.state import CLAIM_TTL, claim_endpoint, positions, register, save_attempt
from tests.builders import record as catalog_record
from tests.builders import records
from tests.faults import sync

if TYPE_CHECKING:
    from tests.builders import Database

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_new_endpoint_begins_at_the_feeds_end_or_at_its_start(database: Database) -> None:
    sync(records(3), database.engine)
    register(database.engine, "end", from_start=False)
    register(database.engine, "start", from_start=True)
    found = {each.name: (each.seq, each.behind, each.at_end) for each in positions(database.engine)}
    assert found == {"end": (3, 0, True), "start": (0, 3, False)}
    sync(records(4), database.engine)
    register(database.engine, "end", from_start=False)
    assert [(each.seq, each.behind) for each in positions(database.engine)] == [(3, 1), (0, 4)]


def test_an_endpoint_of_an_empty_feed_gets_no_position_so_a_first_fill_is_not_sent(database: Database) -> None:
    register(database.engine, "end", from_start=False)
    register(database.engine, "start", from_start=True)
    assert [(each.name, each.seq, each.at_end) for each in positions(database.engine)] == [("start", 0, True)]


def test_the_start_of_a_pruned_feed_is_what_is_kept_of_it(database: Database) -> None:
    for count in (1, 2, 3):
        sync(records(count), database.engine)
    prune(database.engine, before=None, keep_runs=1)
    register(database.engine, "start", from_start=True)
    (found,) = positions(database.engine)
    assert (found.seq, found.behind) == (2, 1)


def test_what_is_recorded_is_read_back_to_the_microsecond_and_the_character(database: Database) -> None:
    sync(records(1), database.engine)
    register(database.engine, "shop", from_start=True)
    said = "🔥" * 200
    with claim_endpoint(database.engine, "shop") as claim:
        assert claim is not None
        save_attempt(
            database.engine,
            claim,
            attempts=3,
            failing_since=NOW,
            next_attempt_at=NOW,
            last_status=503,
            last_answer=said,
            paused="gone",
        )
    (found,) = positions(database.engine)
    assert (found.attempts, found.failing_since, found.next_attempt_at, found.last_status) == (3, NOW, NOW, 503)
    assert (found.last_answer, found.paused, found.last_attempt_at) == (said, "gone", None)


def test_one_delivers_at_a_time_to_an_endpoint_and_to_another_meanwhile_another(database: Database) -> None:
    for name in ("one", "two"):
        register(database.engine, name, from_start=True)
    with claim_endpoint(database.engine, "one") as first:
        assert first is not None
        with claim_endpoint(database.engine, "one") as rival, claim_endpoint(database.engine, "two") as other:
            assert (rival, other is None) == (None, False)
    with claim_endpoint(database.engine, "one") as second:
        assert second is not None
        assert second.fence == first.fence + 1
    with claim_endpoint(database.engine, "nobody") as unknown:
        assert unknown is None


@pytest.mark.parametrize("why", ["its term is over", "it is dead", "its clock was ahead"])
def test_a_deliverer_that_fell_silent_is_followed_by_another_and_writes_nothing_any_more(database: Database, why: str) -> None:
    register(database.engine, "shop", from_start=True)
    mark = process.mark() or ""
    left: dict[str, dict[str, Any]] = {
        "its term is over": {"expires": 1.0},
        "it is dead": {"process": mark.rpartition(":")[0] + ":1"},
        "its clock was ahead": {"expires": webhook_endpoints.c.expires + 10 * CLAIM_TTL},
    }
    with claim_endpoint(database.engine, "shop") as silent:
        assert silent is not None
        with database.engine.begin() as connection:
            connection.execute(sa.update(webhook_endpoints).values(left[why]))
        with claim_endpoint(database.engine, "shop") as next_one:
            assert next_one is not None
            with pytest.raises(LeaseLost):
                save_attempt(database.engine, silent, attempts=99)
            save_attempt(database.engine, next_one, attempts=1)
    assert [each.attempts for each in positions(database.engine)] == [1]


def test_an_attempt_that_is_written_down_prolongs_the_claim(database: Database) -> None:
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


def test_two_hosts_that_meet_a_new_endpoint_give_it_one_position(database: Database) -> None:
    sync([catalog_record("1")], database.engine)
    for _ in range(2):
        register(database.engine, "shop", from_start=False)
    assert len(positions(database.engine)) == 1
