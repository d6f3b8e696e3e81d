"""At most so many requests begin in any second."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RateLimiter:
    """At most `rate` requests begin in any second, those of all threads together; 0 means no limit."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = max(1, int(rate))
        self._window = self._burst / rate * 1.02 if rate else 0.0  # 2 % more: the network shifts arrivals
        self._begun: deque[float] = deque(maxlen=self._burst)
        self._turn = Lock()
        self._clock = clock

    def wait(self, sleep: Callable[[float], object]) -> None:
        """Wait for this request's turn. What counts is when it really began: a busy moment may have kept it waiting longer."""
        if not self._window:
            return
        with self._turn:
            if len(self._begun) == self._burst:
                pause = self._begun[0] + self._window - self._clock()
                if pause > 0:
                    sleep(pause)
            self._begun.append(self._clock())
