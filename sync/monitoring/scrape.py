"""The metrics at the moment of a scrape: facts come from the database, since another process may have made the last run."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sync.errors import SyncError
from sync.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.monitoring.metrics import Facts, Metrics

KEEP_SECONDS = 3.0
"""How long facts are served before the database is queried again: several scrapers cost one query."""

QUERY_LIMIT = 3.0
"""Seconds that a scrape waits for the database; less than the limit of one request to the probes."""


class Scrape:
    """Update the facts of the metrics from the database, then give the exposition.

    While the database does not answer, the last known facts are served: an age computed from them is still right.

    Args:
        metrics: what is served.
        read: queries the database. It runs in a thread of its own, and in one at a time.
        keep: seconds between two queries at least.
        limit: seconds that a scrape waits for the query.
        monotonic: the monotonic clock.
    """

    def __init__(
        self,
        metrics: Metrics,
        read: Callable[[], Facts],
        *,
        keep: float = KEEP_SECONDS,
        limit: float = QUERY_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._read = read
        self._keep = keep
        self._limit = limit
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._query: threading.Thread | None = None

    def text(self) -> bytes:
        """Give the exposition in Prometheus's text format."""
        query = self._begin()
        if query is not None:
            query.join(self._limit)
        return self._metrics.text()

    def _begin(self) -> threading.Thread | None:
        """Return the query to wait for; None while the facts are new enough."""
        with self._lock:
            if self._query is not None and self._query.is_alive():
                return self._query
            now = self._monotonic()
            if self._asked_at is not None and now - self._asked_at < self._keep:
                return None
            self._asked_at = now
            self._query = threading.Thread(target=self._update, name="metrics", daemon=True)
            try:
                self._query.start()
            except RuntimeError:  # no thread is available; the last facts are served
                self._query = None
            return self._query

    def _update(self) -> None:
        try:
            self._metrics.set_facts(self._read())
        except SyncError:
            pass  # the next run reports it
        except Exception as error:  # noqa: BLE001 - else the thread would print a traceback
            get_logger().warning("metrics_not_updated", reason=type(error).__name__)
