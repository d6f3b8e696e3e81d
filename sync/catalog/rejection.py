"""PURE. Rejected records: reason, page and position, and a bounded payload."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sync.catalog.fields import storage_flaw

PAYLOAD_SHOWN = 4000
REASON_SHOWN = 300
MOST_KEPT = 1000  # rejected records that one run stores; the count in `sync_runs` includes all
DISPUTED = "the catalog served two different records under this TemplateId"
TAGS_UNPAIRED = "Tags_en has items, and Tags is missing"


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A rejected record, as it is stored."""

    page: int
    position: int
    template_id: str | None
    reason: str
    payload: str


class RecordRejected(Exception):
    """The reason why a record is rejected, one short phrase; never an error of the run."""


def require_storable(value: str, name: str) -> None:
    """Reject a string that a database cannot store."""
    if flaw := storage_flaw(value):
        raise RecordRejected(f"{name} holds {flaw}")


def payload(record: Any) -> str:
    """Write a record in ASCII, truncated, so that every database can store it."""
    try:
        text = json.dumps(record, default=str, sort_keys=True)
    except (RecursionError, ValueError, TypeError):
        return "(too deeply nested to show)"
    return cut(text, PAYLOAD_SHOWN)


def cut(text: str, length: int) -> str:
    """Truncate a text and append its original length."""
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"
