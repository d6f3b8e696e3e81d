"""PURE. A bad record is set aside: with its reason, where it was served, and a bounded payload."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.catalog.raw_record import LOOK_UP

if TYPE_CHECKING:
    from collections.abc import Collection

    from sync.catalog.intake import Reading
    from sync.catalog.snapshot import Snapshot

PAYLOAD_SHOWN = 4000
REASON_SHOWN = 300
DISPUTED = "the catalog served two different records under this TemplateId"
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


def reason_to_set_aside(reading: Reading, page: int, *, tags_sent: bool) -> str | None:
    """Say why a record is set aside, one phrase; None if it is good by itself. `validation` found it, as the record came in.

    Args:
        reading: what came of reading it.
        page: on which it was served.
        tags_sent: whether some record of the catalog has `Tags`: in such a catalog one without them is bad.
    """
    return reading.reason_if_tags if tags_sent or page == LOOK_UP else reading.reason


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


def drop_what_is_beside_a_bad_one(snapshot: Snapshot) -> None:
    """Believe no good record under the id of a bad one: the bad one may be the newer."""
    for bad, _reason in snapshot.set_aside:
        if bad.template_id is not None:
            snapshot.good.pop(bad.template_id, None)


def set_aside_reformatted(snapshot: Snapshot, present: Collection[str], *, most: int) -> None:
    """Set aside records under known ids that are merely written otherwise (a space, a leading zero), if there are many.

    That is a changed format, not so many templates gone and as many new: taken for that it would double the whole catalog.

    Args:
        snapshot: what was served; it loses those records.
        present: ids that the database holds.
        most: how many such ids may be chance.
    """
    served = snapshot.ids
    missing = {_plain(template_id) for template_id in present if template_id not in served}
    known = set(present) if missing else set()
    doubtful = [found for found in snapshot.good if found not in known and _plain(found) in missing] if missing else []
    if len(doubtful) > most:
        for found in doubtful:
            snapshot.set_aside.append((snapshot.good.pop(found), "its id is a known template's, written otherwise"))


def _plain(template_id: str) -> str:
    """Write an id without what tells writings apart: width and case of its letters, signs and spaces, leading zeros."""
    letters = filter(str.isalnum, unicodedata.normalize("NFKC", template_id))
    return "".join(letters).lstrip("0").casefold()
