"""The traffic of a run: counts over all requests, and the rate limit that all of them share."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
