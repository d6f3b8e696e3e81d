"""PURE. Compare what the database holds with what the catalog serves; say what changed, and nothing that did not.

Not a change: the order of tags, ratios or prices; a URL of which only the query string differs; a field that is new to the
whole catalog, or that the whole catalog stopped sending. Such differences are *unpublished*: stored, and in no feed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sync.catalog.bounds import MOST_NAMES
from sync.catalog.field_changes import FieldChange, changed_fields
from sync.catalog.hashes import canonical
from sync.catalog.template import DOCUMENTED, LISTS
from sync.catalog.unsent_fields import keep_unsent, lacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sync.catalog.intake import Intake, Reading, Sighting
    from sync.catalog.snapshot import Snapshot
    from sync.catalog.template import Document

    LoadDocuments = Callable[[Sequence[str]], Mapping[str, Document]]

BATCH = 500
"""Stored documents that are compared at a time: they are never all in memory."""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the database held before the run.

    Attributes:
        known: every template that is present: id -> the hash of the bytes that were stored last, None where they are not known.
        wire_fields: names of the fields that the catalog ever sent; None before the first time.
        absent_fields: those of them that it did not send the last time.
    """

    known: Mapping[str, str | None] = field(default_factory=dict)
    wire_fields: frozenset[str] | None = None
    absent_fields: frozenset[str] = frozenset()

    @property
    def sent_fields(self) -> frozenset[str]:
        """Names of the fields that the catalog sent the last time."""
        return (self.wire_fields or frozenset()) - self.absent_fields


@dataclass(frozen=True, slots=True)
class Change:
    """One template's change, its document waiting in the spool: the one after it, for a removal the last one before.

    Attributes:
        wire_hash: of the bytes that the document came from; None if it says more than they do.
        fields: empty but for `changed`.
        lists: which of the document's lists differ from what is stored, in whatever way.
    """

    template_id: str
    kind: str
    reading: Reading
    wire_hash: str | None = None
    fields: tuple[FieldChange, ...] = ()
    evidence: str | None = None
    lists: tuple[str, ...] = LISTS


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What a run changes.

    Attributes:
        changes: what is published, in the order of the feed: added, changed, removed, each as served or by id.
        unpublished: what is only stored.
        respelled: id -> hash of bytes, of templates that say the same in other bytes.
        unchanged: how many templates say what they said before.
        appeared: fields new to the whole catalog; in the first run those that this version does not know.
        vanished: fields that the whole catalog stopped sending; templates keep their last values.
        wire_fields: what to remember for the next time, and
        absent_fields: likewise.
    """

    changes: tuple[Change, ...] = ()
    unpublished: tuple[Change, ...] = ()
    respelled: Mapping[str, str | None] = field(default_factory=dict)
    unchanged: int = 0
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    wire_fields: frozenset[str] | None = None
    absent_fields: frozenset[str] = frozenset()

    def count(self, kind: str) -> int:
        """Count the changes of one kind."""
        return sum(change.kind == kind for change in self.changes)

    def removing(self, removals: Mapping[str, str], intake: Intake, load: LoadDocuments) -> ChangeSet:
        """Add removals: id -> evidence."""
        gone: list[Change] = []
        for batch in _batches(sorted(removals)):
            documents = load(batch)
            gone += [
                Change(template_id, "removed", intake.keep(documents[template_id]), evidence=removals[template_id])
                for template_id in batch
            ]
        return replace(self, changes=(*self.changes, *gone))


def compare(previous: Previous, snapshot: Snapshot, intake: Intake, load: LoadDocuments, *, complete: bool) -> ChangeSet:
    """Compare the database's catalog with the served one. Templates that were not served are not touched.

    Args:
        previous: what the database holds.
        snapshot: what was served.
        intake: which holds what was read of it.
        load: reads stored documents, of so many ids at a time as are compared at once.
        complete: whether that was the whole catalog; of a part, a field that it lacks is kept, but has not vanished.
    """
    # A field that the catalog stopped sending returns with a good record. One spoilt record that carries it shows nothing: else
    # it would take the kept values from all the others.
    known, sent = previous.wire_fields, snapshot.fields - (previous.absent_fields - snapshot.good_fields)
    # A field that was kept while the catalog did not send it is compared again when it returns: that is how a change shows.
    whole = bool(snapshot.good) and (complete or known is None)
    absent = (known or frozenset()) - sent if whole else previous.absent_fields
    remembered = _remembered(sent, known or frozenset()) if whole else known
    comparison = _Comparison(sent, sent - (DOCUMENTED if known is None else known), previous.absent_fields & sent)
    trusted = (remembered or frozenset()) - absent
    added: list[Change] = []
    differing: list[str] = []
    for template_id, sighting in snapshot.good.items():
        if sighting.reading is None:
            continue
        if template_id in previous.known:
            differing.append(template_id)
        else:
            added.append(Change(template_id, "added", sighting.reading, _hash_to_keep(sighting, trusted)))
    found = [each for batch in _batches(differing) for each in comparison.of(batch, snapshot, intake, load, trusted)]
    respelled = {each.template_id: each.wire_hash for each in found if each.kind == "same"}
    changed = [each for each in found if each.kind == "changed"]
    if absent - previous.absent_fields:  # a record that was not served may carry the field: its bytes must be read again
        respelled |= dict.fromkeys((key for key, hashed in previous.known.items() if hashed and key not in snapshot.good), None)
    return ChangeSet(
        changes=(*added, *changed),
        unpublished=tuple(each for each in found if each.kind == "unpublished"),
        respelled={key: hashed for key, hashed in respelled.items() if previous.known[key] != hashed},
        unchanged=len(snapshot.good) - len(added) - len(changed),
        appeared=tuple(sorted(comparison.new | comparison.returned)),
        vanished=tuple(sorted(absent - previous.absent_fields)),
        wire_fields=remembered,
        absent_fields=absent & (remembered or frozenset()),
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What is the same for all templates of a run: fields sent, those new to the whole catalog, those that came back."""

    sent: frozenset[str]
    new: frozenset[str]
    returned: frozenset[str]

    def of(
        self, batch: Sequence[str], snapshot: Snapshot, intake: Intake, load: LoadDocuments, trusted: frozenset[str]
    ) -> Iterator[Change]:
        """Compare some templates with what is stored of them; the kind is `changed`, `unpublished` or `same`."""
        stored = load(batch)
        for template_id in batch:
            sighting, before = snapshot.good[template_id], stored[template_id]
            reading = sighting.reading
            assert reading is not None  # noqa: S101 - those that were recognised are not compared
            served = intake.load(reading).document
            assert served is not None  # noqa: S101 - a good record has one
            after = keep_unsent(before, served, self.sent)
            hashed = _hash_to_keep(sighting, trusted) if after is served else None
            if after == before and canonical(after["extra"]) == canonical(before["extra"]):  # for Python, 1 is true
                yield Change(template_id, "same", reading, hashed)
                continue
            # A field that returns was never heard of where a template came while it was gone: there it is new, too. And one
            # that no longer fits among the kept ones did not change.
            dropped = before["extra"].keys() - after["extra"].keys() - self.sent
            hidden = self.new | dropped | {name for name in self.returned if lacks(before, name)}
            fields = changed_fields(before, after, hidden)
            kept = reading if after is served else intake.keep(after, reading)
            lists = tuple(name for name in LISTS if before[name] != after[name])
            yield Change(template_id, "changed" if fields else "unpublished", kept, hashed, tuple(fields), lists=lists)


def _hash_to_keep(sighting: Sighting, trusted: frozenset[str]) -> str | None:
    """Decide whether these bytes, when they come again, need not be read.

    Only if what they say rests on nothing but themselves: not on the absence of `Tags` in the whole catalog, and not on a
    field whose coming is not yet remembered.
    """
    reading = sighting.reading
    alone = reading is not None and reading.reason_if_tags is None and sighting.names is not None and sighting.names <= trusted
    return sighting.wire_hash if alone else None


def _remembered(sent: frozenset[str], known: frozenset[str]) -> frozenset[str]:
    """Remember field names, within bounds: those sent now, and of those sent before as many as there is room for."""
    room = max(0, MOST_NAMES - len(sent))
    return sent | frozenset(sorted(known - sent)[:room])


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
