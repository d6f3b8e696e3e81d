"""PURE. A bad record is set aside: with its reason, where it was served, and a bounded payload."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

PAYLOAD_SHOWN = 4000
REASON_SHOWN = 300
MOST_KEPT = 1000
"""Set-aside records that one run stores; the count in `sync_runs` is of all of them."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read."""

    page: int
    position: int
    template_id: str | None
    reason: str
    payload: str


class Unreadable(Exception):
    """Why a record cannot be read, one short phrase; a reason on its way to `Rejected`, never an error of the run."""


def payload(record: Any) -> str:
    """Write a bad record in plain ASCII, cut to a sane size: whatever is wrong with it, every database can store this."""
    try:
        text = json.dumps(record, default=str, sort_keys=True)
    except (RecursionError, ValueError, TypeError):
        return "(too deeply nested to show)"
    return cut(text, PAYLOAD_SHOWN)


def cut(text: str, length: int) -> str:
    """Cut a text to so many characters and say how many it had."""
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"
