"""Go on with an endpoint that was paused or fails, at a person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.errors import CursorLost, LeaseBusy, UsageError
from sync.webhooks import state
from sync.webhooks.outbox import steps

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sync.webhooks.endpoint import Endpoint


def resume(engine: Engine, endpoint: Endpoint, *, skip: bool = False) -> str:
    """Let an endpoint be tried at once; say what was done.

    Args:
        engine: the database.
        endpoint: which.
        skip: pass over the one message that waits.

    Raises:
        UsageError: it has no position yet.
        LeaseBusy: it is being delivered to.
    """
    if endpoint.name not in {position.name for position in state.positions(engine)}:
        raise UsageError(
            f"Endpoint {endpoint.name} has no position yet.",
            hint="It gets one at the first delivery while the feed is not empty.",
        )
    with state.claimed(engine, endpoint.name) as claim:
        if claim is None:
            raise LeaseBusy(f"A delivery to endpoint {endpoint.name} is active.", hint="Retry in a few seconds.")
        moved, told = _move(engine, endpoint, claim.position.cursor, skip=skip)
        fresh = {"attempts": 0, "failing_since": None, "next_attempt_at": None, "paused": None}
        state.record(engine, claim, position=moved, **fresh)
    return told


def _move(engine: Engine, endpoint: Endpoint, cursor: str, *, skip: bool) -> tuple[str, str]:
    """Choose where to go on, and say so."""
    try:
        step = next(steps(engine, endpoint, cursor), None)
    except CursorLost as lost:
        end = state.feed_end(engine)
        return end, f"{endpoint.name} resumes at the end of the feed ({end}), because its undelivered changes are lost: {lost}"
    waits = step.message if step else None
    if step is None or waits is None:
        return (step.cursor if step else cursor), f"{endpoint.name} resumes; no messages are pending."
    if not skip:
        return cursor, f"{endpoint.name} resumes with {waits.kind} of {waits.about} ({waits.id})."
    return step.cursor, f"{endpoint.name} skips {waits.kind} of {waits.about} ({waits.id}) and resumes after it."
