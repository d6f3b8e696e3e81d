"""PURE. What a run needs to know of the runs before it."""

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
"""After so many consecutive runs that served the same ids, the catalog's own count is taken to be wrong."""

LOOPBACK_ORIGIN = "loopback"
"""Stands for every loopback address: a sandbox gets another port at each start."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """What a run needs to know of the runs before it.

    Attributes:
        held: id -> the consecutive verified runs that agreed that it is gone.
        unconfirmed: id -> why it is kept although a verified walk lacked it.
        count_mismatch_ids: hash of the ids that walks with a wrong count served.
        count_mismatch_runs: how many such consecutive runs served those ids.
        count_mismatch_since: when the first of them began; None where that is not known.
        origin: scheme, host and port of the catalog that the tables are a copy of; None until a verified run records it.
    """

    held: Mapping[str, HeldRemoval] = field(default_factory=dict)
    unconfirmed: Mapping[str, Unconfirmed] = field(default_factory=dict)
    count_mismatch_ids: str | None = None
    count_mismatch_runs: int = 0
    count_mismatch_since: datetime | None = None
    origin: str | None = None

    def count_is_wrong(self, now: datetime, hold: float) -> bool:
        """Tell whether enough runs over enough time served the same ids, so that the catalog's own count must be wrong."""
        since = self.count_mismatch_since
        old_enough = since is not None and (now - since).total_seconds() >= hold
        return self.count_mismatch_runs > RUNS_TO_DISTRUST_COUNT and old_enough

    def with_count_result(self, verified: bool, ids: set[str], now: datetime) -> SyncState:  # noqa: FBT001 - read aloud it is plain
        """Count the consecutive runs in which the catalog's count disagreed with the same served ids."""
        if verified:
            return replace(self, count_mismatch_ids=None, count_mismatch_runs=0, count_mismatch_since=None)
        hashed = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
        again = hashed == self.count_mismatch_ids
        runs = min(self.count_mismatch_runs + 1, RUNS_TO_DISTRUST_COUNT + 1) if again else 1
        # A clock that was set back begins the wait anew.
        since = min(self.count_mismatch_since or now, now) if again else now
        return replace(self, count_mismatch_ids=hashed, count_mismatch_runs=runs, count_mismatch_since=since)

    def without_served(self, ids: set[str]) -> SyncState:
        """Forget what is served again, whether or not the rest of the walk is verified."""
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
