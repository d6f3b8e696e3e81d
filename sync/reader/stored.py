"""One template as the database holds it: its document, and what the runs say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.text import iso

if TYPE_CHECKING:
    from datetime import datetime

    from sync.catalog.template import Document


@dataclass(frozen=True, slots=True)
class Stored:
    """One template, now or at a run of the past. `removed_at` and `removed_run_id` are None while it is present."""

    document: Document
    content_hash: str
    first_seen_at: datetime
    changed_at: datetime
    removed_at: datetime | None
    first_seen_run_id: int
    changed_run_id: int
    removed_run_id: int | None

    def as_json(self) -> dict[str, Any]:
        """Write it as `show` does: the document, and three moments."""
        moments = {name: getattr(self, name) for name in ("first_seen_at", "changed_at", "removed_at")}
        return {**self.document, **{name: None if moment is None else iso(moment) for name, moment in moments.items()}}
