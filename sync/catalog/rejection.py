"""PURE. A bad record is rejected: with its reason, where it was served, and a bounded payload."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from sync.catalog.snapshot import Snapshot

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


def reject_reformatted(snapshot: Snapshot, present: Collection[str], *, most: int) -> None:
    """Reject records under known ids that are merely written otherwise (a space, a leading zero), if there are many.

    That is a changed format, not so many templates removed and as many added, which would double the catalog.

    Args:
        snapshot: what was served; it loses those records.
        present: ids that the database holds.
        most: how many such ids are tolerated.
    """
    served = snapshot.ids
    missing = {_plain(template_id) for template_id in present if template_id not in served}
    known = set(present) if missing else set()
    doubtful = [found for found in snapshot.good if found not in known and _plain(found) in missing] if missing else []
    if len(doubtful) > most:
        for found in doubtful:
            snapshot.rejected.append((snapshot.good.pop(found), "its id is a known template's, written otherwise"))


def _plain(template_id: str) -> str:
    """Reduce an id to what different spellings share: no width, case, signs, spaces or leading zeros."""
    letters = filter(str.isalnum, unicodedata.normalize("NFKC", template_id))
    return "".join(letters).lstrip("0").casefold()
