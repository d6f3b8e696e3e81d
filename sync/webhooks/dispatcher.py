"""Deliver pending messages to endpoints, in order for each and at least once, each endpoint in a thread of its own.

The position is stored after a message was accepted, so a process that ends in between sends it again, with the same id. Failures
of an endpoint are stored with its position and never raised. `DispatchLoop` is the daemon's delivery: a thread polls the database
every few seconds, never delays a run, and the end of the process waits for it for a limited time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sync.config.resource_limits import as_sync_error
from sync.errors import CursorLost, SyncError
from sync.logs import get_logger
from sync.webhooks.endpoints import GONE, LOST
from sync.webhooks.outbox import NO_FAILURE, claim_endpoint, positions, register, save_attempt, steps
from sync.webhooks.sign_and_send import is_due, next_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.monitoring.metrics import Metrics
    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.endpoints import Position
    from sync.webhooks.outbox import Claim, Step
    from sync.webhooks.sign_and_send import Message, Reply

POLL_SECONDS = 5.0
_ERROR_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a delivery to one endpoint.

    Attributes:
        result: `done`: no pending messages; `failed`: the last attempt failed; `waits`: the next attempt is not due; `paused`;
            `busy`: another process delivers; `stopped`: by request; `broken`: an error that is not the endpoint's.
        messages: number of accepted messages.
        error: why the last attempt failed, or the reason of the pause.
    """

    name: str
    result: str
    messages: int = 0
    error: str = ""
    attempt_failed: bool = False


@dataclass(eq=False)
class Dispatcher:
    """Deliver to all endpoints with pending messages.

    Args:
        send: makes one attempt; does not raise for failures of the endpoint.
        clock: the wall clock, UTC.
        random: returns a number from 0 to 1, for jitter.
        on_result: called from the thread of an endpoint when its delivery has ended.
    """

    engine: Engine
    send: Callable[[SignedEndpoint, Message, datetime], Reply]
    clock: Callable[[], datetime]
    random: Callable[[], float]
    on_result: Callable[[DeliveryResult], None] = lambda _delivered: None
    _threads: dict[str, threading.Thread] = field(default_factory=dict, init=False)
    _endpoints: Mapping[str, SignedEndpoint] = field(default_factory=dict, init=False)
    _paused_until: dict[str, datetime] = field(default_factory=dict, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def start_due(self, endpoints: Sequence[SignedEndpoint]) -> list[Position]:
        """Start a delivery to each endpoint with pending messages that has none in progress; do not wait.

        Return the positions of the endpoints; a new endpoint has none while the feed is empty.
        """
        self.set_endpoints(endpoints)
        names = self._endpoints
        known = positions(self.engine)
        if new := names.keys() - {position.name for position in known}:
            for name in sorted(new):
                register(self.engine, name, from_start=names[name].endpoint.start == "start")
            known = positions(self.engine)
        known = [position for position in known if position.name in names]
        now = self.clock()
        for position in known:
            name = position.name
            waits = not position.at_end and not position.paused and is_due(position.next_attempt_at, now)
            running = name in self._threads and self._threads[name].is_alive()
            if waits and not running and is_due(self._paused_until.get(name), now):
                thread = threading.Thread(target=self._work, args=(names[name],), name=f"webhook {name}", daemon=True)
                thread.start()  # first, as `join` fails on a thread that could not be started
                self._threads[name] = thread
        return known

    def set_endpoints(self, endpoints: Sequence[SignedEndpoint]) -> None:
        """Set the endpoints; deliveries to removed or changed ones end after the message in progress."""
        self._endpoints = {target.endpoint.name: target for target in endpoints}

    def join(self, timeout: float | None = None) -> bool:
        """Wait for all deliveries, at most `timeout` seconds; return whether they ended."""
        threads = list(self._threads.values())
        ends = None if timeout is None else time.monotonic() + timeout
        for thread in threads:
            thread.join(None if ends is None else max(0.0, ends - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def stop(self) -> None:
        """Send no further message; the result of one in progress is stored if there is time."""
        self._stopping.set()

    def _work(self, target: SignedEndpoint) -> None:
        name = target.endpoint.name
        try:
            found = self.deliver(target)
        except Exception as error:  # noqa: BLE001 - a bug must not end other deliveries
            found = DeliveryResult(name, "broken", error=str(as_sync_error(error)))
            # It is not a failure of the endpoint, so its position stays; retried after a pause.
            self._paused_until[name] = self.clock() + _ERROR_PAUSE
        self.on_result(found)

    def deliver(self, target: SignedEndpoint) -> DeliveryResult:
        """Deliver all pending messages to one endpoint, one of those that were set.

        Raise LeaseLost if another process claimed it. After a DatabaseError, a message may be sent again.
        """
        name = target.endpoint.name
        with claim_endpoint(self.engine, name) as claim:
            if claim is None:
                return DeliveryResult(name, "busy")
            if claim.position.paused:
                return DeliveryResult(name, "paused", error=claim.position.paused)
            if not is_due(claim.position.next_attempt_at, self.clock()):
                return DeliveryResult(name, "waits", error=claim.position.last_answer or "")
            try:
                return self._deliver_pending(target, claim)
            except CursorLost as lost:
                save_attempt(self.engine, claim, paused=f"{LOST}:{lost.reason}")
                return DeliveryResult(name, "paused", error=str(lost))

    def _deliver_pending(self, target: SignedEndpoint, claim: Claim) -> DeliveryResult:
        """Deliver message by message; the result of each is stored before the next one is sent."""
        name = target.endpoint.name
        sent = 0
        for step in steps(self.engine, target.endpoint, claim.position.cursor):
            if self._stopping.is_set() or self._endpoints.get(name) != target:
                return DeliveryResult(name, "stopped", sent)
            if step.message is None:
                save_attempt(self.engine, claim, position=step.cursor, **NO_FAILURE)
                continue
            reply = self.send(target, step.message, self.clock())
            save_attempt(self.engine, claim, **self._outcome(reply, step, claim.position if sent == 0 else None))
            if not reply.accepted:
                return DeliveryResult(name, "paused" if reply.gone else "failed", sent, reply.summary, attempt_failed=True)
            sent += 1
        return DeliveryResult(name, "done", sent)

    def _outcome(self, reply: Reply, step: Step, before: Position | None) -> dict[str, Any]:
        """Return the columns to store after an attempt; `before` is None once a message was accepted in this delivery."""
        now = self.clock()
        seen = {"last_attempt_at": now, "last_status": reply.status, "last_answer": reply.detail}
        if reply.accepted:
            return {**seen, "position": step.cursor, **NO_FAILURE}
        failures = (before.attempts if before else 0) + 1
        since = (before.failing_since if before else None) or now
        when, paused = next_attempt(reply, failures, now, self.random), GONE if reply.gone else None
        return {**seen, "attempts": failures, "failing_since": since, "next_attempt_at": when, "paused": paused}


@dataclass(eq=False)
class DispatchLoop:
    """Poll, start deliveries, and log their results.

    Args:
        dispatcher: delivers to endpoints; its `on_result` is replaced.
        endpoints: loads the endpoints, for each poll.
        metrics: receives the position of each endpoint at each poll, and the results of deliveries.
    """

    dispatcher: Dispatcher
    endpoints: Callable[[], Sequence[SignedEndpoint]]
    metrics: Metrics
    poll_seconds: float = POLL_SECONDS

    def __post_init__(self) -> None:
        self._wake = threading.Event()
        self._closed = False
        self._last_error = ""
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
        self.dispatcher.on_result = self._handle_result

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def wake(self) -> None:
        """Poll at once, after a run."""
        self._wake.set()

    def close(self, timeout: float) -> None:
        """Send no further message; wait for deliveries in progress, at most `timeout` seconds."""
        ends = time.monotonic() + timeout
        self._closed = True
        self.dispatcher.stop()
        self._wake.set()
        self._thread.join(timeout)
        self.dispatcher.join(max(0.0, ends - time.monotonic()))

    def _handle_result(self, delivered: DeliveryResult) -> None:
        """Log a result; poll again after a delivery of messages, as a run may have ended meanwhile."""
        self.metrics.count_messages(delivered.name, accepted=delivered.messages, failed=int(delivered.attempt_failed))
        say = get_logger().bind(endpoint=delivered.name)
        if delivered.messages:
            say.info("webhook_delivered", messages=delivered.messages)
        if delivered.result in {"failed", "paused", "broken"}:
            say.warning(f"webhook_{delivered.result}", reason=delivered.error)
        if delivered.result == "done" and delivered.messages:
            self.wake()

    def _work(self) -> None:
        while not self._closed:
            try:
                self.metrics.observe_webhooks(self.dispatcher.start_due(self.endpoints()))
                self._last_error = ""
            except SyncError as error:
                self.dispatcher.set_endpoints(())
                self._warn_once(str(error))
            except Exception as error:  # noqa: BLE001 - a bug is logged, and the next poll retries
                self._warn_once(str(as_sync_error(error)))
            self._wake.wait(self.poll_seconds)
            self._wake.clear()  # before the check for a close, which would else be noticed a poll later

    def _warn_once(self, reason: str) -> None:
        """Log an error once, not at every poll."""
        if reason != self._last_error:
            get_logger().warning("webhooks_stand_still", reason=reason)
        self._last_error = reason
