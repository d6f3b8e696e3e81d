"""A run as the core sees it: records as bytes in, a snapshot and its changes out; no endpoint, no database, no clock."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.catalog.diff import ChangeSet, compare
from sync.catalog.diff import document_of as document_after
from sync.catalog.json_values import decode_json
from sync.catalog.parsing import parse_record
from sync.catalog.served_records import LOOK_UP, RecordParser, wire_hash
from sync.catalog.snapshot import Snapshot, build_snapshot
from tests.builders import record
from tests.proof.store_model import apply_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sync.catalog.diff import Change
    from sync.catalog.document import Document
    from sync.catalog.served_records import ServedRecord


class Text(str):
    """JSON text that `wire` writes unchanged."""

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
    """Write an object with its first key twice: with its value, and then with 0."""
    return Text(f"{_text(value)[:-1]}, {json.dumps(next(iter(value)))}: 0}}")


def nested(levels: int) -> Text:
    """Write 1 in so many lists."""
    return Text("[" * levels + "1" + "]" * levels)


def nothing_stored(ids: Sequence[str]) -> dict[str, Document]:
    """Load documents from an empty database: no record can be unchanged."""
    assert not ids
    return {}


def new_parser(stored: Mapping[str, str | None] | None = None, **options: Any) -> RecordParser:
    """Make the parser of a run."""
    return RecordParser(stored or {}, **{"load_documents": nothing_stored, **options})


def hashes_of(*records: dict[str, Any]) -> dict[str, str | None]:
    """Return the stored hashes after a run over these records."""
    return {each["TemplateId"]: wire_hash(wire(each)) for each in records}


def read(*records: Any, page: int = 1) -> tuple[Snapshot, RecordParser]:
    """Parse records as those of a first run's page."""
    parser = new_parser()
    served = parser.parse_page(page, map(wire, records))
    return build_snapshot(served, parser.missing, parser), parser


def document_of(record: Any) -> Document:
    """Return the document of a valid record."""
    return parse_record(decode_json(wire(record)))


class Run(NamedTuple):
    """The result of one run."""

    changes: ChangeSet
    snapshot: Snapshot
    parser: RecordParser
    records: tuple[ServedRecord, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """Count the records that are unchanged by their hash, and those that were parsed."""
        unchanged = sum(each.offset is None for each in self.records)
        return unchanged, len(self.records) - unchanged

    @property
    def reasons(self) -> list[tuple[str | None, str]]:
        """Return the ids and reasons of the rejected records."""
        return [(bad.template_id, reason) for bad, reason in self.snapshot.rejected]

    @property
    def published(self) -> dict[str, list[dict[str, Any]]]:
        """Return the fields of the changed templates, by id."""
        return {each.template_id: [*each.fields] for each in self.changes.changes if each.kind == "changed"}

    def document(self, change: Change) -> Document:
        """Return the document after a change."""
        return document_after(change, self.parser)

    def result(self) -> dict[str, Any]:
        """Return everything that is stored or published, except hashes of bytes and positions in the spool."""
        of = self.changes
        return {
            "published": [(each.kind, each.template_id, each.fields, self.document(each)) for each in of.changes],
            "unpublished": {each.template_id: self.document(each) for each in of.unpublished},
            "unchanged": of.unchanged,
            "fields": (of.appeared, of.vanished),
            "rejected": [(bad.page, bad.position, bad.template_id, reason) for bad, reason in self.snapshot.rejected],
        }


@dataclass
class Memory:
    """The contents of the database between runs.

    Attributes:
        stored: id -> the hash of the bytes that were stored last, None where they must be read again.
        loaded: how often each stored document was read.
    """

    stored: dict[str, str | None] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    loaded: Counter[str] = field(default_factory=Counter)

    @classmethod
    def after(cls, *records: Any) -> Memory:
        """Return the contents after a first run that served these records."""
        memory = cls()
        memory.run(*records)
        return memory

    def load(self, ids: Sequence[str]) -> dict[str, Document]:
        """Return stored documents."""
        self.loaded.update(ids)
        return {key: self.documents[key] for key in ids}

    def forget_hashes(self) -> None:
        """Delete the hashes, so that the next run parses every record."""
        self.stored = dict.fromkeys(self.stored)

    def look(self, *records: Any, looked_up: Iterable[Any] = (), removed: Iterable[str] = (), exact: bool = True) -> Run:
        """Compute the changes of a run.

        Args:
            records: of the walk's one page.
            looked_up: records that look-ups after the walk find.
            removed: ids of templates that are confirmed as removed.
            exact: whether the page could be parsed as it was served.
        """
        parser = new_parser(dict(self.stored), load_documents=self.load)
        walked = parser.parse_page(1, map(wire, records), exact=exact)
        missing = frozenset(parser.missing)
        served = (*walked, *parser.parse_page(LOOK_UP, map(wire, looked_up)))
        snapshot = build_snapshot(served, missing, parser)
        changes = compare(self.stored, snapshot, parser).removing(dict.fromkeys(removed, "lookup"), parser)
        return Run(changes, snapshot, parser, served)

    def run(self, *records: Any, looked_up: Iterable[Any] = (), removed: Iterable[str] = (), exact: bool = True) -> Run:
        """Compute the changes of a run, and store them."""
        found = self.look(*records, looked_up=looked_up, removed=removed, exact=exact)
        apply_changes(found.changes, found.document, self.stored, self.documents)
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


def compared(before: Sequence[Any], after: Sequence[Any]) -> Run:
    """Run over one catalog and then over another; return the result of the second run, which is equal with and without hashes."""
    found = []
    for with_hashes in (True, False):
        memory = Memory.after(*before)
        if not with_hashes:
            memory.forget_hashes()
        found.append(memory.look(*after))
    assert found[0].result() == found[1].result()
    assert found[1].counts == (0, len(after))
    return found[0]


def published(**changes: Any) -> list[dict[str, Any]]:
    """Return the published fields if one of two templates has these changes."""
    found = compared([base(), base("2")], [base(**changes), base("2")])
    return [each for change in found.changes.changes for each in change.fields]
