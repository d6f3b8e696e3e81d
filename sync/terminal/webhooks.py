"""PURE. Webhook endpoints as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.monitoring.staleness import age, ago
from sync.text import escape_control_characters
from sync.webhooks.addresses import origin
from sync.webhooks.schedule import FAILING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sync.webhooks.endpoint import Endpoint
    from sync.webhooks.position import Position


def webhook_rows(endpoints: Iterable[tuple[Endpoint, Position | None]], now: datetime) -> list[list[str]]:
    """Lay endpoints out as rows of a table."""
    rows = [["NAME", "WHERE", "SEQ", "BEHIND", "STATE", "LAST ANSWER"]]
    for endpoint, position in endpoints:
        told = ["", ""] if position is None else [str(position.seq), str(position.behind)]
        state = "has no position yet" if position is None else state_of(position, now)
        answer = "" if position is None else last_answer(position, now)
        rows.append([endpoint.name, origin(endpoint.url), *told, state if endpoint.enabled else "not enabled", answer])
    return rows


def state_of(position: Position, now: datetime) -> str:
    """Say in a few words how an endpoint is."""
    if position.paused:
        return f"paused ({position.paused})"
    if position.failing_since is None:
        return "caught up" if position.at_end else "waits"
    tries = f"failing for {age((now - position.failing_since).total_seconds())}, {position.attempts} attempts"
    left = (position.next_attempt_at - now).total_seconds() if position.next_attempt_at else 0
    return f"{tries}, next {'is due' if left <= 0 else f'in {age(left)}'}"


def last_answer(position: Position, now: datetime) -> str:
    """Say what an endpoint said last, and when."""
    if position.last_attempt_at is None:
        return ""
    said = escape_control_characters(position.last_answer or "")
    return (
        f"{position.last_status or 'none'}, {ago((now - position.last_attempt_at).total_seconds())}{f': {said}' if said else ''}"
    )


def trouble(position: Position, now: datetime) -> str | None:
    """Say why a person should look at an endpoint; None if none need to."""
    if position.paused:
        return f"{position.name}: paused ({position.paused}), {position.behind} changes pending"
    if position.failing_since is not None and now - position.failing_since >= FAILING:
        return f"{position.name}: {state_of(position, now)}; last answer {last_answer(position, now)}"
    return None
