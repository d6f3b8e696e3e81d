"""Compute the pending messages of an endpoint from its position and its rules; the feed is the outbox."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.reader.feed import changes
from sync.webhooks import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from sync.webhooks.endpoints import Endpoint
    from sync.webhooks.messages import Message

BATCH_SIZE = 200
"""Maximum number of changes read at once and sent in one message; each attempt reads the same ones."""


class Step(NamedTuple):
    """A step through the feed: the cursor after it, and its message; None if no change matches the rules."""

    cursor: str
    message: Message | None


def steps(engine: Engine, endpoint: Endpoint, cursor: str, batch_size: int = BATCH_SIZE) -> Iterator[Step]:
    """Yield the steps from a position to the end of the feed, without an open transaction between two steps.

    Raises:
        CursorLost: the position is not valid in this feed, or changes after it were pruned.
    """
    while True:
        batch = changes(engine, since=cursor, limit=batch_size)
        step = None
        for step in _batch_steps(endpoint, batch, whole=len(batch) < batch_size):
            yield step
        if step is None:  # a short batch is not the end, because changes may have been added meanwhile
            return
        cursor = step.cursor


def _batch_steps(endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool) -> Iterator[Step]:
    passed: Step | None = None
    for part, message in _messages(endpoint, batch, whole=whole):
        passed = Step(part[-1]["cursor"], message)
        if message is not None:
            yield passed
            passed = None
    if passed is not None:  # changes that do not match are skipped in one step
        yield passed


def _messages(
    endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool
) -> Iterator[tuple[list[dict[str, Any]], Message | None]]:
    """Split a batch into the changes of each message: one change, or those of a run."""
    if endpoint.per == "change":
        for change in batch:
            yield [change], messages.message_of_change(change) if endpoint.rules.matches(change) else None
        return
    runs = [list(group) for _run_id, group in itertools.groupby(batch, key=lambda change: change["run_id"])]
    if not whole and len(runs) > 1:
        runs.pop()  # it may continue after the batch, so the next batch begins with it
    for run in runs:
        wanted = [change for change in run if endpoint.rules.matches(change)]
        yield run, messages.message_of_run(wanted, run[0]["run_id"], run[-1]["cursor"]) if wanted else None
