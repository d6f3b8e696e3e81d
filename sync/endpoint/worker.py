"""One thread that asks questions over a connection of its own, and can be cut off at any moment.

Timeouts are for each read, so a server that drips one byte a second would keep a request for ever; here the socket is shut down
when the time is over, which wakes whatever waits on it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx

from sync.endpoint.body import read_body
from sync.endpoint.body_codes import OK, judge_answer
from sync.endpoint.direct import Direct
from sync.endpoint.transport_failure import in_plain_words
from sync.errors import BadAnswer, Deferred, Interrupted, SyncError, Unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sync.endpoint.envelope import Envelope
    from sync.endpoint.questions import Question
    from sync.endpoint.rate_limit import RateLimiter
    from sync.endpoint.recording import Recording
    from sync.endpoint.retry_after import RetryPolicy
    from sync.endpoint.statistics import RequestStatistics
    from sync.redaction import Redactor

RUN_LIMIT = 8 * 2**30
"""Bytes of all bodies of one run after decompression; a million documented records take one gigabyte."""


@dataclass(frozen=True, slots=True)
class Line:
    """What all workers of an endpoint share.

    Attributes:
        url: of the endpoint, without a query.
        headers: of every request; the key is one of them, and is sent nowhere else.
        trust: the certificate authorities.
        proxy: the URL of a proxy, if there is one.
        blamed: the setting to check when nothing answers.
        ends: the monotonic moment at which the run's whole time is over.
        redact: hides the key in a body: a server may quote it in a message or a record, and both are stored.
        recording: keeps every answer, if it is to be kept.
    """

    url: httpx.URL
    headers: httpx.Headers
    trust: ssl.SSLContext
    proxy: str | None
    blamed: str
    ends: float
    retry_policy: RetryPolicy
    rate_limiter: RateLimiter
    statistics: RequestStatistics
    random: Callable[[], float]
    redact: Redactor
    recording: Recording | None = None


class Worker:
    """Asks one question at a time, again as the retry policy says. Its answers go into a queue: (worker, question, answer)."""

    def __init__(self, line: Line, answered: SimpleQueue[Any]) -> None:
        self._line = line
        self._answered = answered
        self._asked: SimpleQueue[Question | None] = SimpleQueue()
        self._socket: socket.socket | None = None
        self._cut = threading.Event()
        self._late = False
        self.request_ends: float | None = None
        # A transport without httpx's client around it. The client would keep cookies; would send the key to a proxy that the
        # environment names; would raise at a redirect to an odd place even where it does not follow it; and would, if it
        # followed, send x-api-key to the other host.
        self._transport = _transport(line, self._opened, self._cut.is_set)
        self._thread = threading.Thread(target=self._work, name="endpoint", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> None:
        """Begin to ask."""
        self._asked.put(question)

    def close(self, wait: float = 0.0) -> None:
        """End the thread once it is idle, and its connection; wait for that at most so many seconds."""
        self._asked.put(None)
        self._thread.join(wait)

    def cut(self) -> None:
        """Give up at once, now and in every later attempt. Who still connects or asks the DNS cannot be woken, and ends later."""
        self._cut.set()
        self._shut_down()

    def cut_late_request(self, now: float) -> None:
        """Cut the request under way off if its time is over; it may be tried again."""
        if self.request_ends is not None and now > self.request_ends:
            self._late = True
            self._shut_down()

    def _shut_down(self) -> None:
        if (waiting := self._socket) is not None:
            with suppress(OSError):  # it may be closed already
                # Not SSLSocket's own, which first takes the TLS object from under the thread that reads with it.
                socket.socket.shutdown(waiting, socket.SHUT_RDWR)

    def _work(self) -> None:
        try:
            while (question := self._asked.get()) is not None:
                try:
                    answer: Envelope | BaseException = self._try(question)
                except BaseException as error:  # noqa: BLE001 - it is raised again where the question came from
                    answer = error
                self._answered.put((self, question, answer))
        finally:
            self._transport.close()

    def _try(self, question: Question) -> Envelope:
        """Ask until there is a good answer, or no point in asking again."""
        line = self._line
        for attempt in count(1):
            line.rate_limiter.wait(self._cut.wait)
            if self._cut.is_set():
                raise Interrupted("Stopped before anything was applied, as asked.")
            line.statistics.count(requests=1)
            try:
                return self._once(question)
            except SyncError as error:
                pause = line.retry_policy.pause(error, attempt, line.random)
                if isinstance(error, Deferred):
                    error.exhausted = line.retry_policy.is_exhausted(error, attempt)
                if pause is None or time.monotonic() + pause >= line.ends:
                    raise
                line.statistics.count(retries=1)
            self._cut.wait(pause)
        raise AssertionError  # the loop has no end of its own

    def _once(self, question: Question) -> Envelope:
        line, policy = self._line, self._line.retry_policy
        headers = line.headers
        if "template_id" in question:
            # What a look-up says may remove a template: an answer left over from another request on a kept connection must
            # not be taken for it. So each has a connection of its own.
            headers = httpx.Headers([*headers.raw, (b"connection", b"close")])
            self._transport.close()
        left = max(0.001, line.ends - time.monotonic())
        connect, read = min(policy.connect, left), min(policy.read, left)
        timeout = {"connect": connect, "read": read, "write": read, "pool": None}
        self._late, self.request_ends = False, time.monotonic() + policy.request
        try:
            # The target as an extension: putting it into the URL has httpx look at the whole of it twice, 25 µs for each page.
            target = line.url.raw_path + b"?" + urlencode(question, quote_via=quote).encode()
            request = httpx.Request("GET", line.url, headers=headers, extensions={"timeout": timeout, "target": target})
            response = self._transport.handle_request(request)
            try:
                body = self._read_or_skip(response)
            finally:
                response.close()
        except (httpx.TransportError, OSError, UnicodeError) as failure:  # damaged TLS is an OSError, an absurd name the last
            line.statistics.answered(0)
            why = in_plain_words(TimeoutError() if self._late else failure)
            raise Unreachable(
                f"{line.url.host} could not be reached: {why}.",
                hint=f"Check the network and {line.blamed}; `template-sync doctor` tests each step.",
            ) from failure
        finally:
            self.request_ends = None
        line.statistics.count(decompressed=len(body))
        if line.statistics.decompressed > RUN_LIMIT:
            raise BadAnswer("The answers of this run together are larger than any catalog.", code="too-large")
        line.statistics.date = response.headers.get("date")
        now, body = datetime.now(UTC), line.redact.body(body)
        code, judged = judge_answer(response.status_code, response.headers, body, now, line.redact.of_a_part)
        line.statistics.answered(code)
        if isinstance(judged, SyncError):
            raise judged
        return judged

    def _read_or_skip(self, response: httpx.Response) -> bytes:
        """Read the body. If it cannot be read, but the status alone says that something is wrong, the status is enough."""
        statistics = self._line.statistics
        try:
            stream = response.stream
            assert isinstance(stream, httpx.SyncByteStream)  # noqa: S101 - of a transport that is not asynchronous
            return read_body(response.headers, stream, lambda size: statistics.count(received=size))
        except SyncError:
            if response.status_code == OK:
                raise
            return b""

    def _opened(self, connection: socket.socket) -> None:
        """Learn the connection's socket; TLS puts another one in the place of the first.

        Raises:
            TimeoutError: the request was cut meanwhile.
        """
        self._socket = connection
        if self._cut.is_set() or self._late:
            raise TimeoutError


def _transport(line: Line, opened: Callable[[socket.socket], None], given_up: Callable[[], bool]) -> httpx.BaseTransport:
    transport: httpx.BaseTransport
    if line.proxy is None:
        transport = Direct(line.trust, opened)
    else:
        from sync.endpoint.proxied import Proxied

        transport = Proxied(line.trust, opened, line.proxy)
    if line.recording is None:
        return transport
    from sync.endpoint.recording import Recorded

    return Recorded(transport, line.recording, given_up)
