"""The daemon's delivery of webhooks, after each run and whenever a message is due.

A thread polls the database every few seconds; each endpoint with pending messages gets a thread of its own. These threads never
delay a run, and the end of the process waits for them for a limited time.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sync.errors import SyncError, resource_error
from sync.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.monitoring.metrics import Metrics
    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.dispatcher import DeliveryResult, Dispatcher

POLL_SECONDS = 5.0


class DispatchLoop:
    """Poll, start deliveries, and log their results.

    Args:
        dispatcher: delivers to endpoints.
        endpoints: loads the endpoints, for each poll.
        metrics: receives the position of each endpoint at each poll, and the results of deliveries.
        poll_seconds: seconds between two polls.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        endpoints: Callable[[], Sequence[SignedEndpoint]],
        metrics: Metrics,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._dispatcher = dispatcher
        self._endpoints = endpoints
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._wake = threading.Event()
        self._closed = False
        self._last_error = ""
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def wake(self) -> None:
        """Poll at once, after a run."""
        self._wake.set()

    def close(self, timeout: float) -> None:
        """Send no further message; wait for deliveries in progress, at most `timeout` seconds for each."""
        self._closed = True
        self._dispatcher.stop()
        self._wake.set()
        self._thread.join(timeout)
        self._dispatcher.join(timeout)

    def handle_result(self, delivered: DeliveryResult) -> None:
        """Log the result of a delivery; poll again after one that delivered messages, as a run may have ended meanwhile."""
        self._metrics.count_messages(delivered.name, accepted=delivered.messages, failed=int(delivered.attempt_failed))
        say = get_logger().bind(endpoint=delivered.name)
        if delivered.messages:
            say.info("webhook_delivered", messages=delivered.messages)
        if delivered.result in {"failed", "paused", "broken"}:
            say.warning(f"webhook_{delivered.result}", reason=delivered.error)
        if delivered.result == "done" and delivered.messages:
            self.wake()

    def _work(self) -> None:
        while not self._closed:
            self._wake.clear()
            try:
                self._metrics.observe_webhooks(self._dispatcher.start_due(self._endpoints()))
                self._last_error = ""
            except SyncError as error:
                self._dispatcher.set_endpoints(())
                self._warn_once(str(error))
            except Exception as surprise:  # noqa: BLE001 - a bug is logged, and the next poll retries
                self._warn_once(str(resource_error(surprise) or f"Unexpected error: {type(surprise).__name__}."))
            self._wake.wait(self._poll_seconds)

    def _warn_once(self, trouble: str) -> None:
        """Log an error once, not at every poll."""
        if trouble != self._last_error:
            get_logger().warning("webhooks_stand_still", reason=trouble)
        self._last_error = trouble
