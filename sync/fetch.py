"""The only home of httpx: ask the endpoint one question, and judge the answer.

httpx gives no limit on a body's size nor on a request's whole time, follows no rule about a body that says 455 under HTTP
200, and would send the key to a proxy named in the environment. All of that is decided here. The requests are asynchronous
for one reason: only then can a deadline or a stop cut off a server that drips one byte a second.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
import time
import zlib
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from sync.errors import BadAnswer, ConfigurationError, DeadlineExceeded, Deferred, Interrupted, SyncError, Unreachable
from sync.judge import MAINTENANCE, OK, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sync.decode import Envelope
    from sync.settings import Settings

T = TypeVar("T")
AGENT = "crun-template-sync"
PATH = "/api/v1/client/job/bytedance-templates"

WIRE_LIMIT = 32 * 2**20
"""Bytes of one body as sent. 50 documented records take about 50 KB."""
BODY_LIMIT = 32 * 2**20
"""Bytes of one body after decompression: 264 bytes of gzip in gzip can claim a gigabyte."""
RUN_LIMIT = 512 * 2**20
"""Bytes of all bodies of one run after decompression."""
VALUES_LIMIT = 16_000_000
"""Values in all bodies of one run, about: a body that is all brackets takes twenty times its size when it is read."""
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. Times in seconds."""

    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_asked: float = 60.0  # a Retry-After above this ends the run as deferred: waiting it out would hold the lease
    request: float = 60.0
    connect: float = 10.0
    read: float = 20.0


@dataclass(slots=True)
class Tally:
    """What a run's requests came to. `by_code` counts answers by their worse code, 0 being no answer at all.

    `date` is the server's clock, as its last answer told it.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    by_code: Counter[int] = field(default_factory=Counter)
    date: str | None = None


class Pace:
    """At most `rate` requests begin in any second, all of them together; 0 means no limit."""

    def __init__(self, rate: float) -> None:
        self._burst = max(1, int(rate))
        self._window = self._burst / rate * 1.02 if rate else 0.0  # 2 % more: the network shifts arrivals
        self._begun: deque[float] = deque(maxlen=self._burst)
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Wait for this request's turn. What counts is when it really began: a busy moment may have kept it waiting longer."""
        if not self._window:
            return
        now = asyncio.get_running_loop().time
        async with self._turn:
            if len(self._begun) == self._burst:
                await asyncio.sleep(self._begun[0] + self._window - now())
            self._begun.append(now())


class Endpoint:
    """The template endpoint, seen from plain synchronous code. Use as a context manager; one per run.

    Args:
        settings: the origin, pace, deadline, proxy and trust.
        key: the API key, sent in one header to the configured origin, and nowhere else.
        patience: how long to try.
        chance: a source of numbers from 0 to 1, for jitter.
    """

    def __init__(
        self, settings: Settings, key: str, *, patience: Patience | None = None, chance: Callable[[], float] = random.random
    ) -> None:
        self.tally = Tally()
        self.patience = patience or Patience()
        self._chance = chance
        self._url = settings.base_url + PATH
        self._pace = Pace(settings.rate)
        self._ends = time.monotonic() + settings.deadline
        self._deadline = settings.deadline
        self._key = key.encode()
        self._headers = {"x-api-key": key, "accept": "application/json", "accept-encoding": "gzip", "user-agent": AGENT}
        self._timeout = httpx.Timeout(self.patience.read, connect=self.patience.connect, pool=None)
        # The transport without httpx's client around it. The client would keep cookies; would send the key to a proxy that the
        # environment names; would raise at a redirect to an odd place even where it does not follow it; and would, if it
        # followed, send x-api-key to the other host.
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency),
            verify=_trust(settings),
            proxy=settings.proxy,
            trust_env=False,
        )
        self._checked = "SYNC_PROXY" if settings.proxy else "CRUN_BASE_URL"
        self._taken = Counter[str]()
        self._runner = asyncio.Runner()
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._transport.aclose())
        self._runner.close()

    def run(self, questions: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that asks questions, inside the run's deadline.

        Raises:
            DeadlineExceeded: the run's whole time is over.
            Interrupted: `interrupt` was called.
        """
        return self._runner.run(self._bounded(questions))

    def interrupt(self) -> None:
        """Give up whatever is being asked. Safe from any thread and from a signal handler; stays in force."""
        self._interrupted = True
        task = self._task
        if task is not None:
            with suppress(RuntimeError):  # it has just ended, and its loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)

    async def _bounded(self, questions: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        try:
            if self._interrupted:
                questions.close()
                raise asyncio.CancelledError
            async with asyncio.timeout(max(0.0, self._ends - time.monotonic())):
                return await questions
        except TimeoutError:
            raise DeadlineExceeded(
                f"The run took longer than SYNC_DEADLINE ({self._deadline:g} s); nothing was applied.",
                hint="If the server is merely slow, raise SYNC_DEADLINE or SYNC_CONCURRENCY.",
            ) from None
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            raise Interrupted("Stopped before anything was applied, as asked.") from None
        finally:
            self._task = None

    async def ask(self, **question: str | int) -> Envelope:
        """Ask until there is a good answer, or no point in asking again.

        Args:
            question: `page` and `page_size`, or `template_id`.

        Raises:
            Deferred: 455, or 429 past its attempts, or a Retry-After too long to wait out, or longer than the run has left.
            Unreachable: the network or the server failed at every attempt.
            BadAnswer: it made no sense, or was a 404 or 422.
            Refused: 401, 402, 403 or 505.
        """
        for attempt in itertools.count(1):
            await self._pace.wait()
            self.tally.requests += 1
            try:
                envelope = await self._once(question)
            except SyncError as error:
                pause = self._pause(error, attempt)
                if pause is None or time.monotonic() + pause >= self._ends:
                    raise
                self.tally.retries += 1
                await asyncio.sleep(pause)
            else:
                return envelope
        raise AssertionError  # the loop has no end of its own

    def _pause(self, error: SyncError, attempt: int) -> float | None:
        """Seconds to wait before asking again; None when there is no point."""
        cut_short = isinstance(error, BadAnswer) and error.code == "not-json"  # a body may break off; twice is a coincidence
        if attempt >= (3 if cut_short else self.patience.attempts):
            return None
        if isinstance(error, Deferred):
            if error.code == str(MAINTENANCE) or (error.after or 0) > self.patience.longest_asked:
                return None
            if error.after is not None:
                return error.after + self._chance()
        elif not (isinstance(error, Unreachable) or cut_short):
            return None
        backoff = min(self.patience.longest_pause, self.patience.first_pause * 2 ** (attempt - 1))
        return float(backoff * (0.5 + self._chance()))

    async def _once(self, question: dict[str, str | int]) -> Envelope:
        request = httpx.Request(
            "GET", self._url, params=question, headers=self._headers, extensions={"timeout": self._timeout.as_dict()}
        )
        try:
            async with asyncio.timeout(self.patience.request):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await self._read_or_skip(response)
                finally:
                    await response.aclose()
        except (httpx.TransportError, OSError, UnicodeError) as failure:  # damaged TLS is an OSError, an absurd name the last
            self.tally.by_code[0] += 1
            raise Unreachable(
                f"{httpx.URL(self._url).host} could not be reached: {_why(failure)}.",
                hint=f"Check the network and {self._checked}; `template-sync doctor` tests each step.",
            ) from failure
        self._account_for(body)
        # A server may quote the key in a message or a record, and both are stored, shown, and told to the dead-man's switch.
        return self._judge(response, body.replace(self._key, b"[secret]"))

    async def _read_or_skip(self, response: httpx.Response) -> bytes:
        """Read the body. If it cannot be read, but the status alone says that something is wrong, the status is enough."""
        try:
            return await self._read(response)
        except SyncError:
            if response.status_code == OK:
                raise
            return b""

    def _account_for(self, body: bytes) -> None:
        self._taken["bytes"] += len(body)
        self._taken["values"] += body.count(b",") + body.count(b"[") + body.count(b"{")
        if self._taken["bytes"] > RUN_LIMIT or self._taken["values"] > VALUES_LIMIT:
            raise BadAnswer("The answers of this run together are larger than any catalog.", code="too-large")

    async def _read(self, response: httpx.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"gzip", "identity", ""}:
            raise BadAnswer("The answer is compressed in a way that was not asked for.", code="encoding")
        unzip = zlib.decompressobj(31) if encoding == "gzip" else None
        body = bytearray()
        wire = 0
        async for chunk in response.aiter_raw():
            wire += len(chunk)
            self.tally.bytes += len(chunk)
            if unzip and unzip.eof:
                raise BadAnswer("Something follows the end of the compressed answer.", code="encoding")
            pending: bytes = chunk
            while pending:
                try:
                    body += unzip.decompress(pending, _CHUNK) if unzip else pending
                except zlib.error:
                    raise Unreachable("The answer's compression was damaged on the way.", code="gzip") from None
                pending = unzip.unconsumed_tail if unzip else b""
                if wire > WIRE_LIMIT or len(body) > BODY_LIMIT:
                    raise BadAnswer(f"The answer is larger than {BODY_LIMIT // 2**20} MiB.", code="too-large")
        if unzip and not unzip.eof:
            raise Unreachable("The answer broke off in the middle.", code="gzip")
        return bytes(body)

    def _judge(self, response: httpx.Response, body: bytes) -> Envelope:
        self.tally.date = response.headers.get("date")
        code, judged = judge(response.status_code, response.headers, body, datetime.now(UTC))
        self.tally.by_code[code] += 1
        if isinstance(judged, SyncError):
            raise judged
        return judged


def _why(failure: Exception) -> str:
    """Say a transport failure in plain words. httpx's own text is left out: it may quote what was sent."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "no connection within the time allowed"),
        (httpx.TimeoutException, "no answer within the time allowed"),
        (TimeoutError, "no complete answer within the time allowed"),
        (httpx.ProxyError, "the proxy refused"),
        (httpx.RemoteProtocolError, "the connection broke off in the middle of an answer"),
        (httpx.ReadError, "the connection broke off"),
        (httpx.WriteError, "the connection broke off"),
    )
    for kind, words in kinds:
        if isinstance(failure, kind):
            return words
    text = str(failure).lower()
    if "certificate" in text:
        return "its TLS certificate could not be verified"
    if "ssl" in text:
        return "it does not speak TLS as it should"
    if "name or service" in text or "getaddrinfo" in text or "name resolution" in text or "nodename" in text:
        return "its name does not resolve"
    return "the connection was refused" if isinstance(failure, httpx.ConnectError) else "the connection failed"


def _trust(settings: Settings) -> ssl.SSLContext:
    if settings.base_url.startswith("http://") and not settings.proxy:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loopback: loading the authorities would cost 30 ms for nothing
    return authorities(settings.ca_bundle)


@lru_cache(maxsize=1)
def authorities(ca_bundle: str | None) -> ssl.SSLContext:
    """Load the authorities to trust, once per process: it takes 30 ms, and doing it for every run fragments the memory."""
    import certifi

    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except (OSError, ssl.SSLError):
        raise ConfigurationError([f"SYNC_CA_BUNDLE: {ca_bundle} holds no certificates that can be used."]) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
