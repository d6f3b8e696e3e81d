"""PURE. What a run will write: the changes of the catalog, the rejected records, the state for the next run, and its own row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sync.catalog.diff import document_of
from sync.catalog.run_record import finish

if TYPE_CHECKING:
    from datetime import datetime

    from sync.catalog.diff import Change, ChangeSet
    from sync.catalog.document import Document
    from sync.catalog.removals import SyncState
    from sync.catalog.run_record import Requests, Run
    from sync.catalog.served_records import RecordParser
    from sync.catalog.snapshot import RejectedRecord, Snapshot
    from sync.errors import SyncError


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will write.

    Attributes:
        snapshot: what the catalog served.
        changes: the differences from the stored catalog.
        state: what the next run needs to know.
        origin: scheme, host and port of the catalog.
        parser: holds the bytes of the parsed records.
        total: the number of templates that the catalog reports.
        pages: the number of pages.
        problem: the error of a run that applies only a part; None for a success.
    """

    snapshot: Snapshot
    changes: ChangeSet
    state: SyncState
    origin: str
    parser: RecordParser
    total: int | None = None
    pages: int = 0
    problem: SyncError | None = None

    def rejected(self) -> list[RejectedRecord]:
        """Return the rejected records, as they are stored."""
        return self.snapshot.rejected_records(self.parser)

    def document_of(self, change: Change) -> Document:
        """Return the document after a change; for a removal, the last one before it."""
        return document_of(change, self.parser)

    def finished(self, run: Run, statistics: Requests, now: datetime) -> Run:
        """Return the row of a run that applies this plan."""
        return replace(
            finish(run, self.problem, statistics, now),
            catalog_total=self.total,
            pages=self.pages,
            seen=len(self.snapshot.ids),
            added=self.changes.count("added"),
            removed=self.changes.count("removed"),
            changed=self.changes.count("changed"),
            unchanged=self.changes.unchanged,
            rejected=len(self.snapshot.rejected),
            held=len(self.state.held),
            unconfirmed=len(self.state.unconfirmed),
            fields_appeared=self.changes.appeared,
            fields_vanished=self.changes.vanished,
        )
