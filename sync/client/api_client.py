"""The client of the template endpoint: concurrent requests with retries, a deadline for all of them, and cancellation."""

from __future__ import annotations

import random as randomness
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

from sync.catalog.run_record import BY_CODE
from sync.client.http import Connection
from sync.client.network import Network, RateLimiter, RequestStatistics, Timeouts, TransportFailure
from sync.client.response import BODY_LIMIT, NEEDS_BODY, OK, classify_response, decompress
from sync.config.addresses import origin_of
from sync.config.redaction import Redactor
from sync.errors import DeadlineExceeded, Deferred, Interrupted, InvalidResponse, SyncError, Unreachable
from sync.retry_policy import REQUESTS, is_exhausted, wait_after

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from sync.client.http import Response
    from sync.client.response import Envelope
    from sync.config.settings import Settings
    from sync.retry_policy import RetryPolicy

AGENT = "crun-template-sync"
PATH = "/api/v1/client/job/bytedance-templates"
RUN_LIMIT = 8 * 2**30
"""Bytes of all bodies of one run after decompression; a million records take one gigabyte."""
_CLOSE_TIMEOUT = 1.0
"""Seconds to wait for all threads together."""
Params = dict[str, str | int]
"""`page` and `page_size`, or `template_id`."""


class ApiClient:
    """The client of one run: a context manager, used by one thread; only `interrupt` is safe from any thread.

    Args:
        settings: origin, concurrency, rate limit, deadline, proxy and certificate authorities.
        key: the API key, sent in one header to the configured origin only.
        retry_policy: the retry policy of each request.
        timeouts: the timeouts of each request.
        random: returns numbers from 0 to 1, for jitter.
        record: called with the parameters, the start, and the response or the failure of each request; None for no recording.

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
        self._url = settings.base_url + PATH
        headers = {"x-api-key": key, "accept": "application/json", "accept-encoding": "gzip", "user-agent": AGENT}
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._network = Network.of(settings)
        self._concurrency = settings.concurrency
        self._deadline = settings.deadline
        self._ends = time.monotonic() + settings.deadline
        self._timeouts = timeouts
        self._retry_policy = retry_policy
        self._random = random
        self._rate_limiter = RateLimiter(settings.rate)
        self._redactor = Redactor([key])
        self._record = record
        self._idle = [Connection(self._url, self._network)]
        self._open = set(self._idle)
        self._in_flight: set[Connection] = set()
        self._threads: list[threading.Thread] = []
        self._requests: SimpleQueue[tuple[Params, Connection] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Connection, Envelope | BaseException] | None] = SimpleQueue()
        self._interrupted = False
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for connection in self._open:
            connection.cancel()
        for _thread in self._threads:
            self._requests.put(None)
        gives_up = time.monotonic() + _CLOSE_TIMEOUT
        for thread in self._threads:
            thread.join(max(0.0, gives_up - time.monotonic()))
        for connection in self._open:
            connection.close()

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
        ((_params, result),) = self.get_many([params])
        if isinstance(result, SyncError):
            raise result
        return result

    def get_many(self, requests: Iterable[Params]) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Send requests, at most SYNC_CONCURRENCY at once, and yield each with its envelope or error, in the order of completion.

        The next request is taken from `requests` only when another one has ended. Closing the iterator cancels requests in
        flight. Raise DeadlineExceeded or Interrupted if the run must stop.
        """
        waiting = iter(requests)
        busy: dict[Connection, Params] = {}
        try:
            while True:
                while len(busy) < self._concurrency and (params := next(waiting, None)) is not None:
                    self.check_deadline()
                    connection = self._start(params)
                    busy[connection] = params
                if not busy:
                    return
                connection, result = self._next_result(busy)
                params = busy.pop(connection)
                self._release(params, connection)
                if isinstance(result, BaseException) and not isinstance(result, SyncError):
                    raise result
                yield params, result
        finally:
            for connection in busy:
                connection.cancel()

    def check_deadline(self) -> None:
        """Raise DeadlineExceeded or Interrupted if the run must stop."""
        if self._interrupted:
            raise Interrupted("The run was stopped before anything was applied.")
        if time.monotonic() >= self._ends:
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

    def _start(self, params: Params) -> Connection:
        """Start a request in a thread, which the process can leave behind at its end."""
        # A look-up may remove a template, so it has a new connection: no response to an earlier request can be mistaken for its.
        connection = self._idle.pop() if self._idle and "template_id" not in params else Connection(self._url, self._network)
        self._open.add(connection)
        if len(self._threads) == len(self._in_flight):
            thread = threading.Thread(target=self._work, name="endpoint", daemon=True)
            thread.start()
            self._threads.append(thread)  # only now: a thread that could not be started cannot be joined
        self._in_flight.add(connection)
        self._requests.put((params, connection))
        return connection

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            params, connection = request
            try:
                result: Envelope | BaseException = self._send(params, connection)
            except BaseException as error:  # noqa: BLE001 - `get_many` raises it in the caller's thread
                result = error
            self._results.put((connection, result))

    def _release(self, params: Params, connection: Connection) -> None:
        if "template_id" in params:
            self._open.remove(connection)
            connection.close()
        else:
            self._idle.append(connection)

    def _next_result(self, busy: Collection[Connection]) -> tuple[Connection, Envelope | BaseException]:
        """Wait until one of these requests ends, at most until the deadline."""
        while True:
            self.check_deadline()
            with suppress(Empty):
                found = self._results.get(timeout=max(0.0, self._ends - time.monotonic()))
                if found is None:
                    continue
                self._in_flight.remove(found[0])
                if found[0] in busy:  # a cancelled request ends, too
                    self.check_deadline()
                    return found

    def _send(self, params: Params, connection: Connection) -> Envelope:
        """Send a request until it succeeds or the retry policy ends."""
        attempt = 0
        while True:
            attempt += 1
            self._rate_limiter.wait(self._closed.wait)
            self._check(connection)
            self.statistics.count(requests=1, retries=int(attempt > 1))
            try:
                return self._send_once(params, connection)
            except SyncError as error:
                wait = wait_after(error, attempt, self._retry_policy, self._random)
                if isinstance(error, Deferred):
                    error.exhausted = is_exhausted(error, attempt, self._retry_policy)
                if wait is None or time.monotonic() + wait >= self._ends:
                    raise
            self._closed.wait(wait)

    def _check(self, connection: Connection) -> None:
        if connection.cancelled:
            raise Interrupted("The run was stopped before anything was applied.")

    def _send_once(self, params: Params, connection: Connection) -> Envelope:
        began, query = time.monotonic(), f"?{urlencode(params, quote_via=quote)}".encode()
        headers = [*self._headers, *([(b"connection", b"close")] if "template_id" in params else ())]
        timeouts = self._timeouts.within(max(0.001, self._ends - began))
        response, failure = None, None
        try:
            response = connection.request("GET", headers, query=query, timeouts=timeouts, most=lambda _status: BODY_LIMIT + 1)
            failure = response.failure
        except TransportFailure as error:
            failure = error
        self._check(connection)  # a request that was cancelled here is not recorded
        if self._record is not None:
            self._record(params, began, response, failure)
        if response is not None:
            self.statistics.count(received=len(response.body))
        if response is None or (failure is not None and (failure.limit or response.status in NEEDS_BODY)):
            self.statistics.count(code=0)
            raise self._unreachable(failure) from failure
        return self._read(response)

    def _unreachable(self, failure: TransportFailure | None) -> SyncError:
        if failure is not None and failure.limit is not None:
            return failure.limit
        setting = "SYNC_PROXY" if self._network.proxy else "CRUN_BASE_URL"
        return Unreachable(
            f"{urlsplit(self._url).hostname} could not be reached: {failure}.",
            hint=f"Check the network and {setting}; `template-sync doctor` tests each step.",
        )

    def _read(self, response: Response) -> Envelope:
        """Return the envelope of a response, or raise the error that it reports."""
        unpacked, damage = decompress(response.headers.get("content-encoding", ""), response.body)
        if damage is not None and response.status == OK:
            self.statistics.count(code=OK)
            raise damage
        content = b"" if damage else bytes(unpacked)  # for an error the status is enough
        self.statistics.count(decompressed=len(content))
        if self.statistics.decompressed > RUN_LIMIT:
            raise InvalidResponse("The responses of this run together are larger than any catalog.", code="too-large")
        self.statistics.date = response.headers.get("date")
        now, content = datetime.now(UTC), self._redactor.body(content)
        code, result = classify_response(response.status, response.headers, content, now, self._redactor.of_a_part)
        self.statistics.count(code=code)
        if isinstance(result, SyncError):
            raise result
        return result
