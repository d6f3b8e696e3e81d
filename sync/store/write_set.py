"""All that one run writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.catalog.diff import Change, ChangeSet
    from sync.catalog.rejection import RejectedRecord
    from sync.catalog.sync_state import SyncState
    from sync.catalog.template import Document
    from sync.run_record import Run


@dataclass(frozen=True, slots=True)
class WriteSet:
    """All that one run writes. `document_of` gives the document that a change leads to."""

    run: Run
    changes: ChangeSet
    rejected: Sequence[RejectedRecord]
    state: SyncState
    document_of: Callable[[Change], Document]
