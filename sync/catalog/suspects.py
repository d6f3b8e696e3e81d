"""PURE. A rejected record without a readable id may be any absent template: a look-up proves nothing about that one.

Its media id tells which template it is; without one it may be any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.catalog.removals import Unconfirmed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.catalog.served_records import RecordParser
    from sync.catalog.snapshot import Snapshot

AMBIGUOUS = Unconfirmed("a record that was served without a readable id may be this template", answered=False)


def drop_ambiguous_removals(evidence: Mapping[str, str], snapshot: Snapshot, parser: RecordParser) -> Mapping[str, str]:
    """Drop the evidence against templates that a record without an id may stand for.

    Args:
        evidence: id -> the second confirmation.
        snapshot: what was served.
        parser: parsed its records, and reads stored documents.
    """
    without_id = snapshot.without_id
    if not without_id or not evidence:
        return evidence
    values = [parser.read(record) for record in without_id]
    media = [value.get("MediaId") if isinstance(value, dict) else None for value in values]
    if not all(isinstance(each, str) and each for each in media):
        return {}
    suspects = {*media, None}
    stored = parser.load_documents(list(evidence))
    return {gone: how for gone, how in evidence.items() if stored[gone]["media_id"] not in suspects}
