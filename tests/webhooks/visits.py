"""Deliver once, as `webhooks deliver` does, by a clock that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sync.webhooks.dispatcher import Dispatcher
from sync.webhooks.sign_and_send import send

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.dispatcher import DeliveryResult
    from sync.webhooks.messages import Message
    from sync.webhooks.sign_and_send import Reply


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **delta: float) -> None:
        """Go on."""
        self.now += timedelta(**delta)


def hasty(target: SignedEndpoint, message: Message, now: datetime) -> Reply:
    """Try once, and wait for seconds only."""
    return send(target, message, now, limit=5.0)


def deliver_to(
    engine: sa.Engine, *endpoints: SignedEndpoint, clock: Callable[[], datetime] | None = None
) -> list[DeliveryResult]:
    """Make one pass; give what came of each visit, by name."""
    visits: list[DeliveryResult] = []
    dispatcher = Dispatcher(engine, hasty, clock or Clock(), lambda: 0.0, visits.append)
    dispatcher.start_due(endpoints)
    dispatcher.join()
    return sorted(visits, key=lambda visit: visit.name)
