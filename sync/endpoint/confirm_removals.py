"""The second witness: a template that a walk did not bring is asked for again before it is removed.

One by one by its id, or, where that would take minutes, by another verified walk. An error, a rate limit or an answer with
other templates proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.catalog.raw_record import LOOK_UP
from sync.catalog.removals import LOOK_UPS
from sync.endpoint.envelope import Envelope
from sync.endpoint.look_up_controls import calibrate, denial_of, still_finds
from sync.endpoint.walk import walk
from sync.errors import BadAnswer, SyncError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sync.catalog.intake import Intake, Sighting
    from sync.endpoint.look_up_controls import Denial
    from sync.endpoint.questions import Answers, Question
    from sync.endpoint.walk import Walk


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the second witness says.

    Attributes:
        evidence: id -> `lookup` or `walks`, of those that are gone.
        found: records of those that are there after all; two different ones under one id dispute each other.
        fields: names of all fields seen on another walk.
        problem: why the witness is not believed at all, one phrase; empty if it is.
    """

    evidence: dict[str, str] = field(default_factory=dict)
    found: list[Sighting] = field(default_factory=list)
    problem: str = ""
    fields: frozenset[str] = frozenset()


def confirm_removals(
    endpoint: Answers,
    intake: Intake,
    missing: Sequence[str],
    walked: Walk,
    *,
    page_size: int,
    workers: int,
    random: Callable[[], float],
) -> Confirmation:
    """Ask again for templates that a walk did not bring.

    Args:
        endpoint: answers questions.
        intake: takes in the records of those that are there.
        missing: their ids.
        walked: the walk; an unverified one is here only because its count has been wrong for many runs.
        page_size: of another walk.
        workers: questions in flight at once.
        random: a source of numbers from 0 to 1, for choosing controls.
    """
    if not missing:
        return Confirmation()
    if len(missing) > LOOK_UPS and walked.verified:
        return _by_walk(walk(endpoint, intake, page_size=page_size, workers=workers), missing)
    # A record that could not be read may not be found under its id either: it is no control.
    served = [each.template_id for each in walked.sightings if each.template_id is not None and each.readable]
    controls = calibrate(endpoint, served, walked.total, random)
    if controls.denial is None:
        return Confirmation(problem=controls.problem)
    confirmation = look_up(endpoint, intake, missing[:LOOK_UPS], controls.denial, workers=workers)
    if confirmation.evidence and (problem := still_finds(endpoint, served, random)):
        return Confirmation(found=confirmation.found, problem=problem)
    return confirmation


def _by_walk(again: Walk, missing: Sequence[str]) -> Confirmation:
    lacking = {*missing, None}
    found = [each for each in again.sightings if each.template_id in lacking]
    if not again.verified:
        return Confirmation(found=found, fields=again.fields)
    gone = set(missing) - {each.template_id for each in found}
    return Confirmation(dict.fromkeys(sorted(gone), "walks"), found, fields=again.fields)


def look_up(endpoint: Answers, intake: Intake, ids: Sequence[str], denial: Denial, *, workers: int) -> Confirmation:
    """Ask for each id by itself; after a rate limit or a failure that will not pass soon, the rest is not asked.

    Args:
        endpoint: answers questions.
        intake: takes in the records.
        ids: what to ask for.
        denial: how this server says "not there"; anything else proves nothing.
        workers: questions in flight at once.
    """
    confirmation = Confirmation()
    hopeless = False

    def questions() -> Iterator[Question]:
        for template_id in ids:
            if hopeless:
                return
            yield {"template_id": template_id}

    for question, answer in endpoint.answers(questions(), workers):
        template_id = str(question["template_id"])
        if denial_of(answer, template_id) == denial:
            confirmation.evidence[template_id] = "lookup"
        elif isinstance(answer, Envelope):
            sightings = intake.take(LOOK_UP, answer.records or [])
            confirmation.found.extend(each for each in sightings if each.template_id == template_id)
        elif isinstance(answer, SyncError) and (isinstance(answer, TryLater) or not isinstance(answer, BadAnswer)):
            hopeless = True
    return confirmation
