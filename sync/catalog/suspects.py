"""PURE. A record without a readable id may be any template: a look-up does not prove that such a template is gone.

Its media id tells which template that is; where that cannot be read either, it may be any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.catalog.removals import Unconfirmed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.catalog.diff import LoadDocuments
    from sync.catalog.intake import Intake
    from sync.catalog.snapshot import Snapshot

AMBIGUOUS = Unconfirmed("a record that was served without a readable id may be this template", answered=False)


def drop_ambiguous_removals(
    evidence: Mapping[str, str], snapshot: Snapshot, intake: Intake, load: LoadDocuments
) -> Mapping[str, str]:
    """Drop the evidence against templates that a record without an id may stand for.

    Args:
        evidence: id -> the second confirmation.
        snapshot: what was served.
        intake: which holds its records.
        load: reads stored documents, of all ids at once: there are few where this is needed at all.
    """
    if not snapshot.nameless or not evidence:
        return evidence
    values = [intake.value(each) for each in snapshot.nameless]
    media = [value.get("MediaId") if isinstance(value, dict) else None for value in values]
    if not all(isinstance(each, str) and each for each in media):
        return {}
    suspects = {*media, None}
    stored = load(list(evidence))
    return {gone: how for gone, how in evidence.items() if stored[gone]["media_id"] not in suspects}
