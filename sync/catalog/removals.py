"""PURE. Which templates that the catalog no longer serves are removed now, which are held, and which stay unconfirmed.

A removal needs two confirmations. The first is absence from a verified walk; the second, which `confirm_removals` gathers, is
what `evidence` holds for an id. A removal that is too large to be plausible is held until a person accepts it, or until three
runs over some time agree.

A rejected record without a readable id may be any absent template: a look-up proves nothing about that one.

Its media id tells which template it is; without one it may be any of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from sync.catalog.served_records import RecordParser
    from sync.catalog.snapshot import Snapshot


ALWAYS_PLAUSIBLE = 10
"""Templates. So many may go in one run whatever share of a small catalog they are."""


RUNS_THAT_AGREE = 3


LOOK_UPS = 200
"""Above so many missing templates a second verified walk confirms: one look-up each would take minutes."""


SAMPLE = 20
"""Look-ups of missing ids, chosen at random, that must agree with a second walk."""


class HeldRemoval(NamedTuple):
    """How many consecutive verified runs agree that a template is gone, and when the first of them began."""

    runs: int
    since: datetime


class Unconfirmed(NamedTuple):
    """Why a missing template is kept: no look-up confirms that it is gone.

    Attributes:
        reason: one phrase.
        answered: whether its look-up was answered at all, so that a person may accept the removal.
    """

    reason: str
    answered: bool


@dataclass(frozen=True, slots=True)
class RemovalRules:
    """The limits of removals.

    Attributes:
        max_removed: the share of the present templates that may go in one run.
        hold: seconds that a held removal waits at least, from the first run that agreed.
        accept: a person accepts implausible and unconfirmed removals.
    """

    max_removed: Decimal
    hold: float
    accept: bool = False


@dataclass(frozen=True, slots=True)
class Removals:
    """The decision.

    Attributes:
        now: id -> evidence, of the templates to remove.
        held: id -> the runs that agree that it is gone.
        unconfirmed: id -> why it is kept.
        limit: the largest number of removals that is plausible.
    """

    due: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, HeldRemoval] = field(default_factory=dict)
    unconfirmed: Mapping[str, Unconfirmed] = field(default_factory=dict)
    limit: int = 0

    @property
    def too_many_unconfirmed(self) -> bool:
        """Whether so many absences are unconfirmed that the run is no success."""
        return len(self.unconfirmed) > self.limit

    def why_held(self, missing: int, present: int, *, hold: float, now: datetime, empty: bool) -> str:
        """Say why removals are held, one phrase.

        Args:
            missing: templates that the walk lacks.
            present: templates that the database holds as present.
            hold: seconds that a held removal waits at least.
            now: when the run began.
            empty: nothing at all was served.
        """
        if empty:
            return "the catalog is empty, which only an operator can accept"
        runs, since = max(each.runs for each in self.held.values()), min(each.since for each in self.held.values())
        agree = f"{runs} of {RUNS_THAT_AGREE} runs agree so far" if runs < RUNS_THAT_AGREE else f"{runs} runs agree so far"
        left = max(0.0, hold - (now - since).total_seconds())
        wait = f", and SYNC_HOLD ends in {left:.0f} s" if left else ""
        return (
            f"{missing} of {present} templates are missing, and at most {self.limit} may be removed at once"
            f"; {agree}, the first at {since:%Y-%m-%d %H:%M:%S} UTC{wait}"
        )

    def why_unconfirmed(self, present: int) -> str:
        """Say that too many absences are unconfirmed, one sentence with the commonest reason."""
        reason = Counter(each.reason for each in self.unconfirmed.values()).most_common(1)[0][0]
        return (
            f"{len(self.unconfirmed)} of {present} templates are missing and their removal is not confirmed, and at most "
            f"{self.limit} may be; most of them: {reason}. They are kept."
        )


def removal_limit(whole: int, share: Decimal) -> int:
    """Count how many of so many templates may be lost at once: a share of them, and always a few."""
    return max(ALWAYS_PLAUSIBLE, int(whole * share))


def decide_removals(
    evidence: Mapping[str, str],
    unconfirmed: Mapping[str, Unconfirmed],
    *,
    present: int,
    rules: RemovalRules,
    held_before: Mapping[str, HeldRemoval],
    now: datetime,
    catalog_is_empty: bool,
) -> Removals:
    """Decide about the templates that a walk lacks.

    Args:
        evidence: id -> the second confirmation, `lookup` or `walks`.
        unconfirmed: the other missing templates. What must be plausible is the number of all missing ones: of a hundred, look-ups
            that are cut short must not remove ten now and ten in every later run.
        present: how many templates the database holds as present.
        rules: the limits.
        held_before: id -> the consecutive verified runs before this one that agreed.
        now: when this run began.
        catalog_is_empty: nothing at all was served. A broken server looks like that for hours, so agreement of several
            runs proves nothing then, however few templates there were; only a person can accept it.
    """
    limit = removal_limit(present, rules.max_removed)
    plausible = len(evidence) + len(unconfirmed) <= limit and not catalog_is_empty
    if rules.accept:
        accepted = [template_id for template_id, each in unconfirmed.items() if each.answered]
        confirmed = evidence if plausible else dict.fromkeys(evidence, "accepted")
        kept = {template_id: each for template_id, each in unconfirmed.items() if not each.answered}
        return Removals({**confirmed, **dict.fromkeys(accepted, "accepted")}, unconfirmed=kept, limit=limit)
    if plausible:
        return Removals(evidence, unconfirmed=unconfirmed, limit=limit)
    held = {template_id: _agreeing(held_before.get(template_id), now) for template_id in evidence}
    due = {template_id: evidence[template_id] for template_id, each in held.items() if _is_due(each, now, rules.hold)}
    if catalog_is_empty:
        due = {}
    waiting = {template_id: each for template_id, each in held.items() if template_id not in due}
    return Removals(due, waiting, unconfirmed, limit)


def _agreeing(before: HeldRemoval | None, now: datetime) -> HeldRemoval:
    """Count this run. A clock that was set back begins the wait anew: it neither shortens it nor lets it last for years."""
    return HeldRemoval(1, now) if before is None else HeldRemoval(before.runs + 1, min(before.since, now))


def _is_due(held: HeldRemoval, now: datetime, hold: float) -> bool:
    return held.runs >= RUNS_THAT_AGREE and (now - held.since).total_seconds() >= hold


AMBIGUOUS = Unconfirmed("a record that was served without a readable id may be this template", answered=False)


def drop_ambiguous_removals(evidence: Mapping[str, str], snapshot: Snapshot, parser: RecordParser) -> Mapping[str, str]:
    """Drop the evidence against templates that a record without an id may stand for.

    Args:
        evidence: id -> the second confirmation.
        snapshot: what was served.
        parser: parsed its records, and reads stored documents.
    """
    without_id = snapshot.without_id
    if not without_id or not evidence:
        return evidence
    values = [parser.decode(record) for record in without_id]
    media = [value.get("MediaId") if isinstance(value, dict) else None for value in values]
    if not all(isinstance(each, str) and each for each in media):
        return {}
    media_ids = {*media, None}
    stored = parser.load_documents(list(evidence))
    return {gone: how for gone, how in evidence.items() if stored[gone]["media_id"] not in media_ids}
