"""An API client without sockets, threads or waiting: a function gives the responses, in an order chosen by the test."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sync.client.api_client import ApiClient
from sync.client.network import RequestStatistics
from sync.client.response import Envelope, classify_response
from sync.config.addresses import LOOPBACK_ORIGIN
from sync.errors import DeadlineExceeded, Interrupted, NotFound, SyncError
from tests.hostile import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sync.client.api_client import Params
    from tests.hostile import Script

    Given = Envelope | SyncError | tuple[int, bytes]
    Record = dict[str, Any] | bytes

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClient(ApiClient):
    """An API client that sends each request once, to a function.

    Args:
        answer: returns an envelope, an error, or the HTTP status and body, which are classified as by the real client. What it
            raises is raised. After a DeadlineExceeded or an Interrupted, every request raises it.
        order: gets the number of requests in flight, and returns the index of the next one to answer; by default a fixed shuffle.

    Attributes:
        workers: maximum number of requests in flight.
        requests: every request, in the order answered.
        interrupted: whether `interrupt` was called.
    """

    origin = LOOPBACK_ORIGIN

    def __init__(self, answer: Callable[[Params], Given], order: Callable[[int], int] | None = None, workers: int = 4) -> None:
        self.statistics = RequestStatistics()
        self.requests: list[Params] = []
        self.interrupted = False
        self.workers = workers
        self._give = answer
        self._order = order or (lambda in_flight: len(self.requests) * 7 % in_flight)
        self._over: SyncError | None = None

    def get(self, params: Params) -> Envelope:
        """Answer one request, or raise its error."""
        answer = self._answer(params)
        if isinstance(answer, SyncError):
            raise answer
        return answer

    def get_many(self, requests: Iterable[Params]) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Keep as many requests in flight as there are workers, and answer them in the chosen order."""
        waiting = iter(requests)
        in_flight: list[Params] = []
        while True:
            while len(in_flight) < self.workers and (params := next(waiting, None)) is not None:
                in_flight.append(params)
            if not in_flight:
                return
            params = in_flight.pop(self._order(len(in_flight)))
            yield params, self._answer(params)

    def check_deadline(self) -> None:
        """Raise if `interrupt` was called, or `answer` returned or raised the end of the run."""
        if self.interrupted:
            raise Interrupted("Interrupted.")
        if self._over:
            raise self._over

    def redact(self, value: Any) -> Any:
        """Return the value: there is no key."""
        return value

    def interrupt(self) -> None:
        """Answer no more requests, including those in flight."""
        self.interrupted = True

    def _answer(self, params: Params) -> Envelope | SyncError:
        self.check_deadline()
        self.statistics.count(requests=1)
        self.requests.append(params)
        try:
            given = self._give(params)
        except (DeadlineExceeded, Interrupted) as over:
            self._over = over
            raise
        if isinstance(given, DeadlineExceeded | Interrupted):
            self._over = given
        self.check_deadline()
        if not isinstance(given, tuple):
            return given
        status, body = given
        self.statistics.count(received=len(body), decompressed=len(body))
        code, result = classify_response(status, {}, body, NOW)
        self.statistics.count(code=code)
        return result


def listed(records: Iterable[Any], total: int | None) -> Envelope:
    """Make an envelope of records: JSON values, or bytes that are sent unchanged."""
    return Envelope(200, "success", total, [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records])


def not_found(message: str = "The template does not exist") -> NotFound:
    """Make the 404 response of the API."""
    return NotFound("This address has no template catalog (404).", envelope=Envelope(404, message, None, None))


# Catalogs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pages:
    """A catalog as pages of any size; `total` is the number of records by default.

    A look-up finds the records of `looked_up` for this id, or else the first record with this id on a page.
    """

    pages: Sequence[Sequence[Record]]
    total: int | None = None
    looked_up: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    def answer(self, params: Params) -> Given:
        if "template_id" in params:
            template_id = str(params["template_id"])
            here = [each for page in self.pages for each in page if _id(each) == template_id]
            found = self.looked_up.get(template_id, here[:1])
            return listed(found, len(found)) if found else not_found()
        number = int(params["page"])
        page = self.pages[number - 1] if number <= len(self.pages) else []
        return listed(page, sum(map(len, self.pages)) if self.total is None else self.total)


def serving(*walks: Pages) -> FakeClient:
    """Serve one catalog in each walk of a run; the last one in all further walks."""
    begun = 0

    def answer(params: Params) -> Given:
        nonlocal begun
        begun += params.get("page") == 1
        return walks[max(0, min(begun, len(walks)) - 1)].answer(params)

    return FakeClient(answer)


def _id(each: Record) -> Any:
    value = json.loads(each) if isinstance(each, bytes) else each
    return value.get("TemplateId")


def scripted(script: Script) -> FakeClient:
    """Return the replies of a scripted server without a network; a reply that breaks the connection becomes a 503."""
    count = itertools.count(1)

    def answer(params: Params) -> tuple[int, bytes]:
        query = {name: str(value) for name, value in params.items()}
        reply = script(Request(next(count), "/", query, {}, 0.0))
        plain = reply == Reply(reply.body, reply.status, reply.headers) and "content-encoding" not in dict(reply.headers)
        return (reply.status, reply.body) if plain else (503, b"")

    return FakeClient(answer)
