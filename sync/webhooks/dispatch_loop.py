"""The daemon tells its webhook endpoints: after each run, and whenever something is due. Never in a run's way.

A thread looks every few seconds, which is one small question to the database; each endpoint that something waits for is visited
by a thread of its own. None of them can delay a run, and the end of the process waits for none longer than it was told to.
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
    """Looks, begins visits, and tells what came of them.

    Args:
        dispatcher: visits endpoints.
        endpoints: reads the file of endpoints, anew for each look.
        metrics: told at each look how far every endpoint has been told, and what came of visits.
        look: seconds between two looks.
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
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once: a run has ended."""
        self._wake.set()

    def close(self, timeout: float) -> None:
        """Let no further message leave; wait for those under way, at most so many seconds for each."""
        self._closed = True
        self._dispatcher.stop()
        self._wake.set()
        self._thread.join(timeout)
        self._dispatcher.join(timeout)

    def handle_result(self, delivered: DeliveryResult) -> None:
        """Log what came of a visit; look again at once after one that told something, as a run may have ended meanwhile."""
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
            except Exception as surprise:  # noqa: BLE001 - a bug: told, and tried again
                self._warn_once(str(resource_error(surprise) or f"Unexpected error: {type(surprise).__name__}."))
            self._wake.wait(self._poll_seconds)

    def _warn_once(self, trouble: str) -> None:
        """Tell of a trouble once, not at every look."""
        if trouble != self._last_error:
            get_logger().warning("webhooks_stand_still", reason=trouble)
        self._last_error = trouble
