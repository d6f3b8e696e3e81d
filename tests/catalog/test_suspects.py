"""A record without an id may be any template, or the one whose media it carries: a look-up proves nothing against that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.fields import MOST_BYTES
from sync.catalog.removals import AMBIGUOUS, drop_ambiguous_removals
from sync.catalog.snapshot import build_snapshot
from tests.builders import record
from tests.catalog.runs import document_of, new_parser, wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STORED = {key: document_of(record(key, MediaId=media)) for key, media in [("1", "m1"), ("2", "m2"), ("3", None)]}
EVIDENCE = {"1": "lookup", "2": "lookup", "3": "lookup"}


def left(*records: Any, evidence: Mapping[str, str] = EVIDENCE) -> tuple[list[str], list[Sequence[str]]]:
    """Give the ids that are still removed, and each batch of documents that was asked for."""
    asked: list[Sequence[str]] = []

    def load(ids: Sequence[str]) -> dict[str, Any]:
        asked.append(ids)
        return {key: STORED[key] for key in ids}

    parser = new_parser(load_documents=load)
    snapshot = build_snapshot(parser.parse_page(1, map(wire, records)), parser.missing, parser)
    found = drop_ambiguous_removals(evidence, snapshot, parser)
    assert found.items() <= evidence.items()
    return list(found), asked


def test_the_removal_of_a_template_that_a_record_may_stand_for_cannot_be_accepted() -> None:
    assert AMBIGUOUS == ("a record that was served without a readable id may be this template", False)


def test_where_every_record_has_an_id_all_are_gone_and_nothing_is_loaded() -> None:
    assert left(record("9"), record("8", Title=5)) == (["1", "2", "3"], [])


def test_without_evidence_nothing_is_loaded() -> None:
    assert left({"MediaId": "m1"}, evidence={}) == ([], [])


def test_evidence_is_dropped_against_the_template_whose_media_a_record_without_id_has_and_those_of_unknown_media() -> None:
    assert left(record(MediaId="m1", TemplateId=None))[0] == ["2"]
    assert left(record(MediaId="m1", TemplateId=None), record(MediaId="m2", TemplateId=1.5))[0] == []


def test_media_of_no_stored_template_stand_only_for_those_of_unknown_media() -> None:
    assert left(record(MediaId="other", TemplateId=None))[0] == ["1", "2"]


@pytest.mark.parametrize(
    "without_id",
    [
        {"Title": "x"}, {"MediaId": None}, {"MediaId": ""}, {"MediaId": 5}, "x", None, ["x"],
        {"MediaId": "m1", "TemplateId": 1.5, "x": "y" * MOST_BYTES},
    ],
)  # fmt: skip
def test_a_record_with_neither_id_nor_media_may_be_any_of_them(without_id: Any) -> None:
    assert left(without_id)[0] == []
    assert left(record(MediaId="m1", TemplateId=None), without_id)[0] == []
