"""The endpoint without sockets, threads or waiting: a function gives the answers, in an order that the test chooses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sync.client.api_client import ApiClient
from sync.client.response import Envelope, classify_response
from sync.client.worker import RequestStatistics
from sync.config.addresses import LOOPBACK_ORIGIN
from sync.errors import DeadlineExceeded, Interrupted, NotFound, SyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sync.client.worker import Params

    Given = Envelope | SyncError | tuple[int, bytes]

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answering(ApiClient):
    """An API client that sends each request once, to a function.

    Args:
        answer: gives an envelope, an error, or the HTTP status and body, which are judged as the real endpoint judges them.
            What it raises is raised. After a DeadlineExceeded or an Interrupted nothing is answered any more.
        order: of so many questions in flight, the index of the one to answer next; without it they overtake each other, the same
            way each time.

    Attributes:
        asked: every question, in the order answered.
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
        """Answer one question, or raise the error that the answer stands for."""
        answer = self._answer(question)
        if isinstance(answer, SyncError):
            raise answer
        return answer

    def get_many(self, questions: Iterable[Params], workers: int) -> Iterator[tuple[Params, Envelope | SyncError]]:
        """Draw so many questions at once, and answer them in the order chosen."""
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
        """Raise if a stop was asked for, or `answer` said that the time is over."""
        if self.interrupted:
            raise Interrupted("Stopped, as asked.")
        if self._over:
            raise self._over

    def redact(self, value: Any) -> Any:
        """Hide nothing: there is no key."""
        return value

    def interrupt(self) -> None:
        """Answer nothing more; what is being answered is given up, too."""
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
    """Answer with records: JSON values, or bytes as they are."""
    return Envelope(200, "success", total, [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records])


def not_there(message: str = "The template does not exist") -> NotFound:
    """Say 404 in the API's own words."""
    return NotFound("There is no template catalog at this address (404).", envelope=Envelope(404, message, None, None))
