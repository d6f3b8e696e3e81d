"""Workers of the API client: each sends one request at a time in a thread, with retries, under a shared rate limit."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from sync.client.http import Connection
from sync.client.network import TransportFailure
from sync.client.response import BODY_LIMIT, NEEDS_BODY, OK, classify_response, decompress
from sync.errors import Deferred, Interrupted, InvalidResponse, SyncError, Unreachable
from sync.retry_policy import is_exhausted, wait_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.client.http import Response
    from sync.client.network import Network, Timeouts
    from sync.client.response import Envelope
    from sync.config.redaction import Redactor
    from sync.retry_policy import RetryPolicy

RUN_LIMIT = 8 * 2**30
"""Bytes of all bodies of one run after decompression; a million records take one gigabyte."""
Params = dict[str, str | int]
"""`page` and `page_size`, or `template_id`."""
Completed = tuple["Worker", Params, "Envelope | BaseException"]


@dataclass(slots=True)
class RequestStatistics:
    """Sums over the requests of a run. Safe from any thread.

    Attributes:
        bytes: size of all bodies as transferred.
        decompressed: size of all bodies after decompression.
        by_code: number of responses by code, the worse of HTTP status and body code; 0: no response.
        date: the Date header of the last response.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    decompressed: int = 0
    by_code: Counter[int] = field(default_factory=Counter)
    date: str | None = None
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def count(self, *, requests: int = 0, retries: int = 0, received: int = 0, decompressed: int = 0) -> None:
        """Add to the sums."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.bytes += received
            self.decompressed += decompressed

    def count_code(self, code: int) -> None:
        """Count one response by its code."""
        with self._lock:
            self.by_code[code] += 1


class RateLimiter:
    """Limits the start of requests of all threads to `rate` per second; 0 means no limit."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = max(1, int(rate))
        self._window = self._burst / rate * 1.02 if rate else 0.0  # 2 % more, because the network shifts arrivals
        self._begun: deque[float] = deque(maxlen=self._burst)
        self._turn = Lock()
        self._clock = clock

    def wait(self, sleep: Callable[[float], object]) -> None:
        """Wait until another request may start."""
        if not self._window:
            return
        with self._turn:
            if len(self._begun) == self._burst:
                pause = self._begun[0] + self._window - self._clock()
                if pause > 0:
                    sleep(pause)
            self._begun.append(self._clock())


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What all workers of a client share.

    Attributes:
        url: the endpoint without a query string.
        headers: headers of every request, one of which is the key.
        ends: deadline of the run, on the monotonic clock.
        redact: removes the key from a body, because messages and records are stored.
        record: called with the parameters, the start, and the response or the failure of each request; None for no recording.
    """

    url: str
    headers: list[tuple[bytes, bytes]]
    network: Network
    timeouts: Timeouts
    ends: float
    retry_policy: RetryPolicy
    rate_limiter: RateLimiter
    statistics: RequestStatistics
    random: Callable[[], float]
    redact: Redactor
    record: Callable[[Params, float, Response | None, TransportFailure | None], None] | None = None


class Worker:
    """Sends requests over a persistent connection, in one thread. Results go into a queue, with the worker and the parameters."""

    def __init__(self, context: RequestContext, results: SimpleQueue[Completed | None]) -> None:
        self._context = context
        self._results = results
        self._requests: SimpleQueue[Params | None] = SimpleQueue()
        self._kept = self._current = Connection(context.url, context.network)
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, params: Params) -> None:
        """Start a request."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="endpoint", daemon=True)
            thread.start()
            self._thread = thread  # only now: a thread that could not be started cannot be joined
        self._requests.put(params)

    def cancel(self) -> None:
        """Cancel the current request and every later attempt. Safe from any thread."""
        self._cancelled.set()
        self._current.cancel()
        self._requests.put(None)

    def close(self, wait: float) -> None:
        """Wait for the thread of a cancelled worker, at most `wait` seconds, and close the connection."""
        if self._thread is not None:
            self._thread.join(wait)
        self._kept.close()

    def _work(self) -> None:
        while (params := self._requests.get()) is not None:
            try:
                result: Envelope | BaseException = self._try(params)
            except BaseException as error:  # noqa: BLE001 - `get_many` raises it in the caller's thread
                result = error
            self._results.put((self, params, result))

    def _try(self, params: Params) -> Envelope:
        """Send a request until it succeeds or the retry policy ends."""
        context, attempt = self._context, 0
        while True:
            attempt += 1
            context.rate_limiter.wait(self._cancelled.wait)
            self._check()
            context.statistics.count(requests=1, retries=int(attempt > 1))
            try:
                return self._once(params)
            except SyncError as error:
                wait = wait_after(error, attempt, context.retry_policy, context.random)
                if isinstance(error, Deferred):
                    error.exhausted = is_exhausted(error, attempt, context.retry_policy)
                if wait is None or time.monotonic() + wait >= context.ends:
                    raise
            self._cancelled.wait(wait)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Interrupted("The run was stopped before anything was applied.")

    def _once(self, params: Params) -> Envelope:
        context, statistics = self._context, self._context.statistics
        began = time.monotonic()
        response: Response | None = None
        try:
            response = self._send(params)
            failure = response.failure
        except TransportFailure as error:
            failure = error
        self._check()  # a request that was cancelled here is not recorded
        if context.record is not None:
            context.record(params, began, response, failure)
        if response is not None:
            statistics.count(received=len(response.body))
        if response is None or (failure is not None and (failure.limit or response.status in NEEDS_BODY)):
            statistics.count_code(0)
            if failure is not None and failure.limit is not None:
                raise failure.limit
            setting = "SYNC_PROXY" if context.network.proxy else "CRUN_BASE_URL"
            raise Unreachable(
                f"{urlsplit(context.url).hostname} could not be reached: {failure}.",
                hint=f"Check the network and {setting}; `template-sync doctor` tests each step.",
            ) from failure
        unpacked, damage = decompress(response.headers.get("content-encoding", ""), response.body)
        if damage is not None and response.status == OK:
            statistics.count_code(OK)
            raise damage
        content = b"" if damage else bytes(unpacked)  # for an error the status is enough
        statistics.count(decompressed=len(content))
        if statistics.decompressed > RUN_LIMIT:
            raise InvalidResponse("The responses of this run together are larger than any catalog.", code="too-large")
        statistics.date = response.headers.get("date")
        now, content = datetime.now(UTC), context.redact.body(content)
        code, result = classify_response(response.status, response.headers, content, now, context.redact.of_a_part)
        statistics.count_code(code)
        if isinstance(result, SyncError):
            raise result
        return result

    def _send(self, params: Params) -> Response:
        context = self._context
        url = f"{context.url}?{urlencode(params, quote_via=quote)}"
        timeouts = context.timeouts.within(max(0.001, context.ends - time.monotonic()))
        if "template_id" not in params:
            return self._kept.request("GET", url, context.headers, timeouts=timeouts, most=_page)
        # A look-up may remove a template, so it has a new connection: no response to an earlier request can be mistaken for its.
        self._current = own = Connection(context.url, context.network)
        self._check()
        try:
            return own.request("GET", url, [*context.headers, (b"connection", b"close")], timeouts=timeouts, most=_page)
        finally:
            self._current = self._kept
            own.close()


def _page(_status: int) -> int:
    return BODY_LIMIT + 1
