"""Metrics at the time of a scrape: facts are read from the database, since another process may have made the last run."""

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
"""Seconds for which facts are served before the database is queried again, so that several scrapers cost one query."""

QUERY_LIMIT = 3.0
"""Maximum wait of a scrape for the database, in seconds; less than the timeout of a request."""


class Scrape:
    """Read the facts from the database, then return the metrics; while the database does not answer, the last facts are served.

    Args:
        metrics: the metrics.
        read: queries the database, in a thread of its own, one at a time.
        keep: minimum seconds between two queries.
        limit: maximum wait for the query, in seconds.
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
        """Return the metrics in Prometheus's text format."""
        query = self._begin()
        if query is not None:
            query.join(self._limit)
        return self._metrics.text()

    def _begin(self) -> threading.Thread | None:
        """Return the query to wait for; None while the facts are recent."""
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
        except Exception as error:  # noqa: BLE001 - otherwise the thread prints a traceback
            get_logger().warning("metrics_not_updated", reason=type(error).__name__)
