"""All that one run writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.catalog.diff import ChangeSet
    from sync.catalog.intake import Reading, Spooled
    from sync.catalog.set_aside import Rejected
    from sync.catalog.sync_state import SyncState
    from sync.run_record import Run


@dataclass(frozen=True, slots=True)
class WriteSet:
    """All that one run writes. `read` reads a change's document back from the spool."""

    run: Run
    changes: ChangeSet
    rejected: Sequence[Rejected]
    state: SyncState
    read: Callable[[Reading], Spooled]
