"""What a run's requests came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class RequestStatistics:
    """What a run's requests came to; counted by several threads.

    Attributes:
        bytes: of all bodies as sent.
        decompressed: bytes of all bodies after decompression.
        by_code: answers by their worse code, 0 being no answer at all.
        date: the server's clock, as its last answer told it.
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

    def answered(self, code: int) -> None:
        """Count one answer by its code."""
        with self._lock:
            self.by_code[code] += 1
