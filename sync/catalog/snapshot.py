"""PURE. What the catalog served: good templates by id, what was set aside and why, and the names of all fields seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.catalog.set_aside import DISPUTED, MOST_KEPT, Rejected, drop_what_is_beside_a_bad_one, payload, reason_to_set_aside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.diff import LoadDocuments
    from sync.catalog.intake import Intake, Sighting


@dataclass(slots=True)
class Snapshot:
    """What the catalog served.

    Attributes:
        good: by id, in the order served.
        set_aside: records that are not believed, and the reason, one phrase.
        fields: names of all fields seen.
        good_fields: of those, the ones that a record which can be read carries, as far as anybody looked.
        nameless: those set aside that carry no id that can be read.
    """

    good: dict[str, Sighting] = field(default_factory=dict)
    set_aside: list[tuple[Sighting, str]] = field(default_factory=list)
    fields: frozenset[str] = frozenset()
    good_fields: frozenset[str] = frozenset()
    nameless: list[Sighting] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """Ids that were served, readable or not: none of them is missing."""
        return {*self.good, *(bad.template_id for bad, _ in self.set_aside if bad.template_id is not None)}

    @property
    def commonest_reason(self) -> str:
        """Why most of what is set aside is set aside."""
        return Counter(reason for _, reason in self.set_aside).most_common(1)[0][0] if self.set_aside else ""

    def rejected(self, intake: Intake, load: LoadDocuments) -> list[Rejected]:
        """Describe the first of the records that are set aside, as many as a run stores.

        One that is good by itself is shown as its document: of one that was recognised nothing else is left.
        """
        kept = self.set_aside[:MOST_KEPT]
        stored = load(sorted({str(bad.template_id) for bad, _ in kept if bad.reading is None}))

        def shown(bad: Sighting) -> str:
            if bad.reading is None:
                return payload(stored[str(bad.template_id)])
            return payload(intake.load(bad.reading).document if bad.readable else intake.value(bad))

        return [Rejected(bad.page, bad.position, bad.template_id, reason, shown(bad)) for bad, reason in kept]


def read_snapshot(sightings: Sequence[Sighting], intake: Intake, fields: frozenset[str] = frozenset()) -> Snapshot:
    """Judge all records of a walk, and of the look-ups after it, together.

    The same record twice is one, also when only its URLs were signed anew. Two different ones under one id cannot both be
    true, so neither is believed; nor is a good one beside a bad one: the bad one may be the newer.

    Args:
        sightings: every record, in the order served.
        intake: which took them in.
        fields: names of those seen on the walks.
    """
    tags_sent = "Tags" in fields
    looked_into = [(names, each) for each in sightings if (names := each.names)]
    snapshot = Snapshot(
        fields=fields.union(*{names for names, _ in looked_into}),
        good_fields=frozenset[str]().union(*{each.good_names for _, each in looked_into}),
    )
    disputed: set[str] = set()

    for each in sightings:
        if each.reading is not None and (reason := reason_to_set_aside(each.reading, each.page, tags_sent=tags_sent)):
            snapshot.set_aside.append((each, reason))
            if each.template_id is None:
                snapshot.nameless.append(each)
            continue
        template_id = str(each.template_id)  # a good record has one
        first = snapshot.good.setdefault(template_id, each)
        if first is each:
            continue
        if template_id not in disputed and (first.wire_hash == each.wire_hash or intake.meaning(first) == intake.meaning(each)):
            continue
        disputed.add(template_id)
        snapshot.set_aside.append((each, DISPUTED))
    drop_what_is_beside_a_bad_one(snapshot)
    return snapshot
