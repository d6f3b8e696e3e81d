"""PURE. Which templates that the catalog no longer serves are removed now, which wait, and which stay.

A removal needs two witnesses. The first is absence from a walk that can be believed; the second, which `confirm_removals`
gathers, is what `evidence` holds for an id. And a removal that is too large to be plausible waits for a person, or for three
runs that agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


ALWAYS_PLAUSIBLE = 10
"""Templates. So many may go in one run whatever share of a small catalog they are."""


RUNS_THAT_AGREE = 3


LOOK_UPS = 200
"""Above so many missing templates a second verified walk is the second witness: one look-up each would take minutes."""


@dataclass(frozen=True, slots=True)
class Removals:
    """The decision.

    Attributes:
        now: id -> evidence, of the templates to remove.
        held: id -> how many consecutive verified runs agree that it is gone.
        limit: the most removals that would have been plausible.
    """

    now: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    limit: int = 0

    def why_held(self, missing: int, present: int, *, empty: bool) -> str:
        """Say why removals wait, one phrase."""
        if empty:
            return "the catalog is empty, and that is accepted by a person only"
        agree = max(self.held.values())
        return (
            f"{missing} of {present} templates are missing, and at most {self.limit} may go at once"
            f"; {agree} of {RUNS_THAT_AGREE} runs agree so far"
        )


def plausible(whole: int, share: Decimal) -> int:
    """Count how many of so many templates may be lost at once: a share of them, and always a few."""
    return max(ALWAYS_PLAUSIBLE, int(whole * share))


def decide_removals(
    evidence: Mapping[str, str],
    *,
    missing: int,
    present: int,
    max_removed: Decimal,
    held_before: Mapping[str, int],
    accept: bool,
    catalog_is_empty: bool,
) -> Removals:
    """Decide about the templates that two witnesses say are gone.

    Args:
        evidence: id -> the second witness, `lookup` or `walks`.
        missing: how many templates the walk did not bring, with or without a second witness. They are what must be plausible:
            of a hundred missing, look-ups that are cut short must not remove ten now and ten in every later run.
        present: how many templates the database holds as present.
        max_removed: the share of them that may go in one run.
        held_before: id -> consecutive verified runs before this one that agreed.
        accept: a person has accepted implausible removals.
        catalog_is_empty: nothing at all was served. A broken server looks like that for hours, so agreement of several
            runs proves nothing then, however few templates there were; only a person can accept it.
    """
    limit = plausible(present, max_removed)
    if missing <= limit and not catalog_is_empty:
        return Removals(now=evidence, limit=limit)
    if accept:
        return Removals(now=dict.fromkeys(evidence, "accepted"), limit=limit)
    agreed = {template_id: held_before.get(template_id, 0) + 1 for template_id in evidence}
    if catalog_is_empty:
        return Removals(held=agreed, limit=limit)
    now = {template_id: evidence[template_id] for template_id, runs in agreed.items() if runs >= RUNS_THAT_AGREE}
    return Removals(
        now=now, held={template_id: runs for template_id, runs in agreed.items() if template_id not in now}, limit=limit
    )
