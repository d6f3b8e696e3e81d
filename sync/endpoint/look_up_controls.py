"""A look-up is believed only after controls: what this server says of ids that are there, and of one that cannot be.

A look-up service that is broken denies everything, and a web server in front of it says 404 with a page of its own. Taken
at its word, either would retire live templates.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.catalog.raw_record import decode, record_id
from sync.endpoint.envelope import Envelope
from sync.errors import NotThere, SyncError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.endpoint.questions import Answers

POSITIVE_CONTROLS = 2
_IMPOSSIBLE_LENGTH = 24
_VARYING = re.compile(r"[0-9a-f-]{8,}|[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denial:
    """How an answer says "not there", in the API's own envelope: two answers of one kind are equal."""

    code: int
    listed: bool
    total: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Controls:
    """What the controls showed.

    Attributes:
        denial: how this server says "not there"; None if look-ups are no evidence.
        problem: why not, one phrase; empty if a control could not be asked for a reason that passes by itself.
    """

    denial: Denial | None
    problem: str = ""


def denial_of(answer: Envelope | SyncError, asked: str) -> Denial | None:
    """Recognise a "not there" in the API's own words; None for anything else, a web server's own 404 included."""
    envelope = answer.envelope if isinstance(answer, NotThere) else answer
    if not isinstance(envelope, Envelope) or envelope.records:
        return None
    message = _VARYING.sub("#", re.sub(rf"(?<!\w){re.escape(asked)}(?!\w)", "#", envelope.message))
    return Denial(envelope.code, envelope.records is not None, envelope.total, message)


def calibrate(endpoint: Answers, served: Sequence[str], total: int | None, random: Callable[[], float]) -> Controls:
    """Look up ids that the walk has just served, which must be found, and one that cannot exist.

    Args:
        endpoint: answers questions.
        served: ids that this run's walk brought; where it brought none, nothing can be found.
        total: the catalog's own count.
        random: a source of numbers from 0 to 1: nobody can prepare for what is asked.
    """
    totals: set[int | None] = set()
    for known in _choose(served, random):
        answer = _ask(endpoint, known)
        if isinstance(answer, TryLater):
            return Controls(None)
        if not isinstance(answer, Envelope) or not _finds(answer, known):
            return Controls(None, "a look-up did not find a template that the catalog had just served")
        totals.add(answer.total)
    impossible = _impossible_id(served[0] if served else "0", random)
    answer = _ask(endpoint, impossible)
    if isinstance(answer, TryLater):
        return Controls(None)
    denial = denial_of(answer, impossible)
    if denial is None:
        return Controls(None, "a look-up of an id that cannot exist was not answered with a plain 'not there'")
    # Else `total` in a look-up counts what was found; so it may where the whole catalog is one template.
    counts_catalog = totals == {total} and total != 1
    if denial.total and not (counts_catalog and denial.total == total):
        return Controls(None, f"a look-up that found nothing says that there are {denial.total} templates")
    return Controls(denial)


def still_finds(endpoint: Answers, served: Sequence[str], random: Callable[[], float]) -> str:
    """Look up once more what the walk served, now that the look-ups are over: a service that broke meanwhile denied everything.

    Returns:
        Why the look-ups are not believed, one phrase; empty if they are.
    """
    for known in _choose(served, random):
        if not _finds(_ask(endpoint, known), known):
            return "the look-ups stopped finding templates that the catalog had just served"
    return ""


def _finds(answer: Envelope | SyncError, known: str) -> bool:
    return isinstance(answer, Envelope) and {record_id(decode(raw)) for raw in answer.records or ()} == {known}


def _ask(endpoint: Answers, template_id: str) -> Envelope | SyncError:
    try:
        return endpoint.ask({"template_id": template_id})
    except SyncError as error:
        endpoint.check_deadline()
        return error


def _choose(served: Sequence[str], random: Callable[[], float]) -> list[str]:
    chosen = {served[min(int(random() * len(served)), len(served) - 1)] for _ in range(POSITIVE_CONTROLS)} if served else set()
    return sorted(chosen)


def _impossible_id(like: str, random: Callable[[], float]) -> str:
    """Make an id that looks like the others, so that it is not refused for its form, and is longer than any of them."""
    alphabet = string.digits if like.isdecimal() else string.digits + string.ascii_lowercase
    return "9" + "".join(alphabet[int(random() * 0.999 * len(alphabet))] for _ in range(_IMPOSSIBLE_LENGTH))
