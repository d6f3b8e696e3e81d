"""PURE. Decide which missing templates are removed now, which removals are held, and which stay unconfirmed.

A removal requires two confirmations: absence from a verified walk, and the evidence that `confirm_removals` gathers. If too many
templates are missing, the removals are held until an operator accepts them, or until at least three runs over some time agree. A
rejected record without a readable ID may be any missing template, unless its media ID identifies it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from sync.catalog.run_record import BY_CODE
from sync.errors import RemovalsHeld, SyncError, WalkUnverified

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sync.catalog.served_records import RecordParser, ServedRecord
    from sync.catalog.snapshot import Snapshot


ALWAYS_PLAUSIBLE = 10  # templates that one run may remove, however small the catalog
RUNS_THAT_AGREE = 3
LOOK_UPS = 200  # maximum number of look-ups; if more templates are missing, a second verified walk confirms
MOST_REJECTED = Decimal("0.1")  # share of the served records that may be rejected in a verified walk
SAMPLE = 20  # look-ups of missing IDs, chosen at random, that must agree with a second walk


class HeldRemoval(NamedTuple):
    """The number of consecutive verified runs that agree on a removal, and the start time of the first of them."""

    runs: int
    since: datetime


class Unconfirmed(NamedTuple):
    """A missing template that is kept, because its removal is not confirmed.

    Attributes:
        reason: one phrase.
        answered: whether its look-up had a response, so that an operator can accept the removal.
    """

    reason: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The result of confirming removals.

    Attributes:
        evidence: ID -> `lookup` or `walks`, for templates that are confirmed as gone.
        unconfirmed: ID -> reason, for the other missing templates that were not found.
        found: records of templates that a look-up or the second walk found.
        problem: why look-ups are no evidence, one phrase; empty if they are.
        missing: documented fields without a value in every record of the second walk.
    """

    evidence: dict[str, str] = field(default_factory=dict)
    unconfirmed: dict[str, Unconfirmed] = field(default_factory=dict)
    found: list[ServedRecord] = field(default_factory=list)
    problem: str = ""
    missing: frozenset[str] = frozenset()

    def without_evidence(self, reason: str) -> Confirmation:
        """Drop the evidence for this reason; the templates become unconfirmed, with a look-up response."""
        answered = dict.fromkeys(self.evidence, Unconfirmed(reason, answered=True))
        return replace(self, evidence={}, unconfirmed=self.unconfirmed | answered)

    def without_answers(self) -> Confirmation:
        """Exclude the unconfirmed templates from `--accept-removals`, which requires a verified walk."""
        return replace(self, unconfirmed={key: each._replace(answered=False) for key, each in self.unconfirmed.items()})


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run.

    Attributes:
        max_removed: share of the present templates that one run may remove.
        hold: minimum seconds between the first run that agrees on a held removal and the removal.
    """

    page_size: int = 50
    max_removed: Decimal = Decimal("0.1")
    accept_removals: bool = False
    hold: float = 3600.0


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


def removal_limit(whole: int, share: Decimal) -> int:
    """Return the maximum number of removals, or of rejected records, of one run: a share, at least ALWAYS_PLAUSIBLE."""
    return max(ALWAYS_PLAUSIBLE, int(whole * share))


def decide_removals(
    evidence: Mapping[str, str],
    unconfirmed: Mapping[str, Unconfirmed],
    *,
    present: int,
    options: RunOptions,
    held_before: Mapping[str, HeldRemoval],
    now: datetime,
    catalog_is_empty: bool,
) -> Removals:
    """Decide about the missing templates, with evidence (ID -> `lookup` or `walks`) and without; `now`: the start of the run.

    The limit applies to the sum, so that incomplete look-ups cannot remove a large part of the catalog over several runs. A
    broken server can serve an empty catalog for hours, so only an operator can accept it.
    """
    limit = removal_limit(present, options.max_removed)
    plausible = len(evidence) + len(unconfirmed) <= limit and not catalog_is_empty
    if options.accept_removals:
        confirmed = evidence if plausible else dict.fromkeys(evidence, "accepted")
        accepted = {template_id: "accepted" for template_id, each in unconfirmed.items() if each.answered}
        kept = {template_id: each for template_id, each in unconfirmed.items() if not each.answered}
        return Removals({**confirmed, **accepted}, unconfirmed=kept, limit=limit)
    if plausible:
        return Removals(evidence, unconfirmed=unconfirmed, limit=limit)
    held: dict[str, HeldRemoval] = {}
    due: dict[str, str] = {}
    for template_id, how in evidence.items():
        runs, since = held_before.get(template_id, (0, now))
        since = min(since, now)  # if the clock was set back, the wait starts again
        if runs + 1 >= RUNS_THAT_AGREE and (now - since).total_seconds() >= options.hold and not catalog_is_empty:
            due[template_id] = how
        else:
            held[template_id] = HeldRemoval(runs + 1, since)
    return Removals(due, held, unconfirmed, limit)


def removal_problem(
    removals: Removals, absent: int, present: int, *, hold: float, now: datetime, empty: bool
) -> SyncError | None:
    """Return the error of a run whose removals are held, or with more unconfirmed ones than the limit; None if neither."""
    if removals.held:
        why = "the catalog is empty, which only an operator can accept"
        if not empty:
            runs, since = max(each.runs for each in removals.held.values()), min(each.since for each in removals.held.values())
            of = f" of {RUNS_THAT_AGREE}" if runs < RUNS_THAT_AGREE else ""
            left = max(0.0, hold - (now - since).total_seconds())
            why = (
                f"{absent} of {present} templates are missing, and at most {removals.limit} may be removed at once; "
                f"{runs}{of} runs agree so far, "
                f"the first at {since:%Y-%m-%d %H:%M:%S} UTC{f', and SYNC_HOLD ends in {left:.0f} s' if left else ''}"
            )
        return RemovalsHeld(f"{len(removals.held)} removals are held: {why}.", hint=BY_CODE["held"].action)
    if len(removals.unconfirmed) > removals.limit:
        reason = Counter(each.reason for each in removals.unconfirmed.values()).most_common(1)[0][0]
        return WalkUnverified(
            f"{len(removals.unconfirmed)} of {present} templates are missing without a confirmed removal, more than the limit of "
            f"{removals.limit}; most frequent reason: {reason}. They are kept.",
            hint=BY_CODE["unconfirmed"].action,
            code="unconfirmed",
        )
    return None


AMBIGUOUS = Unconfirmed("a record that was served without a readable id may be this template", answered=False)

FOUND = Unconfirmed("its look-up found it, but the walk did not serve it", answered=False)


def drop_ambiguous_removals(confirmation: Confirmation, snapshot: Snapshot, parser: RecordParser) -> Confirmation:
    """Make each template that could be removed or accepted AMBIGUOUS if a served record without a readable ID may be it."""
    ambiguous = [*confirmation.evidence, *(key for key, each in confirmation.unconfirmed.items() if each.answered)]
    if not snapshot.without_id or not ambiguous:
        return confirmation
    values = [parser.decode(record) for record in snapshot.without_id]
    media = [value.get("MediaId") if isinstance(value, dict) else None for value in values]
    if all(isinstance(each, str) and each for each in media):
        stored, media_ids = parser.load_documents(ambiguous), {*media, None}
        ambiguous = [key for key in ambiguous if stored[key]["media_id"] in media_ids]
    unconfirmed = confirmation.unconfirmed | dict.fromkeys(ambiguous, AMBIGUOUS)
    evidence = {key: how for key, how in confirmation.evidence.items() if key not in unconfirmed}
    return replace(confirmation, evidence=evidence, unconfirmed=unconfirmed)


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
        runs, since = self.count_mismatch_runs, self.count_mismatch_since
        return runs > RUNS_TO_DISTRUST_COUNT and since is not None and (now - since).total_seconds() >= hold

    def with_count_result(self, verified: bool, ids: set[str], now: datetime) -> SyncState:  # noqa: FBT001 - one caller
        """Count the consecutive runs in which the reported count did not match the same served IDs."""
        if verified:
            return replace(self, count_mismatch_ids=None, count_mismatch_runs=0, count_mismatch_since=None)
        hashed = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
        if hashed != self.count_mismatch_ids:
            return replace(self, count_mismatch_ids=hashed, count_mismatch_runs=1, count_mismatch_since=now)
        runs = min(self.count_mismatch_runs, RUNS_TO_DISTRUST_COUNT) + 1
        since = min(self.count_mismatch_since or now, now)  # if the clock was set back, the wait starts again
        return replace(self, count_mismatch_runs=runs, count_mismatch_since=since)

    def without_served(self, ids: set[str]) -> SyncState:
        """Drop held and unconfirmed removals of templates that are served again, even by an unverified walk."""
        held = {template_id: each for template_id, each in self.held.items() if template_id not in ids}
        unconfirmed = {template_id: each for template_id, each in self.unconfirmed.items() if template_id not in ids}
        return replace(self, held=held, unconfirmed=unconfirmed)
