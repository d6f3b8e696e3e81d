"""The client of the template endpoint: concurrent requests with retries, a deadline for all of them, and cancellation."""

from __future__ import annotations

import random as randomness
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from sync.catalog.run_record import BY_CODE
from sync.client.network import Network, Timeouts
from sync.client.worker import RateLimiter, RequestContext, RequestStatistics, Worker
from sync.config.addresses import origin_of
from sync.config.redaction import Redactor
from sync.errors import DeadlineExceeded, Interrupted, SyncError
from sync.retry_policy import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sync.client.http import Response
    from sync.client.network import TransportFailure
    from sync.client.response import Envelope
    from sync.client.worker import Completed, Params
    from sync.config.options import Settings
    from sync.retry_policy import RetryPolicy

AGENT = "crun-template-sync"
PATH = "/api/v1/client/job/bytedance-templates"
_CLOSE_TIMEOUT = 1.0
"""Seconds to wait for all threads together."""


class ApiClient:
    """The client of one run: a context manager, used by one thread; only `interrupt` is safe from any thread.

    Args:
        settings: origin, rate limit, deadline, proxy and certificate authorities.
        key: the API key, sent in one header to the configured origin only.
        retry_policy: the retry policy of each request.
        timeouts: the timeouts of each request.
        random: returns numbers from 0 to 1, for jitter.
        record: called with every response, see `RequestContext`; None for no recording.

    Raises:
        ConfigurationError: SYNC_CA_BUNDLE has no usable certificates.
    """

    def __init__(
        self,
        settings: Settings,
        key: str,
        *,
        retry_policy: RetryPolicy = REQUESTS,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - it is immutable
        random: Callable[[], float] = randomness.random,
        record: Callable[[Params, float, Response | None, TransportFailure | None], None] | None = None,
    ) -> None:
        self.statistics = RequestStatistics()
        self.origin = origin_of(settings.base_url)
        self._redactor = Redactor([key])
        self._deadline = settings.deadline
        headers = {"x-api-key": key, "accept": "application/json", "accept-encoding": "gzip", "user-agent": AGENT}
        self._context = RequestContext(
            url=settings.base_url + PATH,
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            network=Network.of(settings),
            timeouts=timeouts,
            ends=time.monotonic() + settings.deadline,
            retry_policy=retry_policy,
            rate_limiter=RateLimiter(settings.rate),
            statistics=self.statistics,
            random=random,
            redact=self._redactor,
            record=record,
        )
        self._results: SimpleQueue[Completed | None] = SimpleQueue()
        self._all = [Worker(self._context, self._results)]
        self._idle = list(self._all)
        self._interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.cancel()
        gives_up = time.monotonic() + _CLOSE_TIMEOUT
        for worker in self._all:
            worker.close(wait=max(0.0, gives_up - time.monotonic()))

    def get(self, params: Params) -> Envelope:
        """Send one request, with retries, and return its envelope.

        Raises:
            Deferred: 455, or 429 after all attempts, or a Retry-After over the limit or after the deadline.
            Unreachable: the network or the server failed at every attempt.
            InvalidResponse: the response is invalid, or a 404 or 422.
            AccessDenied: 401, 402, 403 or 505.
            DeadlineExceeded: SYNC_DEADLINE was exceeded.
            Interrupted: `interrupt` was called.
        """
        ((_params, result),) = self.get_many([params], 1)
        if isinstance(result, SyncError):
            raise result
        return result

    def get_many(self, requests: Iterable[Params], workers: int) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Send requests, at most `workers` at once, and yield each with its envelope or error, in the order of completion.

        The next request is taken from `requests` only when a worker is free. Closing the iterator cancels requests in flight.
        Raise DeadlineExceeded or Interrupted if the run must stop.
        """
        waiting = iter(requests)
        busy: set[Worker] = set()
        try:
            while True:
                while len(busy) < workers and (params := next(waiting, None)) is not None:
                    self.check_deadline()
                    if not self._idle:
                        self._idle.append(Worker(self._context, self._results))
                        self._all.append(self._idle[0])
                    worker = self._idle.pop()
                    busy.add(worker)
                    worker.start(params)
                if not busy:
                    return
                worker, params, result = self._next_result(busy)
                busy.discard(worker)
                self._idle.append(worker)
                if isinstance(result, BaseException) and not isinstance(result, SyncError):
                    raise result
                yield params, result
        finally:
            for worker in busy:
                worker.cancel()

    def check_deadline(self) -> None:
        """Raise DeadlineExceeded or Interrupted if the run must stop."""
        if self._interrupted:
            raise Interrupted("The run was stopped before anything was applied.")
        if time.monotonic() >= self._context.ends:
            raise DeadlineExceeded(
                f"The run exceeded SYNC_DEADLINE ({self._deadline:g} s); nothing was applied.",
                hint=BY_CODE["deadline"].action,
            )

    def interrupt(self) -> None:
        """Cancel the requests in flight and all later ones. Safe from any thread and from a signal handler."""
        self._interrupted = True
        self._results.put(None)

    def redact(self, value: Any) -> Any:
        """Remove the key from a decoded value, because a server may echo it and records are stored."""
        return self._redactor.value(value)

    def _next_result(self, busy: set[Worker]) -> Completed:
        """Wait for a result of one of these workers, at most until the deadline."""
        while True:
            self.check_deadline()
            try:
                found = self._results.get(timeout=max(0.0, self._context.ends - time.monotonic()))
            except Empty:
                continue
            if found is not None and found[0] in busy:  # a cancelled worker may still report a result
                self.check_deadline()
                return found
