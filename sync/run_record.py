"""PURE. One attempt to synchronise: what its row in `sync_runs` says."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sync.text import iso

if TYPE_CHECKING:
    from datetime import datetime


class Status(StrEnum):
    """How an attempt stands. Every one ends in exactly one that is not `running`."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD = "held"
    INCOMPLETE = "incomplete"
    DEFERRED = "deferred"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt.

    Attributes:
        bytes: as sent over the wire.
        held: removals that wait.
        unconfirmed: templates that are missing, and kept because no look-up confirms that they are gone.
        fence: None if it got no lease.
    """

    run_id: int | None
    trigger: str
    status: Status
    started_at: datetime
    finished_at: datetime | None = None
    catalog_total: int | None = None
    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seen: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    held: int = 0
    unconfirmed: int = 0
    fields_appeared: tuple[str, ...] = ()
    fields_vanished: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = None
    fence: int | None = None
    holder: str = ""
    version: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.finished_at is None else round((self.finished_at - self.started_at).total_seconds(), 3)

    @property
    def changes(self) -> int:
        """How many changes it recorded."""
        return self.added + self.removed + self.changed

    def row(self) -> dict[str, Any]:
        """Write it as a row of `sync_runs`, without its key."""
        row = {column.name: getattr(self, column.name) for column in fields(self) if column.name != "run_id"}
        row["status"] = str(self.status)
        for name in ("fields_appeared", "fields_vanished"):
            row[name] = list(row[name]) or None
        return row

    def as_json(self) -> dict[str, Any]:
        """Write it as JSON: the row, with times as text, and how many seconds it took."""
        row = {"run_id": self.run_id, **self.row(), "seconds": self.seconds}
        for name in ("started_at", "finished_at"):
            row[name] = None if row[name] is None else iso(row[name])
        for name in ("fields_appeared", "fields_vanished"):
            row[name] = list(getattr(self, name))
        return row


def from_row(row: dict[str, Any]) -> Run:
    """Read a row of `sync_runs`."""
    known = {column.name: row[column.name] for column in fields(Run)}  # not the token, nor what else is the store's own
    lists = {name: tuple(row[name] or ()) for name in ("fields_appeared", "fields_vanished")}
    return Run(**{**known, **lists, "status": Status(row["status"])})
