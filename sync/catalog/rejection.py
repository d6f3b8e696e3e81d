"""PURE. A bad record is rejected: with its reason, where it was served, and a bounded payload."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

PAYLOAD_SHOWN = 4000
REASON_SHOWN = 300
MOST_KEPT = 1000
"""Rejected records that one run stores; the count in `sync_runs` is of all of them."""
DISPUTED = "the catalog served two different records under this TemplateId"
TAGS_UNPAIRED = "Tags_en has items, and Tags is missing"


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that was rejected, as it is stored."""

    page: int
    position: int
    template_id: str | None
    reason: str
    payload: str


class RecordRejected(Exception):
    """Why a record is rejected, one short phrase; never an error of the run."""


def payload(record: Any) -> str:
    """Write a bad record in plain ASCII, cut to a bounded size: every database can store it, whatever is wrong with it."""
    try:
        text = json.dumps(record, default=str, sort_keys=True)
    except (RecursionError, ValueError, TypeError):
        return "(too deeply nested to show)"
    return cut(text, PAYLOAD_SHOWN)


def cut(text: str, length: int) -> str:
    """Cut a text to so many characters and say how many it had."""
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"
