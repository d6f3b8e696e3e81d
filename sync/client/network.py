"""What requests share: proxy, trusted certificate authorities, timeouts, failures; in a run also counts and the rate limit."""

from __future__ import annotations

import ssl
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, Self

from sync.config.resource_limits import resource_error
from sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.config.settings import Settings
    from sync.errors import ResourcesExhausted


@dataclass(frozen=True, slots=True)
class Network:
    """The settings of every outbound request.

    Attributes:
        ca_bundle: file of certificate authorities that replaces the built-in ones.
        proxy: URL of a proxy; requests to loopback do not use it.
    """

    ca_bundle: str | None = None
    proxy: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Select them from all settings."""
        return cls(settings.ca_bundle, settings.proxy)

    def proxy_for(self, host: str) -> str | None:
        """Return the proxy for requests to a host; None for loopback."""
        try:
            loopback = ip_address(host).is_loopback
        except ValueError:
            loopback = host.lower() == "localhost"
        return None if loopback else self.proxy


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for the whole of a request, for each attempt to connect, and for each read."""

    request: float = 60.0
    connect: float = 10.0
    read: float = 20.0

    def within(self, limit: float) -> Timeouts:
        """Return these timeouts, each limited to `limit`."""
        return Timeouts(*(min(each, limit) for each in (self.request, self.connect, self.read)))


class TransportFailure(Exception):
    """There is no complete response. The text is one phrase, without anything that was sent or received.

    Attributes:
        timed_out: whether a timeout or the deadline caused it.
        limit: the error to report if a limit of this process caused it; None for any other cause.
    """

    def __init__(self, why: str, *, timed_out: bool = False, limit: ResourcesExhausted | None = None) -> None:
        super().__init__(why)
        self.timed_out = timed_out
        self.limit = limit


def limit_failure(error: BaseException | None) -> TransportFailure | None:
    """Return the failure to report if a limit of this process is the cause; None for any other cause."""
    limit = resource_error(error) if error is not None else None
    if limit is None:
        return None
    text = str(limit).rstrip(".")
    return TransportFailure(text[0].lower() + text[1:], limit=limit)


class AddressRefused(TransportFailure):
    """The name resolves to no permitted address; nothing was sent."""


@lru_cache(maxsize=1)
def authorities(ca_bundle: str | None) -> ssl.SSLContext:
    """Load the trusted authorities, once per process, because it takes 30 ms and fragments memory."""
    import certifi

    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except (OSError, ssl.SSLError) as error:
        if lack := resource_error(error):
            raise lack from error
        raise ConfigurationError([f"SYNC_CA_BUNDLE: {ca_bundle} has no usable certificates."]) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


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

    def count(
        self, *, requests: int = 0, retries: int = 0, received: int = 0, decompressed: int = 0, code: int | None = None
    ) -> None:
        """Add to the sums, and count one response with `code`."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.bytes += received
            self.decompressed += decompressed
            if code is not None:
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
