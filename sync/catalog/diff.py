"""PURE. Compare the served catalog with the stored one, and two stored catalogs with each other.

Each template is compared with its stored document. Not a change: the order of tags, ratios or prices; the query string of a URL;
an unknown field that appears or disappears. Such differences are stored and not published.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sync.catalog.document import canonical
from sync.catalog.feed import changed_fields
from sync.catalog.fields import COLUMNS, DOCUMENTED, LISTS, MOST_NAMES
from sync.catalog.parsing import fields_with_value, parse_record
from sync.catalog.served_records import LOOK_UP
from sync.catalog.snapshot import fields_to_keep, kept_unknown, kept_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from sync.catalog.document import Document
    from sync.catalog.feed import FieldChange
    from sync.catalog.served_records import RecordParser, ServedRecord
    from sync.catalog.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one template; `document_of` returns its document.

    Attributes:
        kind: `added`, `changed`, `removed`, or `unpublished` for a difference that is stored and not published.
        record: the served record; None for a removal.
        kept: column -> stored value that stays, because the record does not have it.
        wire_hash: hash of the record's bytes; None if the document has values that the bytes do not have.
        fields: the changed fields, for `changed` only.
        evidence: how a removal was confirmed.
        lists: the lists that differ from the stored document, in order or content.
        removed_document: for a removal, the spool offset of the last document.
    """

    template_id: str
    kind: str
    record: ServedRecord | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    wire_hash: str | None = None
    fields: tuple[FieldChange, ...] = ()
    evidence: str | None = None
    lists: tuple[str, ...] = LISTS
    removed_document: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """The changes of a run.

    Attributes:
        changes: published changes in the order of the feed: added, changed, removed, each in the order served or by ID.
        unpublished: differences that are only stored.
        rehashed: ID -> new hash, of equal templates whose bytes differ.
        unchanged: number of templates without a published change.
        appeared: unknown fields that a template gained; in the first run, all unknown fields.
        vanished: unknown fields that a template lost, and documented fields that a template had and every record lacks.
    """

    changes: tuple[Change, ...] = ()
    unpublished: tuple[Change, ...] = ()
    rehashed: Mapping[str, str | None] = field(default_factory=dict)
    unchanged: int = 0
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    def count(self, kind: str) -> int:
        """Return the number of changes of one kind."""
        return sum(change.kind == kind for change in self.changes)

    def removing(self, removals: Mapping[str, str], parser: RecordParser) -> ChangeSet:
        """Return a copy with these removals, ID -> evidence."""
        gone = [
            Change(key, "removed", evidence=removals[key], removed_document=parser.keep_document(document))
            for key, document in parser.stored_documents(sorted(removals))
        ]
        return replace(self, changes=(*self.changes, *gone))


def document_of(change: Change, parser: RecordParser) -> Document:
    """Return the document after a change; for a removal, the last one before it."""
    if change.record is None:
        assert change.removed_document is not None  # noqa: S101 - only a removal has no record
        return parser.kept_document(change.removed_document)
    return {**parse_record(parser.decode(change.record)), **change.kept}


def compare(stored: Mapping[str, str | None], snapshot: Snapshot, parser: RecordParser) -> ChangeSet:
    """Compare the stored catalog (ID -> wire hash) with the served one; ignore templates that were not served."""
    parsed = {template_id: record for template_id, record in snapshot.good.items() if record.offset is not None}
    added = [
        Change(template_id, "added", record, wire_hash=None if record.tags_unpaired else record.wire_hash)
        for template_id, record in parsed.items()
        if template_id not in stored
    ]
    groups: dict[str, list[Change]] = {"changed": [], "unpublished": [], "same": []}
    rehashed: dict[str, str | None] = {}
    appeared: set[str] = set() if stored else set(parser.unknown)
    vanished: set[str] = set()
    for template_id, before in parser.stored_documents([key for key in parsed if key in stored]):
        change, new, lost = _compare_record(parsed[template_id], before, snapshot.missing, parser)
        groups[change.kind].append(change)
        appeared |= new
        vanished |= lost
        # A record without a hash keeps a stored hash that is still valid.
        if change.kind == "same" and change.wire_hash != stored[template_id] and (change.kept or change.wire_hash is not None):
            rehashed[template_id] = change.wire_hash
    return ChangeSet(
        changes=(*added, *groups["changed"]),
        unpublished=tuple(groups["unpublished"]),
        rehashed=rehashed,
        unchanged=len(snapshot.good) - len(added) - len(groups["changed"]),
        appeared=tuple(sorted(appeared)[:MOST_NAMES]),
        vanished=tuple(sorted(vanished)[:MOST_NAMES]),
    )


def _compare_record(
    record: ServedRecord, before: Document, missing: frozenset[str], parser: RecordParser
) -> tuple[Change, AbstractSet[str], AbstractSet[str]]:
    """Return the change of a template, of kind `changed`, `unpublished` or `same`, and the fields gained and lost without one."""
    value = parser.decode(record)
    served = parse_record(value)
    lacking = fields_to_keep(record, missing) - fields_with_value(value)
    kept = kept_values(before, served, lacking)
    if record.page == LOOK_UP:
        kept |= kept_unknown(before, served)
    after = {**served, **kept}
    had, has = before["extra"].keys(), after["extra"].keys()
    unsent = {wire for wire in lacking if COLUMNS.get(wire, "tags") in kept} if record.page != LOOK_UP else set()
    gained, lost = has - had, (had - has - DOCUMENTED) | unsent
    # Unpaired tags are rejected depending on the other records of a walk, so such a record is parsed each time.
    template_id, hashed = after["template_id"], None if kept or record.tags_unpaired else record.wire_hash
    if after == before and canonical(after["extra"]) == canonical(before["extra"]):  # in Python 1 == True
        return Change(template_id, "same", record, kept, hashed), gained, lost
    fields = tuple(changed_fields(before, after))
    lists = tuple(name for name in LISTS if before[name] != after[name])
    kind = "changed" if fields else "unpublished"
    return Change(template_id, kind, record, kept, hashed, fields, lists=lists), gained, lost


def net_changes(before: Mapping[str, Document], after: Mapping[str, Document]) -> list[dict[str, Any]]:
    """Compare two catalogs; return the changes in the form of the feed, by kind and ID."""
    added = [{"kind": "added", "template_id": key, "fields": [], "document": after[key]} for key in sorted(after.keys() - before)]
    changed = [
        {"kind": "changed", "template_id": key, "fields": fields, "document": after[key]}
        for key in sorted(after.keys() & before)
        if (fields := changed_fields(before[key], after[key]))
    ]
    removed: list[dict[str, Any]] = [
        {"kind": "removed", "template_id": key, "fields": [], "document": None, "before": before[key]}
        for key in sorted(before.keys() - after)
    ]
    return [*added, *changed, *removed]
