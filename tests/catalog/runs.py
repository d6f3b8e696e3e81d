"""A run as the core sees it: records as bytes in, a snapshot and its changes out; no endpoint, no database, no clock."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.catalog.diff import ChangeSet, Previous, compare
from sync.catalog.hashes import content_hash
from sync.catalog.intake import Intake
from sync.catalog.raw_record import LOOK_UP
from sync.catalog.snapshot import Snapshot, read_snapshot
from sync.spool import Spool
from tests.builders import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.diff import Change
    from sync.catalog.intake import Sighting, Spooled
    from sync.catalog.template import Document


class Text(str):
    """JSON text, for `wire` to write as it stands."""

    __slots__ = ()


def wire(value: Any) -> bytes:
    """Write a record as the bytes of an answer; a Decimal with all its digits. Bytes stay as they are."""
    return value if isinstance(value, bytes) else _text(value).encode()


def _text(value: Any) -> str:
    if isinstance(value, Text | Decimal):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)}: {_text(inner)}' for name, inner in value.items())}}}"
    return json.dumps(value)


def twice(value: dict[str, Any]) -> Text:
    """Write an object that says its first key twice, with two values."""
    return Text(f"{_text(value)[:-1]}, {json.dumps(next(iter(value)))}: 0}}")


def nested(levels: int) -> Text:
    """Write 1 in so many lists."""
    return Text("[" * levels + "1" + "]" * levels)


def nothing_stored(ids: Sequence[str]) -> dict[str, Document]:
    """Stand for the documents of a database in which nothing can have been recognised."""
    assert not ids
    return {}


def fields_of(sightings: Sequence[Sighting]) -> frozenset[str]:
    """Name the fields seen on a walk, as it hands them over; a look-up is none."""
    return frozenset[str]().union(*(each.names or () for each in sightings if each.page != LOOK_UP))


def take_in(*records: Any, page: int = 1) -> tuple[Snapshot, Intake]:
    """Read records as those of a first run's page."""
    intake = Intake({}, frozenset(), Spool())
    sightings = intake.take(page, map(wire, records))
    return read_snapshot(sightings, intake, fields_of(sightings)), intake


def kept_of(record: Any) -> Spooled:
    """Give what the spool keeps of one record."""
    (sighting,) = (intake := Intake({}, frozenset(), Spool())).take(1, [wire(record)])
    assert sighting.reading is not None
    return intake.load(sighting.reading)


def document_of(record: Any) -> Document:
    """Give a good record's document."""
    written = kept_of(record).document
    assert written is not None
    return written


class Run(NamedTuple):
    """What one run found."""

    changes: ChangeSet
    snapshot: Snapshot
    intake: Intake

    def document(self, change: Change) -> Document:
        """Give the document that a change carries."""
        written = self.intake.load(change.reading).document
        assert written is not None
        return written

    def told(self) -> dict[str, Any]:
        """Give all that is stored or published, but for hashes of bytes and places in the spool."""
        of = self.changes
        return {
            "published": [(each.kind, each.template_id, each.fields, self.document(each)) for each in of.changes],
            "unpublished": {each.template_id: self.document(each) for each in of.unpublished},
            "unchanged": of.unchanged,
            "fields": (of.appeared, of.vanished, of.wire_fields, of.absent_fields),
            "set aside": [(bad.page, bad.position, bad.template_id, reason) for bad, reason in self.snapshot.set_aside],
        }


@dataclass
class Memory:
    """What runs remember from one to the next, were each applied.

    Attributes:
        known: id -> the hash of the bytes that were stored last, None where they must be read again.
        asked: how often each stored document was asked for.
    """

    known: dict[str, str | None] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    wire_fields: frozenset[str] | None = None
    absent_fields: frozenset[str] = frozenset()
    asked: Counter[str] = field(default_factory=Counter)

    def load(self, ids: Sequence[str]) -> dict[str, Document]:
        """Give stored documents."""
        self.asked.update(ids)
        return {key: self.documents[key] for key in ids}

    def forget_bytes(self) -> None:
        """Let nothing be recognised in the next run."""
        self.known = dict.fromkeys(self.known)

    def look(self, *records: Any, complete: bool = True) -> Run:
        """Find out what a run changes in which one page is served."""
        previous = Previous(dict(self.known), self.wire_fields, self.absent_fields)
        meaning = lambda key: content_hash(self.documents[key])  # noqa: E731 - it is one argument
        intake = Intake(previous.known, previous.sent_fields, Spool(), stored_hash=meaning)
        intake.begin_walk()
        sightings = intake.take(1, map(wire, records))
        snapshot = read_snapshot(sightings, intake, fields_of(sightings))
        return Run(compare(previous, snapshot, intake, self.load, complete=complete), snapshot, intake)

    def run(self, *records: Any, complete: bool = True) -> Run:
        """Find that out, and remember it."""
        found = self.look(*records, complete=complete)
        for change in (*found.changes.changes, *found.changes.unpublished):
            self.documents[change.template_id] = found.document(change)
            self.known[change.template_id] = change.wire_hash
        self.known |= found.changes.respelled
        self.wire_fields, self.absent_fields = found.changes.wire_fields, found.changes.absent_fields
        return found


BASE = {
    "Tags": ["热", "新"],
    "Tags_en": ["Hot", "New"],
    "SupportAspectRatio": "9:16,1:1",
    "Cover": "https://m.example/c.jpeg?sig=1",
    "PreviewVideo": "https://m.example/p.mp4",
    "ConsumeItems": [{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 355.2}],
    "Later": {"a": [1, 2], "url": "https://m.example/x?sig=1"},
}


def base(template_id: str = "1", /, **changes: Any) -> dict[str, Any]:
    """Make a record with a value in every field, and one unknown field."""
    return record(template_id, **{**BASE, **changes})


def compared(before: list[dict[str, Any]], after: list[dict[str, Any]], *, complete: bool = True) -> Run:
    """Run over one catalog and then over another; give what the second run found, which must not rest on recognition."""
    found = []
    for recognising in (True, False):
        memory = Memory()
        memory.run(*before)
        if not recognising:
            memory.forget_bytes()
        found.append(memory.look(*after, complete=complete))
    assert found[0].told() == found[1].told()
    assert found[1].intake.recognised == 0
    return found[0]


def told(**changes: Any) -> list[dict[str, Any]]:
    """Give the fields told when one of two templates changes so."""
    found = compared([base(), base("2")], [base(**changes), base("2")])
    return [each for change in found.changes.changes for each in change.fields]
