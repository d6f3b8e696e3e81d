"""Recognising records by their bytes does not change the result: with and without it, a history leaves the same database.

`tests.twice` compares the two databases after each run; other tests check the rows.
"""
# ruff: noqa: E501 - a history is a line

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog import served_records
from sync.catalog.removals import RunOptions
from tests import hostile
from tests.adversary.answers import STORED
from tests.adversary.attack import BEFORE, CORRECT, SIZE
from tests.adversary.faults import FAULTS
from tests.builders import Database, record
from tests.conftest import KINDS
from tests.fake_client import Pages, scripted, serving
from tests.faults import at, sync
from tests.twice import Attempt, Twice, counting_unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.fake_client import Record


@pytest.fixture(params=KINDS)
def twice(request: pytest.FixtureRequest, migrated: dict[str, str], tmp_path: Path) -> Twice:
    """Two new databases of each kind in turn."""
    return Twice(request.param, migrated, tmp_path)


def pages(*served: Sequence[Record], total: int | None = None, **looked_up: Sequence[Record]) -> Pages:
    """Serve pages of at most three records; `id_7=[...]` is what a look-up of 7 finds."""
    return Pages(served, total, {name.removeprefix("id_"): found for name, found in looked_up.items()})


def many(*served: dict[str, Any]) -> Pages:
    """Serve any number of records, three a page."""
    return Pages([served[start : start + 3] for start in range(0, len(served), 3)])


A, B, C, D, E, F = (record(str(number), Title_en=f"Number {number}") for number in range(1, 7))
ALL = pages([A, B, C], [D])
CATALOG = [record(str(number)) for number in range(1, 15)]


def calm(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "Mood": "calm"}


def without_mood(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "Mood": None}


def signed(each: dict[str, Any], by: str = "b") -> dict[str, Any]:
    return {**each, "Cover": f"https://media.example/cover.jpeg?x-expires=1&x-signature={by}"}


def renamed(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "Title": "Renamed"}


def lacking(name: str, *several: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key != name} for each in several]


def by_unit(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "ConsumeItems": [{**price, "Unit": "second"} for price in each["ConsumeItems"]]}


def respelled(each: dict[str, Any]) -> bytes:
    """Write the same records in other bytes."""
    return json.dumps(dict(reversed(each.items())), ensure_ascii=False, indent=1).encode()


def zeroed(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "TemplateId": f"0{each['TemplateId']}"}


BAD = {**B, "Title": 5}
CALM = pages([calm(A), calm(B), calm(C)], [calm(D)])
NO_TAGS = pages(lacking("Tags", A, B, C), lacking("Tags", D))
NO_ENGLISH = pages(lacking("Tags_en", A, B, C), lacking("Tags_en", D))
OTHERS_FOUND = pages([A, B, C], id_4=[A, B])
"""D is not served, and a look-up finds others in its place: its removal is not confirmed."""


@dataclass(frozen=True)
class Case:
    """A history.

    Attributes:
        runs: one entry a run: what is served, or what each of its walks is served; an id refreshes that one from what was last.
        recognised: records recognised in each, where that is done at all; a record that is served twice counts twice.
    """

    name: str
    runs: Sequence[Pages | tuple[Pages, ...] | str]
    recognised: Sequence[int]

    def attempts(self) -> Iterator[Attempt]:
        last = ALL
        for run in self.runs:
            if isinstance(run, str):
                yield Attempt(serving(last), refreshed=run)
            else:
                walks = run if isinstance(run, tuple) else (run,)
                last = walks[-1]
                yield Attempt(serving(*walks))


CASES = [
    Case("nothing changes", [ALL, ALL, ALL], [0, 4, 4]),
    Case("equal records in other bytes", [ALL, pages([respelled(A), B, C], [D]), pages([respelled(A), B, C], [D])], [0, 3, 4]),
    Case("a URL has a new signature each time", [ALL, *(pages([signed(A, by), B, C], [D]) for by in "bcc")], [0, 3, 3, 4]),
    Case("a change and back", [ALL, pages([renamed(A), B, C], [D]), ALL, ALL], [0, 3, 3, 4]),
    Case("another order of records", [ALL, pages([D, C, B], [A])], [0, 4]),
    Case("a field appears in one template", [ALL, pages([calm(A), B, C], [D]), pages([calm(A), B, C], [D])], [0, 3, 4]),
    Case("a field appears in all templates", [ALL, CALM, CALM], [0, 0, 4]),
    Case("a field disappears from all and returns", [CALM, ALL, ALL, CALM, CALM], [0, 0, 4, 0, 4]),
    Case("a field disappears from one of two", [pages([calm(A), calm(B)]), pages([A, calm(B)]), pages([A, calm(B)])], [0, 1, 2]),
    Case("a field disappears and one template never had it", [pages([calm(A), B]), pages([A, B]), pages([calm(A), B])], [0, 1, 1]),
    Case("a field disappears while a template with it is not served", [CALM, OTHERS_FOUND, CALM, CALM], [0, 0, 1, 4]),
    Case("a field is null, then missing", [pages([without_mood(A), B]), pages([A, B]), pages([without_mood(A), B])], [0, 1, 1]),
    Case("a field of the prices disappears and returns", [pages([by_unit(A), B]), pages([A, B]), pages([by_unit(A), B])], [0, 1, 1]),
    Case("English tags disappear from all", [ALL, NO_ENGLISH, NO_ENGLISH, ALL], [0, 0, 0, 0]),
    Case("only English tags remain", [ALL, NO_TAGS, NO_TAGS, ALL, ALL], [0, 0, 0, 0, 4]),
    Case("Tags remain in one unchanged record", [ALL, pages([A, *lacking("Tags", B, C)], lacking("Tags", D)), ALL], [0, 1, 4]),
    Case("Tags appear, except in one record", [NO_TAGS, pages([A, B, C], lacking("Tags", D)), ALL], [0, 0, 3]),
    Case("a record is invalid, then valid again", [ALL, pages([A, BAD, C], [D]), ALL], [0, 3, 4]),
    Case("only an invalid record has a field", [pages([calm(A), B]), pages([A, calm(BAD)]), pages([calm(A), B])], [0, 0, 1]),
    Case("a field disappears while a record is invalid", [CALM, pages([A, BAD, C], [D]), pages([A, calm(B), C], [D])], [0, 0, 4]),
    Case("an unchanged record before another one with its id", [ALL, pages([A, B, renamed(B)], [C, D], total=4), ALL], [0, 4, 4]),
    Case("another record before the unchanged one with its id", [ALL, pages([A, renamed(B), B], [C, D], total=4), ALL], [0, 4, 4]),
    Case("an invalid record before the unchanged one with its id", [ALL, pages([A, BAD, B], [C, D], total=4), ALL], [0, 4, 4]),
    Case("an unchanged record twice", [ALL, pages([A, B, B], [C, D], total=4)], [0, 5]),
    Case("an unchanged record, then one with a new signature", [ALL, pages([A, B, signed(B)], [C, D], total=4)], [0, 4]),
    Case("one with a new signature, then the unchanged record", [ALL, pages([A, signed(B), B], [C, D], total=4), ALL], [0, 4, 3]),
    Case("an unchanged record again on the next page", [ALL, pages([A, B, C], [B, D], total=4)], [0, 5]),
    Case("an unchanged record with a new signature on the next page", [ALL, pages([A, B, C], [signed(B), D], total=4)], [0, 4]),
    Case("an unchanged record, renamed on the next page", [ALL, pages([A, B, C], [renamed(B), D], total=4)], [0, 12]),
    Case("a record loses its id", [ALL, pages([A, *lacking("TemplateId", B), C], [D]), ALL], [0, 3, 4]),
    Case("an id is a number", [ALL, pages([A, {**B, "TemplateId": 2}, C], [D]), ALL], [0, 3, 4]),
    Case("a template disappears and returns unchanged", [ALL, pages([A, B, C]), ALL, ALL], [0, 3, 3, 4]),
    Case("a template disappears and returns renamed", [ALL, pages([A, B, C]), pages([A, B, C], [renamed(D)]), ALL], [0, 3, 3, 3]),
    Case("a template is found only by its look-up", [ALL, pages([A, B, C], id_4=[D]), pages([A, B, C], id_4=[renamed(D)])], [0, 4, 3]),
    Case("a template is found invalid by its look-up", [ALL, pages([A, B, C], id_4=[{**D, "Title": 5}]), ALL], [0, 3, 4]),
    Case(
        "look-ups return each other's templates",
        [pages([calm(A), B, C], [calm(D)]), pages([B, C], id_1=[calm(D)], id_4=[calm(D)])],
        [0, 4],
    ),
    Case(
        "a look-up returns another template, too",
        [pages([calm(A), B, C], [calm(D)]), pages([A, B, C], id_4=[calm(A), calm(D)], total=3)],
        [0, 4],
    ),
    Case("the count changes during a walk without other changes", [ALL, (pages([A, B, C], [D], total=5), ALL), ALL], [0, 8, 4]),
    Case("the count changes during a walk", [ALL, (pages([A, B, C], [D], total=5), pages([renamed(A), B, C], [D], total=4))], [0, 7]),
    Case("the count is always wrong", [ALL, *[pages([A, renamed(B), C], total=9)] * 5], [0, 6, 9, 9, 9, 9]),
    Case("the count is too low", [pages([A, B, C], [D, E, F]), pages([A, B, C], [D, E, F], total=3)], [0, 18]),
    Case(
        "one page more than expected, with the only records of a field",
        [pages([calm(A), B, C], [D, calm(E), F]), pages([A, B, C], [B, C, D], [calm(E), F], total=6)],
        [0, 7],
    ),
    Case(
        "each attempt of a walk returns other records",
        [
            pages([calm(A), B, C], [calm(E)]),
            (pages([calm(A), B, C], [calm(E)], total=9), pages([renamed(A), B, C], total=9)),
        ],
        [0, 8],
    ),
    Case("a field appears in an unverified walk", [ALL, pages([calm(A), B, C], [D], total=9), CALM, CALM], [0, 9, 1, 4]),
    Case(
        "a field returns in an unverified walk",
        [CALM, ALL, pages([calm(A), B, C], [D], total=9), pages([calm(A), B, C], [D])],
        [0, 0, 9, 4],
    ),
    Case("an empty catalog", [ALL, pages([]), ALL], [0, 0, 4]),
    Case("too many templates are missing for three runs", [many(*CATALOG), *[many(*CATALOG[:2])] * 3, many(*CATALOG)], [0, 2, 2, 2, 2]),
    Case(
        "most templates are missing, and a second walk finds one", [
            Pages([[calm(CATALOG[0]), *(record(str(number)) for number in range(2, 250)), calm(record("250"))]]),
            (Pages([[CATALOG[0]]]), Pages([[calm(CATALOG[0]), calm(record("250"))]])),
        ], [0, 2],
    ),
    Case("all ids have another spelling", [many(*CATALOG), many(*map(zeroed, CATALOG)), many(*CATALOG)], [0, 0, 14]),
    Case("ids with two known spellings lose one", [many(*CATALOG, *map(zeroed, CATALOG)), many(*CATALOG)], [0, 14]),
    Case("a refresh between runs", [ALL, pages([renamed(A), B, C], [D]), "1", "2", ALL, "1", ALL], [0, 3, 0, 0, 3, 0, 4]),
    Case("a refresh before any run", ["3", ALL, ALL], [0, 1, 4]),
]  # fmt: skip


EVERYWHERE = "a field disappears from all and returns"
"""Quick on every engine."""


def marks_of(case: Case, place: int) -> list[pytest.MarkDecorator]:
    """Mark every fourth of the others as quick on SQLite, every fourth for CI, and the rest as long."""
    if case.name == EVERYWHERE:
        return []
    return [[pytest.mark.long_on_servers], [pytest.mark.long], [pytest.mark.ci_slice], [pytest.mark.long]][place % 4]


@pytest.mark.parametrize(
    "case", [pytest.param(each, id=each.name, marks=marks_of(each, place)) for place, each in enumerate(CASES)]
)
def test_a_history_has_the_same_result_without_recognition(case: Case, twice: Twice) -> None:
    assert [account.recognised for account in twice.play(case.attempts)] == [*case.recognised]


# Hostile responses ------------------------------------------------------------------------------------------------------


COUNTING = ("once, then a valid response", "all others return 404", "after the controls")
HOSTILE = [fault for fault in (*FAULTS, *STORED) if not fault.name.endswith(COUNTING)]
"""Without those whose response depends on the number of requests: the second time another request would get the fault."""
TOGETHER = 20
"""Faults in one history: a new database for each would take most of the time."""


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(start, marks=[pytest.mark.long if start else pytest.mark.ci_slice])
        for start in range(0, len(HOSTILE), TOGETHER)
    ],
)
def test_a_hostile_server_has_the_same_result_without_recognition(start: int, migrated: dict[str, str], tmp_path: Path) -> None:
    options = RunOptions(page_size=SIZE)

    def attempts() -> Iterator[Attempt]:
        yield Attempt(scripted(hostile.catalog(BEFORE)), options)
        for fault in HOSTILE[start : start + TOGETHER]:
            yield Attempt(scripted(fault.script), options, name=fault.name)
        yield Attempt(scripted(CORRECT), options)

    accounts = Twice("sqlite", migrated, tmp_path).play(attempts)
    assert accounts[-1].status == "succeeded"
    assert sum(account.recognised for account in accounts) > 50


# Another version --------------------------------------------------------------------------------------------------------


def test_another_declaration_parses_all_records_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(minute: int) -> tuple[int, int]:
        with counting_unchanged() as unchanged:
            outcome = sync([A, B, C], database.engine, clock=at(minute))
        return sum(unchanged), outcome.run.unchanged

    def hashes() -> set[str]:
        return {row["wire_hash"] for row in database.rows("templates")}

    assert [run(0), run(1)] == [(0, 0), (3, 3)]
    before = hashes()
    monkeypatch.setattr(served_records, "DECLARATION", b"another one")
    assert [run(2), run(3)] == [(0, 3), (3, 3)]
    assert len(hashes() | before) == 6
