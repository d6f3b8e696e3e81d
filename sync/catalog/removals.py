"""PURE. Decide which missing templates are removed now, which removals are held, and which stay unconfirmed.

A removal requires two confirmations: absence from a verified walk, and the evidence that `confirm_removals` gathers. If too many
templates are missing, the removals are held until an operator accepts them, or until three runs over some time agree. A rejected
record without a readable ID may be any missing template, unless its media ID identifies it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from sync.catalog.served_records import RecordParser
    from sync.catalog.snapshot import Snapshot


ALWAYS_PLAUSIBLE = 10
"""Templates that one run may remove, however small the catalog."""


RUNS_THAT_AGREE = 3


LOOK_UPS = 200
"""Maximum number of look-ups; if more templates are missing, a second verified walk confirms."""


SAMPLE = 20
"""Look-ups of missing IDs, chosen at random, that must agree with a second walk."""


class HeldRemoval(NamedTuple):
    """The number of consecutive verified runs that agree on a removal, and the start time of the first of them."""

    runs: int
    since: datetime


class Unconfirmed(NamedTuple):
    """A missing template that is kept, because no look-up confirms its removal.

    Attributes:
        reason: one phrase.
        answered: whether its look-up had a response, so that an operator can accept the removal.
    """

    reason: str
    answered: bool


@dataclass(frozen=True, slots=True)
class RemovalRules:
    """The limits of removals.

    Attributes:
        max_removed: share of the present templates that one run may remove.
        hold: minimum seconds between the first run that agrees and the removal.
        accept: whether an operator accepts held and unconfirmed removals.
    """

    max_removed: Decimal
    hold: float
    accept: bool = False


@dataclass(frozen=True, slots=True)
class Removals:
    """The decision.

    Attributes:
        due: ID -> evidence, of the templates to remove.
        held: ID -> the runs that agree.
        unconfirmed: ID -> why it is kept.
        limit: maximum number of removals that are not held.
    """

    due: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, HeldRemoval] = field(default_factory=dict)
    unconfirmed: Mapping[str, Unconfirmed] = field(default_factory=dict)
    limit: int = 0

    @property
    def too_many_unconfirmed(self) -> bool:
        """Whether more absences are unconfirmed than the limit, so that the run is not a success."""
        return len(self.unconfirmed) > self.limit

    def why_held(self, missing: int, present: int, *, hold: float, now: datetime, empty: bool) -> str:
        """Return why removals are held, one phrase.

        Args:
            missing: number of missing templates.
            present: number of present templates in the database.
            hold: minimum seconds that a removal is held.
            now: start time of the run.
            empty: whether the catalog served no record.
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
        """Return one sentence about unconfirmed absences, with the most frequent reason."""
        reason = Counter(each.reason for each in self.unconfirmed.values()).most_common(1)[0][0]
        return (
            f"{len(self.unconfirmed)} of {present} templates are missing and their removal is not confirmed, and at most "
            f"{self.limit} may be; most of them: {reason}. They are kept."
        )


def removal_limit(whole: int, share: Decimal) -> int:
    """Return the maximum number of removals of one run: a share of the catalog, at least ALWAYS_PLAUSIBLE."""
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
    """Decide about the missing templates.

    Args:
        evidence: ID -> the second confirmation, `lookup` or `walks`.
        unconfirmed: the other missing templates. The limit applies to the sum, so that incomplete look-ups cannot remove a large
            part of the catalog over several runs.
        present: number of present templates in the database.
        rules: the limits.
        held_before: ID -> the consecutive verified runs before this one that agreed.
        now: start time of the run.
        catalog_is_empty: whether the catalog served no record. A broken server can do so for hours, so only an operator can
            accept it.
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
    """Count this run. If the clock was set back, the wait starts again."""
    return HeldRemoval(1, now) if before is None else HeldRemoval(before.runs + 1, min(before.since, now))


def _is_due(held: HeldRemoval, now: datetime, hold: float) -> bool:
    return held.runs >= RUNS_THAT_AGREE and (now - held.since).total_seconds() >= hold


AMBIGUOUS = Unconfirmed("a record that was served without a readable id may be this template", answered=False)


def drop_ambiguous_removals(evidence: Mapping[str, str], snapshot: Snapshot, parser: RecordParser) -> Mapping[str, str]:
    """Drop the evidence for templates that a served record without a readable ID may be.

    Args:
        evidence: ID -> the second confirmation.
        snapshot: the served records.
        parser: the parser of the records, which also loads stored documents.
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


RUNS_TO_DISTRUST_COUNT = 3
"""After more than this number of consecutive runs with the same IDs, the reported count is considered wrong."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """The state that a run takes over from earlier runs.

    Attributes:
        held: ID -> the consecutive verified runs that agreed on its removal.
        unconfirmed: ID -> why a missing template is kept.
        count_mismatch_ids: hash of the IDs that walks with a count mismatch served.
        count_mismatch_runs: number of consecutive runs with a count mismatch that served those IDs.
        count_mismatch_since: start time of the first of them; None if unknown.
        origin: scheme, host and port of the copied catalog; None until a verified run records it.
    """

    held: Mapping[str, HeldRemoval] = field(default_factory=dict)
    unconfirmed: Mapping[str, Unconfirmed] = field(default_factory=dict)
    count_mismatch_ids: str | None = None
    count_mismatch_runs: int = 0
    count_mismatch_since: datetime | None = None
    origin: str | None = None

    def count_is_wrong(self, now: datetime, hold: float) -> bool:
        """Return whether enough runs over enough time served the same IDs, so that the reported count must be wrong."""
        since = self.count_mismatch_since
        old_enough = since is not None and (now - since).total_seconds() >= hold
        return self.count_mismatch_runs > RUNS_TO_DISTRUST_COUNT and old_enough

    def with_count_result(self, verified: bool, ids: set[str], now: datetime) -> SyncState:  # noqa: FBT001 - one caller
        """Count the consecutive runs in which the reported count did not match the same served IDs."""
        if verified:
            return replace(self, count_mismatch_ids=None, count_mismatch_runs=0, count_mismatch_since=None)
        hashed = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
        again = hashed == self.count_mismatch_ids
        runs = min(self.count_mismatch_runs + 1, RUNS_TO_DISTRUST_COUNT + 1) if again else 1
        # If the clock was set back, the wait starts again.
        since = min(self.count_mismatch_since or now, now) if again else now
        return replace(self, count_mismatch_ids=hashed, count_mismatch_runs=runs, count_mismatch_since=since)

    def without_served(self, ids: set[str]) -> SyncState:
        """Drop held and unconfirmed removals of templates that are served again, even by an unverified walk."""
        held = {template_id: each for template_id, each in self.held.items() if template_id not in ids}
        unconfirmed = {template_id: each for template_id, each in self.unconfirmed.items() if template_id not in ids}
        return replace(self, held=held, unconfirmed=unconfirmed)
