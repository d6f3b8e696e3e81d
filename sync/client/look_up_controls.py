"""Controls of look-ups: look-ups of IDs that the walk served, and of one that cannot exist.

A broken look-up service, or a web server in front of it, returns 404 for everything. Without controls it would remove live
templates.
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

    from sync.client.api_client import ApiClient

POSITIVE_CONTROLS = 2
_IMPOSSIBLE_LENGTH = 24
_VARYING = re.compile(r"[0-9a-f-]{8,}|[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NotFoundForm:
    """The form of a "not found" response in the API's envelope, without the varying parts of its message."""

    code: int
    listed: bool
    total: int | None
    message: str


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The result of the controls.

    Attributes:
        form: form of this server's "not found"; None if look-ups are no evidence.
        reason: why they are no evidence, one phrase.
        failed: whether a control returned a wrong response; False also if it failed temporarily.
    """

    form: NotFoundForm | None
    reason: str = ""
    failed: bool = False


def not_found_form(response: Envelope | SyncError, template_id: str) -> NotFoundForm | None:
    """Return the form of the API's "not found"; None for any other response, such as a web server's 404."""
    envelope = response.envelope if isinstance(response, NotFound) else response
    if not isinstance(envelope, Envelope) or envelope.records:
        return None
    message = _VARYING.sub("#", re.sub(rf"(?<!\w){re.escape(template_id)}(?!\w)", "#", envelope.message))
    return NotFoundForm(envelope.code, envelope.records is not None, envelope.total, message)


def cause(error: SyncError) -> str:
    """Describe an error in one phrase: its HTTP status or body code, else its message."""
    return f"HTTP {error.code}" if error.code.isdecimal() else str(error).rstrip(".")


def run_controls(api: ApiClient, served: Sequence[str], total: int | None, random: Callable[[], float]) -> ControlResult:
    """Look up IDs that the walk served, which must be found, and one that cannot exist.

    Args:
        api: sends the requests.
        served: IDs that the walk served; may be empty.
        total: the count that the catalog reports.
        random: returns numbers from 0 to 1, so that a server cannot predict the controls.
    """
    totals: set[int | None] = set()
    for known in _choose(served, random):
        response = _look_up(api, known)
        if isinstance(response, TryLater):
            return ControlResult(None, f"a control look-up failed: {cause(response)}")
        if not isinstance(response, Envelope) or not _finds(response, known):
            return ControlResult(None, "a look-up did not find a template that the catalog had just served", failed=True)
        totals.add(response.total)
    impossible = _impossible_id(served[0] if served else "0", random)
    response = _look_up(api, impossible)
    if isinstance(response, TryLater):
        return ControlResult(None, f"a control look-up failed: {cause(response)}")
    form = not_found_form(response, impossible)
    if form is None:
        reason = "a look-up of an ID that cannot exist did not return a plain 404"
        return ControlResult(None, reason, failed=True)
    # `total` of a look-up counts either the catalog or the found templates; a catalog of one template does not show which.
    counts_catalog = totals == {total} and total != 1
    if form.total and not (counts_catalog and form.total == total):
        reason = f"a look-up that found nothing reports {form.total} templates"
        return ControlResult(None, reason, failed=True)
    return ControlResult(form)


def repeat_controls(api: ApiClient, served: Sequence[str], random: Callable[[], float]) -> str:
    """Look up served IDs again after the look-ups, because the service may have failed meanwhile.

    Returns:
        Why the look-ups are no evidence, one phrase; empty if they are.
    """
    for known in _choose(served, random):
        if not _finds(_look_up(api, known), known):
            return "the look-ups no longer find templates that the catalog had just served"
    return ""


def _finds(response: Envelope | SyncError, known: str) -> bool:
    return isinstance(response, Envelope) and {record_id(decode_json(raw)) for raw in response.records or ()} == {known}


def _look_up(api: ApiClient, template_id: str) -> Envelope | SyncError:
    try:
        return api.get({"template_id": template_id})
    except SyncError as error:
        api.check_deadline()
        return error


def _choose(served: Sequence[str], random: Callable[[], float]) -> list[str]:
    chosen = {served[min(int(random() * len(served)), len(served) - 1)] for _ in range(POSITIVE_CONTROLS)} if served else set()
    return sorted(chosen)


def _impossible_id(like: str, random: Callable[[], float]) -> str:
    """Make an ID in the form of the others, so that it is not rejected for its form, but longer than any of them."""
    alphabet = string.digits if like.isdecimal() else string.digits + string.ascii_lowercase
    return "9" + "".join(alphabet[int(random() * 0.999 * len(alphabet))] for _ in range(_IMPOSSIBLE_LENGTH))
