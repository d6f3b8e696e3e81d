"""The template endpoint: several questions at once, within the run's deadline, and cancelled at once when asked."""

from __future__ import annotations

import random as randomness
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from sync.catalog.run_record import BY_CODE
from sync.client.network import Network, Timeouts
from sync.client.params import RequestStatistics
from sync.client.retry_after import REQUESTS
from sync.client.worker import RateLimiter, RequestContext, Worker
from sync.config.addresses import origin_of
from sync.config.redaction import Redactor
from sync.errors import DeadlineExceeded, Interrupted, SyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sync.client.envelope import Envelope
    from sync.client.params import Params, ResponseRecorder
    from sync.client.worker import Completed
    from sync.config.settings import Settings
    from sync.retry_policy import RetryPolicy

AGENT = "crun-template-sync"
PATH = "/api/v1/client/job/bytedance-templates"
_CLOSE_TIMEOUT = 1.0
"""Seconds to wait for all threads at the end."""


class HttpApiClient:
    """The template endpoint. Use as a context manager; one per run. Used by one thread, but for `interrupt`.

    Args:
        settings: the origin, rate, deadline, proxy and certificate authorities.
        key: the API key, sent in one header to the configured origin, and nowhere else.
        retry_policy: how to retry.
        timeouts: of each request.
        random: a source of numbers from 0 to 1, for jitter.
        recording: keeps every answer, if it is to be kept.

    Raises:
        ConfigurationError: SYNC_CA_BUNDLE cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        key: str,
        *,
        retry_policy: RetryPolicy = REQUESTS,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - it is immutable
        random: Callable[[], float] = randomness.random,
        recording: ResponseRecorder | None = None,
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
            recording=recording,
        )
        self._answered: SimpleQueue[Completed | None] = SimpleQueue()
        self._all = [Worker(self._context, self._answered)]
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
        """Ask one question, until there is a good answer or no point in asking again.

        Raises:
            Deferred: 455, or 429 past its attempts, or a Retry-After too long to wait out, or longer than the run has left.
            Unreachable: the network or the server failed at every attempt.
            InvalidResponse: it made no sense, or was a 404 or 422.
            AccessDenied: 401, 402, 403 or 505.
            DeadlineExceeded: the run's whole time is over.
            Interrupted: `interrupt` was called.
        """
        for _question, answer in self.get_many([params], 1):
            if isinstance(answer, SyncError):
                raise answer
            return answer
        raise AssertionError  # one question has one answer

    def get_many(self, requests: Iterable[Params], workers: int) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Ask questions, so many at once, and give each with its answer as that comes.

        The next question is drawn only when a worker is free. Closing the iterator cancels the requests in flight.

        Raises:
            DeadlineExceeded: the run's whole time is over.
            Interrupted: `interrupt` was called.
        """
        waiting = iter(requests)
        busy: set[Worker] = set()
        try:
            while True:
                while len(busy) < workers and (params := next(waiting, None)) is not None:
                    self.check_deadline()
                    worker = self._idle.pop() if self._idle else self._another()
                    busy.add(worker)
                    worker.start(params)
                if not busy:
                    return
                worker, params, answer = self._next_answer(busy)
                busy.discard(worker)
                self._idle.append(worker)
                if isinstance(answer, BaseException) and not isinstance(answer, SyncError):
                    raise answer
                yield params, answer
        finally:
            for worker in busy:
                worker.cancel()

    def check_deadline(self) -> None:
        """Refuse to go on where the run's whole time is over, or it was asked to stop.

        Raises:
            DeadlineExceeded: the run's whole time is over.
            Interrupted: `interrupt` was called.
        """
        if self._interrupted:
            raise Interrupted("The run was stopped before anything was applied.")
        if time.monotonic() >= self._context.ends:
            raise DeadlineExceeded(
                f"The run exceeded SYNC_DEADLINE ({self._deadline:g} s); nothing was applied.",
                hint=BY_CODE["deadline"].action,
            )

    def interrupt(self) -> None:
        """Cancel the requests in flight. Safe from any thread and from a signal handler; stays in force."""
        self._interrupted = True
        self._answered.put(None)

    def redact(self, value: Any) -> Any:
        """Hide the key in a decoded value: a server may quote it in any spelling, and records are stored."""
        return self._redactor.value(value)

    def _next_answer(self, busy: set[Worker]) -> Completed:
        """Wait for an answer, until the run's whole time is over."""
        while True:
            self.check_deadline()
            try:
                found = self._answered.get(timeout=max(0.0, self._context.ends - time.monotonic()))
            except Empty:
                continue
            if found is not None and found[0] in busy:  # what was cancelled may answer after all
                self.check_deadline()
                return found

    def _another(self) -> Worker:
        worker = Worker(self._context, self._answered)
        self._all.append(worker)
        return worker
