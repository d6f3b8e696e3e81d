"""PURE. The result of a walk and its look-ups: valid records by ID, rejected ones, documented fields that every record lacks.

A documented field that every record lacks keeps its stored value.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync.catalog.document import canonical
from sync.catalog.fields import COLUMNS, DOCUMENTED, MOST_EXTRA, MOST_FIELDS
from sync.catalog.parsing import cut, fields_with_value, filled_fields
from sync.catalog.served_records import LOOK_UP, same_record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from sync.catalog.document import Document
    from sync.catalog.served_records import RecordParser, ServedRecord


PAYLOAD_SHOWN = 4000
MOST_KEPT = 1000  # rejected records that one run stores; the count in `sync_runs` includes all
DISPUTED = "the catalog served two different records under this TemplateId"
TAGS_UNPAIRED = "Tags_en has items, and Tags is missing"


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A rejected record, as it is stored."""

    page: int
    position: int
    template_id: str | None
    reason: str
    payload: str


def payload(record: Any) -> str:
    """Write a record in ASCII, truncated, so that every database can store it."""
    try:
        text = json.dumps(record, default=_as_number, sort_keys=True)
    except (RecursionError, ValueError, TypeError):
        return "(too deeply nested to show)"
    return cut(text, PAYLOAD_SHOWN)


def _as_number(value: Decimal) -> float | str:
    """Return an exact number as a float, or as text if a float would change it."""
    return number if Decimal(repr(number := float(value))) == value else str(value)


def kept_values(before: Document, served: Document, lacking: Collection[str]) -> dict[str, Any]:
    """Return column -> stored value, for the values that stay and differ from the served ones; `lacking` has wire names."""
    kept = {COLUMNS[wire]: before[COLUMNS[wire]] for wire in lacking if wire in COLUMNS}
    if "Tags_en" in lacking and "tags" not in kept:
        english: dict[str, list[dict[str, Any]]] = {}
        for tag in before["tags"]:
            english.setdefault(tag["name"], []).append(tag)
        kept["tags"] = [known for tag in served["tags"] for known in english.get(tag["name"], [tag])]
    return {column: value for column, value in kept.items() if value != served[column]}


def kept_unknown(before: Document, served: Document) -> dict[str, Any]:
    """Return the unknown fields after a look-up: the stored ones stay, within the bounds."""
    extra = {**before["extra"], **served["extra"]}
    fits = len(extra) <= MOST_FIELDS and len(canonical(extra)) <= MOST_EXTRA
    return {"extra": extra} if fits and extra.keys() != served["extra"].keys() else {}


@dataclass(slots=True)
class Snapshot:
    """The served records of a run.

    Attributes:
        good: ID -> valid record, in the order served.
        rejected: rejected records, each with its reason, one phrase.
        missing: documented fields without a value in every record of the walk.
    """

    good: dict[str, ServedRecord] = field(default_factory=dict)
    rejected: list[tuple[ServedRecord, str]] = field(default_factory=list)
    missing: frozenset[str] = frozenset()

    @property
    def ids(self) -> set[str]:
        """IDs of all served records, valid or rejected."""
        return {*self.good, *(bad.template_id for bad, _ in self.rejected if bad.template_id is not None)}

    @property
    def without_id(self) -> list[ServedRecord]:
        """Rejected records without a readable ID."""
        return [bad for bad, _ in self.rejected if bad.template_id is None]

    @property
    def commonest_reason(self) -> str:
        """The most frequent reason for rejection."""
        return Counter(reason for _, reason in self.rejected).most_common(1)[0][0] if self.rejected else ""

    def rejected_records(self, parser: RecordParser) -> list[RejectedRecord]:
        """Return the first MOST_KEPT rejected records, as they are stored; an unchanged one with its stored document."""
        return [
            RejectedRecord(bad.page, bad.position, bad.template_id, reason,
                           payload(parser.document(bad) if bad.offset is None else parser.decode(bad)))
            for bad, reason in self.rejected[:MOST_KEPT]
        ]  # fmt: skip


def build_snapshot(records: Sequence[ServedRecord], missing: AbstractSet[str], parser: RecordParser) -> Snapshot:
    """Merge the records of a walk and of the look-ups after it.

    Equal records with one ID are merged, also if only the query strings of URLs differ. Different records with one ID are all
    rejected, and so is a valid record if another one with its ID is rejected, because that one may be newer. `missing` are the
    documented fields without a value in every record of the walk.
    """
    snapshot = Snapshot()
    rejected = snapshot.rejected
    disputed: set[str] = set()
    for record in records:
        if reason := record.reason or _unpaired(record, missing):
            rejected.append((record, reason))
            continue
        template_id = str(record.template_id)  # a valid record has an ID
        first = snapshot.good.setdefault(template_id, record)
        if first is not record and (template_id in disputed or not same_record(first, record, parser)):
            disputed.add(template_id)
            rejected.append((record, DISPUTED))
    uncertain: set[str] = set()
    for bad, _reason in rejected:
        uncertain |= bad.first_with  # values of rejected records do not count
        if bad.template_id is not None and (lost := snapshot.good.pop(bad.template_id, None)) is not None:
            uncertain |= lost.first_with
    snapshot.missing = frozenset(missing | _without_value(uncertain, snapshot.good.values(), parser))
    return snapshot


def _without_value(fields: set[str], good: Iterable[ServedRecord], parser: RecordParser) -> frozenset[str]:
    """Return those of these fields that have no value in any valid record of the walk."""
    left = set(fields)
    listed = [record for record in good if record.page != LOOK_UP]
    for record in listed:
        if left and record.offset is not None:
            left -= fields_with_value(parser.decode(record))
    if left:
        for _, document in parser.stored_documents([str(record.template_id) for record in listed if record.offset is None]):
            left -= filled_fields(document)
            if not left:
                break
    return frozenset(left)


def fields_to_keep(record: ServedRecord, missing: frozenset[str]) -> frozenset[str]:
    """Return the documented fields whose stored value stays if this record has none.

    For a record of the walk, they are the fields that every record lacks. A look-up never empties a field, because a detail view
    may have fewer fields than the list.
    """
    return DOCUMENTED if record.page == LOOK_UP else missing


def _unpaired(record: ServedRecord, missing: AbstractSet[str]) -> str | None:
    tags_are_sent = record.page != LOOK_UP and "Tags" not in missing  # a look-up may leave out any key
    return TAGS_UNPAIRED if record.tags_unpaired and tags_are_sent else None


def reject_reformatted(snapshot: Snapshot, present: Collection[str], most: int) -> Snapshot:
    """Reject records whose IDs are other spellings of known IDs (a space, a leading zero), if there are many.

    More than `most` show a changed ID format, which would otherwise remove and add the whole catalog.
    """
    missing = {_plain(template_id) for template_id in {*present} - snapshot.ids}
    doubtful = [found for found in snapshot.good if found not in present and _plain(found) in missing] if missing else []
    if len(doubtful) > most:
        for found in doubtful:
            snapshot.rejected.append((snapshot.good.pop(found), "its id is a known template's, written otherwise"))
    return snapshot


def _plain(template_id: str) -> str:
    """Reduce an ID to a form without width, case, punctuation, spaces and leading zeros."""
    letters = filter(str.isalnum, unicodedata.normalize("NFKC", template_id))
    return "".join(letters).lstrip("0").casefold()
