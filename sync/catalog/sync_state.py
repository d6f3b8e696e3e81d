"""PURE. The state that a run takes over from earlier runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sync.errors import OtherOrigin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sync.catalog.removals import HeldRemoval, Unconfirmed

RUNS_TO_DISTRUST_COUNT = 3
"""After more than this number of consecutive runs with the same IDs, the reported count is considered wrong."""

LOOPBACK_ORIGIN = "loopback"
"""Stands for every loopback address: a sandbox gets another port at each start."""


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


def require_same_origin(recorded: str | None, configured: str) -> None:
    """Refuse to compare the tables with another catalog than the one that they are a copy of.

    Raises:
        OtherOrigin: naming both.
    """
    if recorded not in {None, configured}:
        raise OtherOrigin(_shown(recorded), _shown(configured))


def _shown(origin: str | None) -> str:
    return "a loopback address (a sandbox)" if origin == LOOPBACK_ORIGIN else str(origin)
