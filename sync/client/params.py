"""Query parameters, request statistics, and the interfaces of the API client and of its recorder."""

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


class ApiClient(Protocol):
    """The template API; `sync.client.api_client.HttpApiClient` is the implementation."""

    statistics: RequestStatistics
    origin: str

    def get(self, params: Params) -> Envelope:
        """Send one request, with retries, and return its envelope, or raise a SyncError."""

    def get_many(self, requests: Iterable[Params], workers: int) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Send requests, at most `workers` at once, and yield each with its envelope or error, in the order of completion."""

    def check_deadline(self) -> None:
        """Raise DeadlineExceeded or Interrupted if the run must stop."""

    def interrupt(self) -> None:
        """Cancel the requests in flight and all later ones."""

    def redact(self, value: Any) -> Any:
        """Remove the key from a decoded value."""


class ResponseRecorder(Protocol):
    """Stores every response; `sync.recording.record.Recording` is the implementation."""

    def add(self, params: Params, began: float, response: Response | None, failure: TransportFailure | None) -> None:
        """Store one response, or the failure."""
