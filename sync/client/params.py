"""Query parameters, statistics of requests, and the interfaces between the API client, its callers and its recorder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sync.client.envelope import Envelope
    from sync.client.network import Response, TransportFailure
    from sync.errors import SyncError


Params = dict[str, str | int]
"""`page` and `page_size`, or `template_id`."""


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


class ApiClient(Protocol):
    """The endpoint, as the walk and the look-ups see it; `sync.client.api_client.HttpApiClient` is the real one."""

    statistics: RequestStatistics
    origin: str

    def get(self, params: Params) -> Envelope:
        """Ask one question and wait for the answer, or raise a SyncError."""

    def get_many(self, requests: Iterable[Params], workers: int) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Ask questions, so many at once, and give each with its answer as that comes. The next is drawn when one is free."""

    def check_deadline(self) -> None:
        """Raise if the run's whole time is over, or it was asked to stop."""

    def interrupt(self) -> None:
        """Give up whatever is being asked; stays in force."""

    def redact(self, value: Any) -> Any:
        """Hide the key in a decoded value."""


class ResponseRecorder(Protocol):
    """Stores every answer; `sync.recording.record.Recording` is the implementation."""

    def add(self, params: Params, began: float, response: Response | None, failure: TransportFailure | None) -> None:
        """Store one answer, or the failure to get one."""
