"""The second confirmation of a removal: each template that a walk lacks is looked up by its id.

Where that would take minutes, another verified walk confirms, together with look-ups of some ids chosen at random. An error, a
rate limit or an answer with other templates confirms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sync.catalog.removals import LOOK_UPS, SAMPLE, Unconfirmed
from sync.catalog.served_records import LOOK_UP
from sync.client.envelope import Envelope
from sync.client.look_up_controls import cause, not_found_form, repeat_controls, run_controls
from sync.client.walk import walk
from sync.errors import InvalidResponse, NotFound, SyncError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sync.catalog.served_records import RecordParser, ServedRecord
    from sync.client.look_up_controls import NotFoundForm
    from sync.client.params import ApiClient, Params
    from sync.client.walk import Walk

MOST_ACCEPTED = 2000
"""Look-ups of a run in which a person accepts removals: about 200 s at the default rate, well within the default deadline."""
OTHER_FORM = "the look-up's response differs from that for an ID that cannot exist"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What confirms that templates are gone.

    Attributes:
        evidence: id -> `lookup` or `walks`, of those that are gone.
        unconfirmed: the other missing templates, but for those that were found.
        found: records of those that are there after all; two different ones under one id dispute each other.
        problem: why no look-up counts at all, one phrase; empty if they do.
        missing: of another walk, the documented fields of which no record has a value.
    """

    evidence: dict[str, str] = field(default_factory=dict)
    unconfirmed: dict[str, Unconfirmed] = field(default_factory=dict)
    found: list[ServedRecord] = field(default_factory=list)
    problem: str = ""
    missing: frozenset[str] = frozenset()

    def without_evidence(self, reason: str) -> Confirmation:
        """Let no look-up count, for this reason: what they confirmed stays unconfirmed, though answered."""
        answered = dict.fromkeys(self.evidence, Unconfirmed(reason, answered=True))
        return replace(self, evidence={}, unconfirmed=self.unconfirmed | answered)

    def without_answers(self) -> Confirmation:
        """Let nothing be accepted: a person accepts only what a verified walk lacks."""
        return replace(self, unconfirmed={key: each._replace(answered=False) for key, each in self.unconfirmed.items()})

    def joined(self, other: Confirmation) -> Confirmation:
        """Add the look-ups of other templates."""
        return replace(
            self,
            evidence=self.evidence | other.evidence,
            unconfirmed=self.unconfirmed | other.unconfirmed,
            found=[*self.found, *other.found],
        )


def confirm_removals(
    api: ApiClient,
    parser: RecordParser,
    missing: Sequence[str],
    walked: Walk,
    *,
    page_size: int,
    workers: int,
    random: Callable[[], float],
    accept: bool,
) -> Confirmation:
    """Ask again for templates that a walk lacks.

    Args:
        api: sends the requests.
        parser: parses the records of those that are there.
        missing: their ids.
        walked: the walk; an unverified one is here only because its count has been wrong for many runs.
        page_size: of another walk.
        workers: questions in flight at once.
        random: a source of numbers from 0 to 1, for choosing controls and samples.
        accept: a person accepts removals whose look-up was answered: each is looked up, also where no look-up counts.
    """
    if not missing:
        return Confirmation()
    # A record that could not be read may not be found under its id either: it is no control.
    served = [each.template_id for each in walked.records if each.template_id is not None and each.readable]
    controls = run_controls(api, served, walked.total, random)
    if controls.form is None and not (accept and walked.verified):
        return Confirmation(unconfirmed=_not_asked(missing, controls.reason), problem=controls.reason if controls.failed else "")
    many = len(missing) > LOOK_UPS and walked.verified
    sample = _sample(missing, random) if many else missing[:LOOK_UPS]
    looked_up = look_up(api, parser, sample, controls.form, workers=workers)
    if controls.failed:
        looked_up = replace(looked_up, problem=controls.reason)
    elif looked_up.evidence and (problem := repeat_controls(api, served, random)):
        looked_up = replace(looked_up.without_evidence(f"no look-up counts: {problem}"), problem=problem)
    if many:
        doubt = _reason_to_doubt(looked_up, sample)
        if not doubt:
            again = walk(api, parser, page_size=page_size, workers=workers)
            if again.verified:
                return _by_walk(again, missing)
            doubt = f"the second walk could not be verified: {again.reason}"
            looked_up = replace(looked_up, found=_by_walk(again, missing).found, missing=again.missing)
        looked_up = looked_up.without_evidence(doubt)
    else:
        doubt = f"the limit of {LOOK_UPS} look-ups per run was reached"
    rest = sorted(set(missing) - set(sample))
    if accept and walked.verified:
        more = look_up(api, parser, rest[:MOST_ACCEPTED], controls.form, workers=workers)
        looked_up, rest = looked_up.joined(more.without_evidence(doubt)), rest[MOST_ACCEPTED:]
    looked_up = replace(looked_up, unconfirmed=looked_up.unconfirmed | _not_asked(rest, doubt))
    return looked_up if walked.verified else looked_up.without_answers()


def _reason_to_doubt(looked_up: Confirmation, sample: Sequence[str]) -> str:
    """Say why a sample does not agree with the walk; empty if each of its look-ups says that its template is gone."""
    if looked_up.problem or len(looked_up.evidence) == len(sample):
        return looked_up.problem
    if looked_up.found:
        return "a look-up found one of the missing templates, so the walk is incomplete"
    return "not every look-up of some missing templates confirmed that they are gone"


def _not_asked(ids: Iterable[str], reason: str) -> dict[str, Unconfirmed]:
    return dict.fromkeys(ids, Unconfirmed(f"not asked: {reason}", answered=False))


def _sample(ids: Sequence[str], random: Callable[[], float]) -> list[str]:
    """Choose SAMPLE of many ids at random."""
    left = list(ids)
    return [left.pop(min(int(random() * len(left)), len(left) - 1)) for _ in range(min(SAMPLE, len(ids)))]


def _by_walk(again: Walk, missing: Sequence[str]) -> Confirmation:
    lacking = {*missing, None}
    found = [each for each in again.records if each.template_id in lacking]
    gone = set(missing) - {each.template_id for each in found}
    return Confirmation(dict.fromkeys(sorted(gone), "walks"), found=found, missing=again.missing)


def look_up(api: ApiClient, parser: RecordParser, ids: Sequence[str], form: NotFoundForm | None, *, workers: int) -> Confirmation:
    """Look up each id by itself; after a rate limit or a failure that will not pass soon, the rest is not sent.

    Args:
        api: sends the requests.
        parser: parses the records.
        ids: what to ask for.
        form: of this server's "not found"; no other answer is evidence, and without it none is.
        workers: questions in flight at once.
    """
    confirmation = Confirmation()
    hopeless: list[SyncError] = []

    def requests() -> Iterator[Params]:
        for template_id in ids:
            if hopeless:
                return
            yield {"template_id": template_id}

    for params, answer in api.get_many(requests(), workers):
        template_id = str(params["template_id"])
        if form is not None and not_found_form(answer, template_id) == form:
            confirmation.evidence[template_id] = "lookup"
        elif found := _found(answer, template_id, parser):
            confirmation.found.extend(found)
        else:
            confirmation.unconfirmed[template_id] = _why_unconfirmed(answer)
        if isinstance(answer, TryLater) or (isinstance(answer, SyncError) and not isinstance(answer, InvalidResponse)):
            hopeless.append(answer)
    if hopeless:
        known = {*confirmation.evidence, *confirmation.unconfirmed, *(each.template_id for each in confirmation.found)}
        reason = f"another look-up failed: {cause(hopeless[0])}"
        confirmation.unconfirmed.update(_not_asked((each for each in ids if each not in known), reason))
    return confirmation


def _found(answer: Envelope | SyncError, template_id: str, parser: RecordParser) -> list[ServedRecord]:
    if not isinstance(answer, Envelope):
        return []
    return [
        each for each in parser.parse_page(LOOK_UP, answer.records or (), exact=answer.exact) if each.template_id == template_id
    ]


def _why_unconfirmed(answer: Envelope | SyncError) -> Unconfirmed:
    """Say why an answer to a look-up is no evidence. A 404 or an empty list is an answer, whatever its form."""
    if isinstance(answer, Envelope) and answer.records:
        return Unconfirmed("the look-up returned other templates", answered=False)
    if isinstance(answer, Envelope | NotFound):
        return Unconfirmed(OTHER_FORM, answered=True)
    if isinstance(answer, InvalidResponse):
        return Unconfirmed(f"the look-up's response is invalid: {cause(answer)}", answered=False)
    return Unconfirmed(f"the look-up failed: {cause(answer)}", answered=False)
