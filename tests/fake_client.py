"""An API client without sockets, threads or waiting: a function gives the responses, in an order that the test chooses."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sync.client.api_client import ApiClient
from sync.client.response import Envelope, classify_response
from sync.client.worker import RequestStatistics
from sync.config.addresses import LOOPBACK_ORIGIN
from sync.errors import DeadlineExceeded, Interrupted, NotFound, SyncError
from tests.hostile import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sync.client.worker import Params
    from tests.hostile import Script

    Given = Envelope | SyncError | tuple[int, bytes]
    Record = dict[str, Any] | bytes

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answering(ApiClient):
    """An API client that sends each request once, to a function.

    Args:
        answer: returns an envelope, an error, or the HTTP status and body, which are classified as by the real client. What it
            raises is raised. After a DeadlineExceeded or an Interrupted, every request raises it.
        order: gets the number of requests in flight, and returns the index of the next one to answer; by default a fixed mixture.

    Attributes:
        asked: every request, in the order answered.
        interrupted: whether `interrupt` was called.
    """

    origin = LOOPBACK_ORIGIN

    def __init__(self, answer: Callable[[Params], Given], order: Callable[[int], int] | None = None) -> None:
        self.statistics = RequestStatistics()
        self.asked: list[Params] = []
        self.interrupted = False
        self._give = answer
        self._order = order or (lambda in_flight: len(self.asked) * 7 % in_flight)
        self._over: SyncError | None = None

    def get(self, question: Params) -> Envelope:
        """Answer one request, or raise its error."""
        answer = self._answer(question)
        if isinstance(answer, SyncError):
            raise answer
        return answer

    def get_many(self, questions: Iterable[Params], workers: int) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Keep as many requests in flight as there are workers, and answer them in the chosen order."""
        waiting = iter(questions)
        in_flight: list[Params] = []
        while True:
            while len(in_flight) < workers and (question := next(waiting, None)) is not None:
                in_flight.append(question)
            if not in_flight:
                return
            question = in_flight.pop(self._order(len(in_flight)))
            yield question, self._answer(question)

    def check_deadline(self) -> None:
        """Raise if `interrupt` was called, or `answer` returned or raised the end of the run."""
        if self.interrupted:
            raise Interrupted("Stopped, as asked.")
        if self._over:
            raise self._over

    def redact(self, value: Any) -> Any:
        """Return the value: there is no key."""
        return value

    def interrupt(self) -> None:
        """Answer no more requests, including those in flight."""
        self.interrupted = True

    def _answer(self, question: Params) -> Envelope | SyncError:
        self.check_deadline()
        self.statistics.count(requests=1)
        self.asked.append(question)
        try:
            given = self._give(question)
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
        code, judged = classify_response(status, {}, body, NOW)
        self.statistics.count_code(code)
        return judged


def listed(records: Iterable[Any], total: int | None) -> Envelope:
    """Make an envelope of records: JSON values, or bytes that are sent unchanged."""
    return Envelope(200, "success", total, [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records])


def not_there(message: str = "The template does not exist") -> NotFound:
    """Make the 404 of the API."""
    return NotFound("There is no template catalog at this address (404).", envelope=Envelope(404, message, None, None))


# Catalogs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pages:
    """A catalog as pages of any size; `total` is the number of records by default.

    A look-up finds the records of `looked_up` for this id, or else the first record with this id on a page.
    """

    pages: Sequence[Sequence[Record]]
    total: int | None = None
    looked_up: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    def answer(self, question: Params) -> Given:
        if "template_id" in question:
            asked = str(question["template_id"])
            here = [each for page in self.pages for each in page if _id(each) == asked]
            found = self.looked_up.get(asked, here[:1])
            return listed(found, len(found)) if found else not_there()
        number = int(question["page"])
        page = self.pages[number - 1] if number <= len(self.pages) else []
        return listed(page, sum(map(len, self.pages)) if self.total is None else self.total)


def serving(*walks: Pages) -> Answering:
    """Serve one catalog in each walk of a run; the last one stays."""
    begun = 0

    def answer(question: Params) -> Given:
        nonlocal begun
        begun += question.get("page") == 1
        return walks[max(0, min(begun, len(walks)) - 1)].answer(question)

    return Answering(answer)


def _id(each: Record) -> Any:
    value = json.loads(each) if isinstance(each, bytes) else each
    return value.get("TemplateId")


def scripted(script: Script) -> Answering:
    """Give the replies of a scripted server without a network; a reply that breaks the connection becomes a 503."""
    count = itertools.count(1)

    def answer(question: Params) -> tuple[int, bytes]:
        query = {name: str(value) for name, value in question.items()}
        reply = script(Request(next(count), "/", query, {}, 0.0))
        plain = reply == Reply(reply.body, reply.status, reply.headers) and "content-encoding" not in dict(reply.headers)
        return (reply.status, reply.body) if plain else (503, b"")

    return Answering(answer)
