"""PURE. What runs remember of the ones before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS_TO_DISTRUST_COUNT = 3
"""After so many runs in a row that served the same ids, the catalog's own count is taken to be wrong."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """What runs remember of the ones before.

    Attributes:
        held: id -> consecutive verified runs that agreed that it is gone.
        unreconciled_ids: hash of the ids that walks with a wrong count served.
        unreconciled_runs: how many such runs in a row served those ids.
    """

    held: Mapping[str, int] = field(default_factory=dict)
    unreconciled_ids: str | None = None
    unreconciled_runs: int = 0

    @property
    def count_is_wrong(self) -> bool:
        """Whether so many runs served the same ids that the catalog's own count must be what is wrong."""
        return self.unreconciled_runs > RUNS_TO_DISTRUST_COUNT

    def reconciled(self, verified: bool, ids: set[str]) -> SyncState:  # noqa: FBT001 - read aloud it is plain
        """Count for how many runs in a row the catalog's count and the same served ids have disagreed."""
        if verified:
            return replace(self, unreconciled_ids=None, unreconciled_runs=0)
        hashed = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
        runs = self.unreconciled_runs + 1 if hashed == self.unreconciled_ids else 1
        return replace(self, unreconciled_ids=hashed, unreconciled_runs=min(runs, RUNS_TO_DISTRUST_COUNT + 1))

    def without_held(self, ids: set[str]) -> SyncState:
        """Forget the held removals of what is served again, whether or not the rest of the walk can be believed."""
        return replace(self, held={template_id: runs for template_id, runs in self.held.items() if template_id not in ids})
