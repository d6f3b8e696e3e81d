"""The second confirmation of a removal: each template that is missing from a walk is looked up by its ID.

If that would take minutes, a second verified walk confirms, with look-ups of some IDs chosen at random. An error, a rate limit
or a response with other templates confirms nothing. Look-ups are evidence only after controls: look-ups of IDs that the walk
served and of one that cannot exist. A broken service, or a web server in front of it, returns 404 for everything.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sync.catalog.json_values import decode_json
from sync.catalog.parsing import record_id
from sync.catalog.removals import LOOK_UPS, SAMPLE, Confirmation, RunOptions, Unconfirmed
from sync.catalog.served_records import LOOK_UP
from sync.client.response import Envelope
from sync.client.walk import walk
from sync.errors import InvalidResponse, NoSuchPage, NotFound, SyncError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sync.catalog.served_records import RecordParser, ServedRecord
    from sync.client.api_client import ApiClient, Params
    from sync.client.walk import Walk

MOST_ACCEPTED = 2000
"""Look-ups of a run with `--accept-removals`: about 200 s at the default rate, well within the default deadline."""
POSITIVE_CONTROLS = 2
_IMPOSSIBLE_LENGTH = 24
_VARYING = re.compile(r"[0-9a-f-]{8,}|[0-9]+", re.IGNORECASE)


def confirm_removals(
    api: ApiClient,
    parser: RecordParser,
    missing: Sequence[str],
    walked: Walk,
    options: RunOptions,
    random: Callable[[], float],
) -> Confirmation:
    """Confirm the removal of templates that are missing from a walk.

    Args:
        api: sends the requests.
        parser: parses the records that are found.
        missing: IDs of the missing templates, at least one.
        walked: the walk; it may be unverified only if its count has been wrong for several runs.
        options: if an operator accepts removals, each template is looked up in any case.
        random: returns numbers from 0 to 1, to choose controls and samples.
    """
    accept = options.accept_removals
    # An unreadable record may not be found by its ID, so it is no control.
    served = [each.template_id for each in walked.records if each.template_id is not None and each.readable]
    controls = run_controls(api, served, walked.total, random)
    if controls.form is None and not (accept and walked.verified):
        problem = controls.reason if controls.failed else ""
        return Confirmation(unconfirmed=_not_looked_up(missing, controls.reason), problem=problem)
    many = len(missing) > LOOK_UPS and walked.verified
    sample = _sample(missing, random) if many else missing[:LOOK_UPS]
    looked_up = look_up(api, parser, sample, controls.form)
    if controls.failed:
        looked_up = replace(looked_up, problem=controls.reason)
    elif looked_up.evidence and (repeated := repeat_controls(api, served, random)):
        problem = repeated.reason if repeated.failed else ""
        looked_up = replace(looked_up.without_evidence(f"no look-up counts: {repeated.reason}"), problem=problem)
    if many:
        doubt = _reason_to_doubt(looked_up, sample)
        if not doubt:
            again = walk(api, parser, options)
            if again.verified:
                return _by_walk(again, missing)
            doubt = f"the second walk could not be verified: {again.reason}"
            looked_up = replace(looked_up, found=_by_walk(again, missing).found, missing=again.missing)
        looked_up = looked_up.without_evidence(doubt)
    else:
        doubt = f"the limit of {LOOK_UPS} look-ups per run was reached"
    rest = sorted(set(missing) - set(sample))
    if accept and walked.verified:
        more = look_up(api, parser, rest[:MOST_ACCEPTED], controls.form)
        unconfirmed = looked_up.unconfirmed | more.without_evidence(doubt).unconfirmed
        looked_up, rest = replace(looked_up, unconfirmed=unconfirmed, found=looked_up.found + more.found), rest[MOST_ACCEPTED:]
    looked_up = replace(looked_up, unconfirmed=looked_up.unconfirmed | _not_looked_up(rest, doubt))
    return looked_up if walked.verified else looked_up.without_answers()


def _reason_to_doubt(looked_up: Confirmation, sample: Sequence[str]) -> str:
    """Return why a sample contradicts the walk; empty if every look-up confirms that its template is gone."""
    if looked_up.problem or len(looked_up.evidence) == len(sample):
        return looked_up.problem
    if looked_up.found:
        return "a look-up found one of the missing templates, so the walk is incomplete"
    return "not every look-up of some missing templates confirmed that they are gone"


def _not_looked_up(ids: Iterable[str], reason: str) -> dict[str, Unconfirmed]:
    return dict.fromkeys(ids, Unconfirmed(f"not looked up: {reason}", answered=False))


def _sample(ids: Sequence[str], random: Callable[[], float]) -> list[str]:
    """Choose SAMPLE IDs at random."""
    left = list(ids)
    return [left.pop(min(int(random() * len(left)), len(left) - 1)) for _ in range(min(SAMPLE, len(ids)))]


def _by_walk(again: Walk, missing: Sequence[str]) -> Confirmation:
    lacking = {*missing, None}
    found = [each for each in again.records if each.template_id in lacking]
    gone = set(missing) - {each.template_id for each in found}
    return Confirmation(dict.fromkeys(sorted(gone), "walks"), found=found, missing=again.missing)


def look_up(api: ApiClient, parser: RecordParser, ids: Sequence[str], form: NotFoundForm | None) -> Confirmation:
    """Look up each ID; stop after a rate limit or another failure that will persist.

    Only a "not found" of this form is evidence; None: no response is evidence.
    """
    confirmation = Confirmation()
    failures: list[SyncError] = []

    def requests() -> Iterator[Params]:
        for template_id in ids:
            if failures:
                return
            yield {"template_id": template_id}

    for params, response in api.get_many(requests()):
        template_id = str(params["template_id"])
        if form is not None and not_found_form(response, template_id) == form:
            confirmation.evidence[template_id] = "lookup"
        elif found := _found(response, template_id, parser):
            confirmation.found.extend(found)
        else:
            confirmation.unconfirmed[template_id] = _why_unconfirmed(response)
        if isinstance(response, TryLater) or (isinstance(response, SyncError) and not isinstance(response, InvalidResponse)):
            failures.append(response)
    if failures:
        known = {*confirmation.evidence, *confirmation.unconfirmed, *(each.template_id for each in confirmation.found)}
        reason = f"another look-up failed: {cause(failures[0])}"
        confirmation.unconfirmed.update(_not_looked_up((each for each in ids if each not in known), reason))
    return confirmation


def _found(response: Envelope | SyncError, template_id: str, parser: RecordParser) -> list[ServedRecord]:
    if not isinstance(response, Envelope):
        return []
    served = parser.parse_page(LOOK_UP, response.records or (), exact=response.exact)
    return [each for each in served if each.template_id == template_id]


def _why_unconfirmed(response: Envelope | SyncError) -> Unconfirmed:
    """Return why a response to a look-up is no evidence. A 404, a 422, an empty list or other templates count as answered."""
    if isinstance(response, Envelope) and response.records:
        # A record without a readable ID may be the template.
        readable = all(record_id(decode_json(raw)) is not None for raw in response.records)
        return Unconfirmed("the look-up returned other templates", answered=readable)
    if isinstance(response, Envelope | NotFound):
        return Unconfirmed("the look-up's response differs from that for an ID that cannot exist", answered=True)
    if isinstance(response, InvalidResponse):
        refused = isinstance(response, NoSuchPage)
        return Unconfirmed(f"the look-up's response is invalid: {cause(response)}", answered=refused)
    return Unconfirmed(f"the look-up failed: {cause(response)}", answered=False)


# Controls ---------------------------------------------------------------------------------------------------------------


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

    The IDs are random, so that a server cannot predict the controls. `total` is the count that the catalog reports.
    """
    totals = _look_up_served(api, served, random, "a look-up did not find a template that the catalog had just served")
    if isinstance(totals, ControlResult):
        return totals
    impossible = _impossible_id(served[0] if served else "0", random)
    response = _look_up_control(api, impossible)
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


def repeat_controls(api: ApiClient, served: Sequence[str], random: Callable[[], float]) -> ControlResult | None:
    """Look up served IDs again, because the service may have failed meanwhile; return the result if one is not found."""
    found = _look_up_served(api, served, random, "the look-ups no longer find templates that the catalog had just served")
    return found if isinstance(found, ControlResult) else None


def _look_up_served(
    api: ApiClient, served: Sequence[str], random: Callable[[], float], not_found: str
) -> set[int | None] | ControlResult:
    """Look up some served IDs; return the counts that the responses report, or the result if one was not found."""
    totals: set[int | None] = set()
    for known in _choose(served, random):
        response = _look_up_control(api, known)
        if isinstance(response, TryLater):
            return ControlResult(None, f"a control look-up failed: {cause(response)}")
        if not isinstance(response, Envelope) or {record_id(decode_json(raw)) for raw in response.records or ()} != {known}:
            return ControlResult(None, not_found, failed=True)
        totals.add(response.total)
    return totals


def _look_up_control(api: ApiClient, template_id: str) -> Envelope | SyncError:
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
