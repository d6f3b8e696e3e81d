"""A consumer that applies the published changes has the stored documented columns after any history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.catalog.document import canonical
from sync.catalog.feed import apply_fields
from sync.catalog.fields import COLUMNS, LISTS
from sync.catalog.url_query import URL_FIELDS, address
from tests.builders import record
from tests.catalog.runs import Memory

if TYPE_CHECKING:
    from sync.catalog.document import Document

PRICE_LISTS: list[Any] = [
    [{"Resolution": "480p", "Credit": 1}],
    [{"Resolution": "480p", "Credit": 2}, {"Resolution": "720p", "Credit": 3}],
    [{"Resolution": "720p", "Credit": 3}, {"Resolution": "480p", "Credit": 2}],
]
VALUES: dict[str, list[Any]] = {
    "Title": [..., None, "", "a", "b"],
    "Cover": [..., None, "https://m.example/c?sig=1", "https://m.example/c?sig=2", "https://m.example/d"],
    "ConsumeItems": [..., None, [], *PRICE_LISTS],
    "Tags": [..., None, [], ["x", "y"], ["y", "x"]],
    "Tags_en": [..., None, [], ["X", "Y"], ["Y", "Z"]],
    "SupportAspectRatio": [..., None, "", "9:16,1:1", "1:1"],
    "New": [..., None, 1, 2],
}
FIELDS = sorted(VALUES)
IDS = ["1", "2", "3"]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One run.

    Attributes:
        served: the records of the walk, by id: values of fields.
        lost: fields that no record of the walk has.
        null: whether these are null instead of left out.
        looked_up: records that came by look-up.
        bad: templates of the walk whose record is rejected.
        disputed: templates of the walk that have a second, different record.
        removed: templates that are removed where they were not served.
        exact: whether the page could be parsed as it was served.
    """

    served: dict[str, Fields] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    null: bool = False
    looked_up: dict[str, Fields] = field(default_factory=dict)
    bad: frozenset[str] = frozenset()
    disputed: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    exact: bool = True


def most(values: list[Any]) -> st.SearchStrategy[Any]:
    """Choose a value, a present one in most cases, because otherwise most records are rejected."""
    return st.sampled_from([*values, *values[2:], *values[-1:] * 3])


SOME_IDS = st.frozensets(st.sampled_from(IDS), max_size=1)
TEMPLATE = st.fixed_dictionaries({name: most(values) for name, values in VALUES.items()})
STEPS = st.builds(
    Step,
    served=st.dictionaries(st.sampled_from(IDS), TEMPLATE, max_size=3),
    lost=st.frozensets(st.sampled_from(FIELDS), max_size=3),
    null=st.booleans(),
    looked_up=st.dictionaries(st.sampled_from(IDS), TEMPLATE, max_size=1),
    bad=SOME_IDS,
    disputed=SOME_IDS,
    removed=SOME_IDS,
    exact=st.booleans(),
)
HISTORIES = st.lists(STEPS, min_size=2, max_size=6)


def records_of(step: Step) -> list[dict[str, Any]]:
    """Return the records of the walk of a step."""
    lost = dict.fromkeys(step.lost, None if step.null else ...)
    served = []
    for template_id, fields in step.served.items():
        values = {**fields, **lost}
        served.append(record(template_id, **values, **({"Duration": "long"} if template_id in step.bad else {})))
        if template_id in step.disputed:
            served.append(record(template_id, **values, MediaId="other"))
    return served


def documented(written: Document) -> Document:
    """Return the expected documents of a consumer, without the order of lists and the query strings of URLs."""
    found = {column: written[column] for column in COLUMNS.values()}
    return {
        **found,
        **{name: address(found[name]) for name in URL_FIELDS},
        **{name: sorted(found[name], key=canonical) for name in LISTS},
    }


def arguments(step: Step, memory: Memory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the records of the walk of a step, and the other arguments of its run."""
    looked_up = [record(key, **fields) for key, fields in step.looked_up.items() if key not in step.served]
    absent = memory.documents.keys() - step.served.keys() - step.looked_up.keys()
    return records_of(step), {"looked_up": looked_up, "removed": step.removed & absent, "exact": step.exact}


def follow(history: list[Step]) -> None:
    """Run a history, and apply the published changes as a consumer; after each run it must equal the tables."""
    memory, consumer = Memory(), dict[str, Any]()
    for step in history:
        served, options = arguments(step, memory)
        run = memory.run(*served, **options)
        for change in run.changes.changes:
            if change.kind == "added":
                assert change.template_id not in consumer
                consumer[change.template_id] = run.document(change)
            elif change.kind == "changed":
                assert change.fields
                consumer[change.template_id] = apply_fields(consumer[change.template_id], change.fields)
            else:
                del consumer[change.template_id]
        held = {key: documented(written) for key, written in consumer.items()}
        assert held == {key: documented(written) for key, written in memory.documents.items()}


NUMBERS = pytest.mark.parametrize("histories", [60, pytest.param(450, marks=pytest.mark.ci_slice)])


@NUMBERS
def test_a_consumer_that_applies_the_changes_has_the_stored_values(histories: int) -> None:
    settings(max_examples=histories)(given(HISTORIES)(follow))()


@NUMBERS
def test_stored_hashes_do_not_change_any_result(histories: int) -> None:
    @settings(max_examples=histories)
    @given(HISTORIES)
    def compare(history: list[Step]) -> None:
        memory = Memory()
        for step in history:
            served, options = arguments(step, memory)
            read_again = Memory(dict.fromkeys(memory.stored), dict(memory.documents)).look(*served, **options).result()
            assert memory.run(*served, **options).result() == read_again

    compare()
