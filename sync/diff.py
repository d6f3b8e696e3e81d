"""PURE. Compare what the database holds with what the catalog serves; say what changed, and nothing that did not.

Not a change: the order of tags, ratios or prices; a URL of which only the query string differs; a field that is new to the
whole catalog, or that the whole catalog stopped sending. Such differences are *quiet*: stored, and not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sync.snapshot import (
    COLUMNS,
    DOCUMENTED,
    SCALARS,
    URL_FIELDS,
    Document,
    Template,
    address,
    canonical,
    content_hash,
    document,
    fingerprint,
    from_document,
    unordered,
    without_query,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.snapshot import Tag

FieldChange = dict[str, Any]
"""`{"field", "old", "new"}`; for `tags` also `"gained"` and `"lost"`; for an unknown field that is not there, `"absent"`."""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the database held before the run.

    Attributes:
        fingerprints: of every template that is present, by id.
        documents: whole, of those present templates that are missing or whose fingerprint the served one does not share.
        wire_fields: names of the fields that the catalog ever sent; None before the first time.
        absent_fields: those of them that it did not send the last time.
    """

    fingerprints: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    wire_fields: frozenset[str] | None = None
    absent_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Written:
    """A template in the form in which it is stored."""

    template: Template
    document: Document
    fingerprint: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Change:
    """One template's change; `after` is None for a removal, `before` for all else; `fields` is empty but for `changed`."""

    template_id: str
    kind: str
    after: Written | None = None
    before: Document | None = None
    fields: tuple[FieldChange, ...] = ()
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What a run changes, in the order in which it is told: added, changed, removed, each as served or by id.

    Attributes:
        changes: what is told.
        quiet: what is only stored: (stored before, now).
        unchanged: how many templates say what they said before.
        appeared: fields new to the whole catalog; in the first run those that this version does not know.
        vanished: fields that the whole catalog stopped sending; templates keep their last values.
        wire_fields: what to remember for the next time, and
        absent_fields: likewise.
    """

    changes: tuple[Change, ...] = ()
    quiet: tuple[tuple[Document, Written], ...] = ()
    unchanged: int = 0
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    wire_fields: frozenset[str] | None = None
    absent_fields: frozenset[str] = frozenset()

    def count(self, kind: str) -> int:
        """Count the changes of one kind."""
        return sum(change.kind == kind for change in self.changes)

    def removing(self, removals: Mapping[str, str], documents: Mapping[str, Document]) -> ChangeSet:
        """Add removals: id -> evidence; `documents` holds what the templates were until now."""
        gone = (
            Change(template_id, "removed", before=documents.get(template_id), evidence=evidence)
            for template_id, evidence in sorted(removals.items())
        )
        return replace(self, changes=(*self.changes, *gone))


def write(template: Template) -> Written:
    """Write a template for storing."""
    written = document(template)
    return Written(template, written, fingerprint(written), content_hash(written))


def differing(fingerprints: Mapping[str, str], served: Mapping[str, Template]) -> list[str]:
    """Name the present templates whose fingerprint the served one does not share: only these need to be read whole."""
    return [
        template_id
        for template_id, template in served.items()
        if fingerprints.get(template_id, "") not in {"", fingerprint(document(template))}
    ]


def compare(
    previous: Previous, served: Mapping[str, Template], wire_fields: frozenset[str], *, complete: bool = True
) -> ChangeSet:
    """Compare the database's catalog with the served one.

    Args:
        previous: what the database holds.
        served: good records by id. Templates that are not in it are not touched: absence is judged elsewhere.
        wire_fields: names of all fields in what was served.
        complete: whether that was the whole catalog; of a part, a field that it lacks is kept, but has not vanished.
    """
    known = previous.wire_fields
    ever = DOCUMENTED if known is None else known
    new_fields = wire_fields - ever
    # A field that was kept while the catalog did not send it is compared again when it returns: that is how a change shows.
    whole = bool(served) and (complete or known is None)
    returned = previous.absent_fields & wire_fields
    absent = (known or frozenset()) - wire_fields if whole else previous.absent_fields
    added: list[Change] = []
    changed: list[Change] = []
    quiet: list[tuple[Document, Written]] = []
    for template_id, template in served.items():
        if template_id not in previous.fingerprints:
            added.append(Change(template_id, "added", write(template)))
        elif template_id in previous.documents:
            before = previous.documents[template_id]
            after = write(keep_unsent(before, template, wire_fields))
            # A field that returns was never heard of where a template came while it was gone: there it is new, too.
            hidden = new_fields | {name for name in returned if _lacks(before, name)}
            if fields := changed_fields(before, after.document, hidden):
                changed.append(Change(template_id, "changed", after, fields=tuple(fields)))
            elif after.document != before:
                quiet.append((before, after))
    return ChangeSet(
        changes=(*added, *changed),
        quiet=tuple(quiet),
        unchanged=len(served) - len(added) - len(changed),
        appeared=tuple(sorted(new_fields | returned)),
        vanished=tuple(sorted(absent - previous.absent_fields)),
        wire_fields=wire_fields | (known or frozenset()) if whole else known,
        absent_fields=absent,
    )


def _lacks(before: Document, wire_name: str) -> bool:
    """Whether a stored document has no value of a field, by the endpoint's name for it."""
    if wire_name == "Tags_en":
        return all(tag["name_en"] is None for tag in before["tags"])
    if wire_name in COLUMNS:
        return before[COLUMNS[wire_name]] in (None, [])
    return wire_name not in before["extra"]


def changed_fields(before: Document, after: Document, new_fields: Iterable[str] = ()) -> list[FieldChange]:
    """Compare two documents of one template, field by field.

    Args:
        before: as stored.
        after: as served.
        new_fields: names, as the endpoint writes them, of fields that no template had before: they are no change.
    """
    untold = {SCALARS.get(name, f"extra.{name}") for name in new_fields}
    changes: list[FieldChange] = []
    for name in SCALARS.values():
        old, new = before[name], after[name]
        if name in URL_FIELDS:
            old, new = address(old), address(new)
        if old != new and name not in untold:
            changes.append({"field": name, "old": before[name], "new": after[name]})
    if "Tags" not in new_fields:
        changes += _tag_changes(before["tags"], after["tags"], by=("name",) if "Tags_en" in new_fields else ("name", "name_en"))
    if "ConsumeItems" not in new_fields:
        changes += _price_changes(before["consume_items"], after["consume_items"])
    if "SupportAspectRatio" not in new_fields and unordered(before["aspect_ratios"]) != unordered(after["aspect_ratios"]):
        changes.append({"field": "aspect_ratios", "old": before["aspect_ratios"], "new": after["aspect_ratios"]})
    for name in sorted({*before["extra"], *after["extra"]}):
        if f"extra.{name}" not in untold and _meaning(before["extra"], name) != _meaning(after["extra"], name):
            changes.append(_extra_change(name, before["extra"], after["extra"]))
    return changes


def _extra_change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> FieldChange:
    """Tell an unknown field's change; `absent` says on which side it is not null but not there."""
    told = {"field": f"extra.{name}", "old": before.get(name), "new": after.get(name)}
    absent = "old" if name not in before else "new" if name not in after else None
    return {**told, "absent": absent} if absent else told


def _meaning(extra: Mapping[str, Any], name: str) -> str | None:
    """Give an unknown field's meaning; None if it is absent, which is not the same as null."""
    return canonical(without_query(extra[name])) if name in extra else None


def _tag_changes(before: list[dict[str, Any]], after: list[dict[str, Any]], *, by: tuple[str, ...]) -> list[FieldChange]:
    """Compare tags by both languages, or by the one that both catalogs have."""

    def key(tag: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(tag[name] for name in by)

    had, has = set(map(key, before)), set(map(key, after))
    gained = [tag for tag in after if key(tag) not in had]
    lost = [tag for tag in before if key(tag) not in has]
    return [{"field": "tags", "old": before, "new": after, "gained": gained, "lost": lost}] if gained or lost else []


def _price_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[FieldChange]:
    old = {price["resolution"]: price["credit"] for price in before}
    new = {price["resolution"]: price["credit"] for price in after}
    return [
        {"field": f"consume_items.{resolution}", "old": old.get(resolution), "new": new.get(resolution)}
        for resolution in {**old, **new}
        if old.get(resolution) != new.get(resolution)
    ]


def keep_unsent(before: Document, template: Template, wire_fields: frozenset[str]) -> Template:
    """Keep the last value of every field that no record of the whole catalog carries: silence is not news."""
    stored = from_document(before)
    kept: dict[str, Any] = {column: getattr(stored, column) for wire, column in COLUMNS.items() if wire not in wire_fields}
    if "Tags_en" not in wire_fields and "tags" not in kept:
        english: dict[str, list[Tag]] = {}
        for tag in stored.tags:
            english.setdefault(tag.name, []).append(tag)
        kept["tags"] = tuple(known for tag in template.tags for known in english.get(tag.name, [tag]))
    if unsent := {name: value for name, value in stored.extra.items() if name not in wire_fields}:
        kept["extra"] = {**unsent, **template.extra}
    return replace(template, **kept) if kept else template


def net_changes(before: Mapping[str, Document], after: Mapping[str, Document]) -> list[dict[str, Any]]:
    """Compare two whole catalogs; give the changes in the form of the feed, by kind and id."""
    added = [
        {"kind": "added", "template_id": key, "fields": [], "document": after[key]}
        for key in sorted(after.keys() - before.keys())
    ]
    changed = [
        {"kind": "changed", "template_id": key, "fields": fields, "document": after[key]}
        for key in sorted(after.keys() & before.keys())
        if (fields := changed_fields(before[key], after[key]))
    ]
    gone = sorted(before.keys() - after.keys())
    removed: list[dict[str, Any]] = [
        {"kind": "removed", "template_id": key, "fields": [], "document": None, "before": before[key]} for key in gone
    ]
    return [*added, *changed, *removed]
