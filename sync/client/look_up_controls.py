"""Controls of look-ups: the answers for ids that the walk served, and for one that cannot exist.

A look-up service that is broken answers 404 for everything, and so does a web server in front of it. Without controls either
would remove live templates.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.catalog.json_values import decode_json
from sync.catalog.parsing import record_id
from sync.client.envelope import Envelope
from sync.errors import NotFound, SyncError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.client.params import ApiClient

POSITIVE_CONTROLS = 2
_IMPOSSIBLE_LENGTH = 24
_VARYING = re.compile(r"[0-9a-f-]{8,}|[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NotFoundForm:
    """The form of an answer "not found" in the API's own envelope: answers of the same form are equal."""

    code: int
    listed: bool
    total: int | None
    message: str


@dataclass(frozen=True, slots=True)
class ControlResult:
    """What the controls showed.

    Attributes:
        form: of this server's "not found"; None if look-ups are no evidence.
        reason: why they are not, one phrase.
        failed: whether a control was answered wrongly; otherwise it was not answered, which passes by itself.
    """

    form: NotFoundForm | None
    reason: str = ""
    failed: bool = False


def not_found_form(answer: Envelope | SyncError, asked: str) -> NotFoundForm | None:
    """Recognise a "not found" of the API itself; None for anything else, a web server's own 404 included."""
    envelope = answer.envelope if isinstance(answer, NotFound) else answer
    if not isinstance(envelope, Envelope) or envelope.records:
        return None
    message = _VARYING.sub("#", re.sub(rf"(?<!\w){re.escape(asked)}(?!\w)", "#", envelope.message))
    return NotFoundForm(envelope.code, envelope.records is not None, envelope.total, message)


def cause(error: SyncError) -> str:
    """Name an error in a phrase: its HTTP status or body code, else its message."""
    return f"HTTP {error.code}" if error.code.isdecimal() else str(error).rstrip(".")


def run_controls(api: ApiClient, served: Sequence[str], total: int | None, random: Callable[[], float]) -> ControlResult:
    """Look up ids that the walk served, which must be found, and one that cannot exist.

    Args:
        api: sends the requests.
        served: ids that this run's walk served; where it served none, nothing can be found.
        total: the catalog's own count.
        random: a source of numbers from 0 to 1, so that a server cannot prepare for what is asked.
    """
    totals: set[int | None] = set()
    for known in _choose(served, random):
        answer = _ask(api, known)
        if isinstance(answer, TryLater):
            return ControlResult(None, f"a control look-up failed: {cause(answer)}")
        if not isinstance(answer, Envelope) or not _finds(answer, known):
            return ControlResult(None, "a look-up did not find a template that the catalog had just served", failed=True)
        totals.add(answer.total)
    impossible = _impossible_id(served[0] if served else "0", random)
    answer = _ask(api, impossible)
    if isinstance(answer, TryLater):
        return ControlResult(None, f"a control look-up failed: {cause(answer)}")
    form = not_found_form(answer, impossible)
    if form is None:
        reason = "a look-up of an ID that cannot exist did not return a plain 404"
        return ControlResult(None, reason, failed=True)
    # Else `total` in a look-up counts what was found; so it may where the whole catalog is one template.
    counts_catalog = totals == {total} and total != 1
    if form.total and not (counts_catalog and form.total == total):
        reason = f"a look-up that found nothing reports {form.total} templates"
        return ControlResult(None, reason, failed=True)
    return ControlResult(form)


def repeat_controls(api: ApiClient, served: Sequence[str], random: Callable[[], float]) -> str:
    """Look up ids that the walk served once more after the look-ups: the service may have broken meanwhile.

    Returns:
        Why the look-ups are no evidence, one phrase; empty if they are.
    """
    for known in _choose(served, random):
        if not _finds(_ask(api, known), known):
            return "the look-ups no longer find templates that the catalog had just served"
    return ""


def _finds(answer: Envelope | SyncError, known: str) -> bool:
    return isinstance(answer, Envelope) and {record_id(decode_json(raw)) for raw in answer.records or ()} == {known}


def _ask(api: ApiClient, template_id: str) -> Envelope | SyncError:
    try:
        return api.get({"template_id": template_id})
    except SyncError as error:
        api.check_deadline()
        return error


def _choose(served: Sequence[str], random: Callable[[], float]) -> list[str]:
    chosen = {served[min(int(random() * len(served)), len(served) - 1)] for _ in range(POSITIVE_CONTROLS)} if served else set()
    return sorted(chosen)


def _impossible_id(like: str, random: Callable[[], float]) -> str:
    """Make an id that looks like the others, so that it is not refused for its form, and is longer than any of them."""
    alphabet = string.digits if like.isdecimal() else string.digits + string.ascii_lowercase
    return "9" + "".join(alphabet[int(random() * 0.999 * len(alphabet))] for _ in range(_IMPOSSIBLE_LENGTH))
