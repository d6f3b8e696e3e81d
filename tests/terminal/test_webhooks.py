"""How an endpoint is, in a few words: what waits, since when it fails, and when a person should look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.terminal.rows import describe_problem, last_response, state_of, webhook_rows
from sync.webhooks.endpoints import Endpoint, Position

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
WELL = Position(
    name="shop",
    cursor="0123456789ab-7-00112233445566778899aabb",
    behind=3,
    at_end=True,
    attempts=0,
    failing_since=None,
    next_attempt_at=None,
    last_attempt_at=NOON - timedelta(seconds=40),
    last_status=204,
    last_answer=None,
    paused=None,
)
ILL = replace(WELL, attempts=4, failing_since=NOON - timedelta(hours=1), last_status=None, last_answer="timed\nout", at_end=False)
SHOP = Endpoint("shop", "https://shop.example/hooks/secret?token=1", ())


@pytest.mark.parametrize(("position", "shown"), [
    (WELL, "caught up"),
    (replace(WELL, at_end=False), "pending"),
    (replace(ILL, paused="gone"), "paused (gone)"),
    (ILL, "failing for 60 min, 4 attempts, next is due"),
    (replace(ILL, next_attempt_at=NOON - timedelta(seconds=1)), "failing for 60 min, 4 attempts, next is due"),
    (replace(ILL, next_attempt_at=NOON), "failing for 60 min, 4 attempts, next is due"),
    (replace(ILL, next_attempt_at=NOON + timedelta(seconds=1)), "failing for 60 min, 4 attempts, next in 1 s"),
])  # fmt: skip
def test_a_state_says_what_is_next(position: Position, shown: str) -> None:
    assert state_of(position, NOON) == shown


@pytest.mark.parametrize(("position", "shown"), [
    (WELL, "204, 40 s ago"),
    (ILL, "none, 40 s ago: timed\\nout"),
    (replace(WELL, last_answer="OK"), "204, 40 s ago: OK"),
    (replace(WELL, last_attempt_at=None), ""),
])  # fmt: skip
def test_the_last_response_is_shown_with_what_it_said(position: Position, shown: str) -> None:
    assert last_response(position, NOON) == shown


@pytest.mark.parametrize(("position", "shown"), [
    (WELL, None),
    (replace(WELL, paused="lost: pruned"), "shop: paused (lost: pruned), 3 changes pending"),
    (ILL, "shop: failing for 60 min, 4 attempts, next is due; last response none, 40 s ago: timed\\nout"),
    (replace(ILL, failing_since=NOON - timedelta(seconds=3599)), None),
])  # fmt: skip
def test_a_person_is_called_after_an_hour_of_failures_or_when_nothing_more_is_tried(
    position: Position, shown: str | None
) -> None:
    assert describe_problem(position, NOON) == shown


def test_each_endpoint_is_a_row_that_keeps_the_secret_part_of_its_address() -> None:
    off = Endpoint("off", "http://localhost:8080/", (), enabled=False)
    assert webhook_rows([(SHOP, WELL), (SHOP, None), (off, WELL), (off, None)], NOON) == [
        ["NAME", "ORIGIN", "SEQ", "BEHIND", "STATE", "LAST RESPONSE"],
        ["shop", "https://shop.example", "7", "3", "caught up", "204, 40 s ago"],
        ["shop", "https://shop.example", "", "", "no position yet", ""],
        ["off", "http://localhost:8080", "7", "3", "not enabled", "204, 40 s ago"],
        ["off", "http://localhost:8080", "", "", "not enabled", ""],
    ]
