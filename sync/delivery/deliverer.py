"""All endpoints at once, each in a thread of its own: one that hangs, fails or is far behind holds up no other."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sync.errors import SyncError
from sync.webhooks import state
from sync.webhooks.dispatcher import Delivered, deliver
from sync.webhooks.schedule import is_due

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.webhooks.configuration import Armed
    from sync.webhooks.messages import Message
    from sync.webhooks.position import Position
    from sync.webhooks.send import Reply


_REST = timedelta(minutes=1)


@dataclass(eq=False)
class Deliverer:
    """Visits endpoints that something waits for.

    Args:
        engine: the database.
        send: makes one attempt.
        clock: the wall clock, UTC.
        random: a source of numbers from 0 to 1, for jitter.
        ended: called from an endpoint's thread when its visit is over.
    """

    engine: Engine
    send: Callable[[Armed, Message, datetime], Reply]
    clock: Callable[[], datetime]
    random: Callable[[], float]
    ended: Callable[[Delivered], None] = lambda _delivered: None
    _visits: dict[str, threading.Thread] = field(default_factory=dict, init=False)
    _wanted: Mapping[str, Armed] = field(default_factory=dict, init=False)
    _rest_until: dict[str, datetime] = field(default_factory=dict, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def begin(self, endpoints: Sequence[Armed]) -> list[Position]:
        """Begin to visit each endpoint that something waits for, but those that are being visited. Waits for none.

        Returns:
            how far each of them has been told; a new one has no position while the feed is empty.

        Raises:
            DatabaseError: in plain words.
        """
        self.want(endpoints)
        names = self._wanted
        known = state.positions(self.engine)
        if new := names.keys() - {position.name for position in known}:
            for name in sorted(new):
                state.register(self.engine, name, from_start=names[name].endpoint.start == "start")
            known = state.positions(self.engine)
        known = [position for position in known if position.name in names]
        now = self.clock()
        for position in known:
            waits = not position.at_end and not position.paused and is_due(position.next_attempt_at, now)
            if waits and not self._is_visited(position.name) and is_due(self._rest_until.get(position.name), now):
                self._visit(names[position.name])
        return known

    def want(self, endpoints: Sequence[Armed]) -> None:
        """Let visits to endpoints that are no longer asked for, or in another way, end after the message under way."""
        self._wanted = {armed.endpoint.name: armed for armed in endpoints}

    def finish(self, timeout: float | None = None) -> bool:
        """Wait for all visits to end, at most so many seconds each; tell whether they did."""
        visits = list(self._visits.values())
        for visit in visits:
            visit.join(timeout)
        return not any(visit.is_alive() for visit in visits)

    def stop(self) -> None:
        """Let no further message leave; one that is under way is written down, if there is time."""
        self._stopping.set()

    def _is_visited(self, name: str) -> bool:
        return name in self._visits and self._visits[name].is_alive()

    def _visit(self, armed: Armed) -> None:
        thread = threading.Thread(target=self._work, args=(armed,), name=f"webhook {armed.endpoint.name}", daemon=True)
        self._visits[armed.endpoint.name] = thread
        thread.start()

    def _work(self, armed: Armed) -> None:
        def is_over() -> bool:
            return self._stopping.is_set() or self._wanted.get(armed.endpoint.name) != armed

        try:
            found = deliver(self.engine, armed, send=self.send, clock=self.clock, random=self.random, stopping=is_over)
        except SyncError as error:
            found = Delivered(armed.endpoint.name, "broken", error=str(error))
        except Exception as surprise:  # noqa: BLE001 - a bug must not end the service's other deliveries
            found = Delivered(armed.endpoint.name, "broken", error=f"Unexpected error: {type(surprise).__name__}.")
        if found.result == "broken":  # not the endpoint's fault, so nothing about it is written down; but not at once again
            self._rest_until[found.name] = self.clock() + _REST
        self.ended(found)
