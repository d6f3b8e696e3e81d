"""What may be asked of the endpoint, and what its askers need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sync.catalog.run_record import RequestStatistics
    from sync.client.envelope import Envelope
    from sync.errors import SyncError


Question = dict[str, str | int]
"""`page` and `page_size`, or `template_id`."""


class Answers(Protocol):
    """The endpoint, as the walk and the look-ups see it; `sync.client.api_client.Endpoint` is the real one."""

    statistics: RequestStatistics

    def ask(self, question: Question) -> Envelope:
        """Ask one question and wait for the answer, or raise a SyncError."""

    def answers(self, questions: Iterable[Question], workers: int) -> Iterator[tuple[Question, Envelope | SyncError]]:
        """Ask questions, so many at once, and give each with its answer as that comes. The next is drawn when one is free."""

    def check_deadline(self) -> None:
        """Raise if the run's whole time is over, or it was asked to stop."""

    def interrupt(self) -> None:
        """Give up whatever is being asked; stays in force."""

    def redact(self, value: Any) -> Any:
        """Hide the key in a decoded value."""
