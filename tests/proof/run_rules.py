"""The rules that hold after each run of a small catalog, and its possible stored values; `core_world` checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sync.catalog.feed import apply_fields
from tests.moving_catalog import LOSABLE, Meaning, Truth, truth_of
from tests.world import check_fields, documented_values, published

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sync.catalog.diff import Change
    from sync.catalog.document import Document
    from sync.catalog.plan import Plan


class PublishedChange(NamedTuple):
    """A change that a run publishes, with the values of the template before and after it."""

    kind: str
    template_id: str
    before: Truth | None
    after: Truth | None


def published_changes(before: Mapping[str, Document], after: Mapping[str, Document], planned: Plan) -> list[PublishedChange]:
    """Check the published changes against the stored values before and after; return them."""
    _follow(before, after, planned.changes.changes)
    changes: list[PublishedChange] = []
    unreadable = {bad.template_id for bad, _reason in planned.snapshot.rejected}
    for change in planned.changes.changes:
        old, new = before.get(change.template_id), after.get(change.template_id)
        assert (old is None, new is None) == (change.kind == "added", change.kind == "removed")
        if old is not None and new is not None:
            check_fields(change.fields, old, new)
            assert change.template_id not in unreadable, "a rejected record changes nothing"
        truths = [None if document is None else truth_of(document) for document in (old, new)]
        changes.append(PublishedChange(change.kind, change.template_id, *truths))
    ids = {each.template_id for each in changes}
    assert len(ids) == len(changes), "at most one change per template"
    for template_id in (before.keys() | after.keys()) - ids:
        difference = published(before[template_id], after[template_id])
        assert not difference, "every difference in values is published"
    planned.rejected()
    return changes


def _follow(before: Mapping[str, Document], after: Mapping[str, Document], changes: Iterable[Change]) -> None:
    """Check that a consumer with the documented columns has them after it applies the published changes of a run.

    The first run publishes every document, so this includes a consumer that followed each history from its beginning.
    """
    consumer = dict(before)
    for change in changes:
        if change.kind == "removed":
            del consumer[change.template_id]
        elif change.kind == "added":
            consumer[change.template_id] = after[change.template_id]
        else:
            consumer[change.template_id] = apply_fields(consumer[change.template_id], change.fields)
    assert consumer.keys() == after.keys()
    differ = [key for key, document in after.items() if document is not consumer[key]]
    for key in differ:
        assert documented_values({key: consumer[key]}) == documented_values({key: after[key]}), (
            "a consumer of the feed has the documents of the tables"
        )


def check_changes(changes: Sequence[PublishedChange], moments: Sequence[Mapping[str, Meaning]]) -> None:
    """Check the published changes against what was served during the run."""
    carried = frozenset().union(*map(_carried, moments))
    for kind, template_id, before, after in changes:
        truths = [truth for live in moments for truth in _possible(live.get(template_id), before, carried)]
        if kind == "removed":
            assert None in truths, f"{template_id} was in the catalog throughout, and was removed"
            continue
        assert after in truths, f"{template_id} never had these values: {after}"
        assert kind != "changed" or any(truth != before for truth in truths), f"{template_id} did not change"


def _carried(live: Mapping[str, Meaning]) -> frozenset[str]:
    """Return the fields of `LOSABLE` that some template has."""
    return frozenset(name for name in LOSABLE if any(name not in meaning.lost for meaning in live.values()))


def _possible(meaning: Meaning | None, before: Truth | None, carried: frozenset[str]) -> list[Truth | None]:
    """Return the possible stored values of a template after a run.

    A lost field that no template has keeps its stored value. One that some template has at some moment may be empty or keep it,
    as it depends on the records of the walk.
    """
    if meaning is None:
        return [None]
    if before is None or not meaning.lost:
        return [meaning.truth()]
    kept = meaning.kept(before)
    return [meaning.truth(), kept] if meaning.lost <= carried else [kept]


def settled(live: Mapping[str, Meaning], stored: Mapping[str, Document]) -> dict[str, Truth | None]:
    """Return the stored values after a run without events."""
    before = {key: truth_of(stored[key]) if key in stored else None for key in live}
    return {key: _possible(meaning, before[key], _carried(live))[0] for key, meaning in live.items()}
