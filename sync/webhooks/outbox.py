"""What an endpoint is to be told next. The feed is the outbox: a position in it, and the rules, say all."""

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
"""Changes that are read, and told in one message, at most. A run of more is told in several: each attempt reads the same ones."""


class Step(NamedTuple):
    """One step through the feed: up to a cursor, and what is told of that part; None if nothing in it is wanted."""

    cursor: str
    message: Message | None


def steps(engine: Engine, endpoint: Endpoint, cursor: str, batch_size: int = BATCH_SIZE) -> Iterator[Step]:
    """Walk from a position to the feed's end, a message a step. No transaction is open between two steps.

    Raises:
        CursorLost: at whichever batch the position turned out not to be this feed's, or what comes after it to be pruned.
    """
    while True:
        batch = changes(engine, since=cursor, limit=batch_size)
        step = None
        for step in _batch_steps(endpoint, batch, whole=len(batch) < batch_size):
            yield step
        if step is None:  # not where a batch is short: while its last message was sent, more may have come
            return
        cursor = step.cursor


def _batch_steps(endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool) -> Iterator[Step]:
    passed: Step | None = None
    for part, message in _messages(endpoint, batch, whole=whole):
        passed = Step(part[-1]["cursor"], message)
        if message is not None:
            yield passed
            passed = None
    if passed is not None:  # what nobody wants to hear is passed over at the end, in one step
        yield passed


def _messages(
    endpoint: Endpoint, batch: list[dict[str, Any]], *, whole: bool
) -> Iterator[tuple[list[dict[str, Any]], Message | None]]:
    """Cut a batch into what one message can tell of: each change, or each run's."""
    if endpoint.per == "change":
        for change in batch:
            yield [change], messages.message_of_change(change) if endpoint.rules.matches(change) else None
        return
    runs = [list(group) for _run_id, group in itertools.groupby(batch, key=lambda change: change["run_id"])]
    if not whole and len(runs) > 1:
        runs.pop()  # it may go on behind the batch: the next one begins with it
    for run in runs:
        wanted = [change for change in run if endpoint.rules.matches(change)]
        yield run, messages.message_of_run(wanted, run[0]["run_id"], run[-1]["cursor"]) if wanted else None
