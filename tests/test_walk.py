"""The walk and the look-up, asked of a catalog in memory: what is believed, and what never is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sync import walk as walking
from sync.decode import Envelope
from sync.errors import BadAnswer, DeadlineExceeded, Deferred, Refused, SyncError, Unreachable
from sync.walk import LookUp, Verdict, Walk, look_up, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Answer = Callable[[int], list[Any] | SyncError]


class Catalog:
    """Answers by page; remembers what it was asked. `answer` gives a page's ids, or records, or an error."""

    def __init__(self, answer: Answer, total: Any) -> None:
        self.answer = answer
        self.total = total
        self.asked: list[int] = []

    async def ask(self, **question: str | int) -> Envelope:
        page = int(question["page"])
        self.asked.append(page)
        await asyncio.sleep(0)
        found = self.answer(page)
        if isinstance(found, SyncError):
            raise found
        records = [each if isinstance(each, dict | list) or each is None else {"TemplateId": str(each)} for each in found]
        total = self.total(len(self.asked)) if callable(self.total) else self.total
        return Envelope(200, "", total, records)

    def walk(self, page_size: int = 2, lanes: int = 1) -> Walk:
        return asyncio.run(walk(self.ask, page_size=page_size, lanes=lanes))


def pages(*served: Sequence[Any] | SyncError, past_end: Any = ()) -> Answer:
    """Serve these pages, and past them `past_end`."""

    def answer(page: int) -> Any:
        found = served[page - 1] if page <= len(served) else past_end
        return found if isinstance(found, SyncError) else list(found)

    return answer


def ids(found: Walk) -> list[str]:
    return [placed.record["TemplateId"] for placed in found.records]


NOT_FOUND, INVALID = BadAnswer("no", code="404"), BadAnswer("no", code="422")


@pytest.mark.parametrize("lanes", [1, 2, 9])
def test_a_catalog_that_holds_still_is_verified_in_one_walk(lanes: int) -> None:
    catalog = Catalog(pages([1, 2], [3, 4], [5]), total=5)
    found = catalog.walk(lanes=lanes)
    assert (ids(found), found.verified, found.pages, found.total) == (["1", "2", "3", "4", "5"], True, 3, 5)
    assert sorted(catalog.asked) == [1, 2, 3]


def test_an_empty_catalog_that_says_so_is_verified() -> None:
    found = Catalog(pages([]), total=0).walk()
    assert (found.records, found.verified, found.pages) == ((), True, 1)


def test_a_page_size_capped_without_a_word_is_taken_as_it_is() -> None:
    catalog = Catalog(pages([1, 2], [3, 4], [5]), total=5)
    assert catalog.walk(page_size=50).verified
    assert catalog.asked == [1, 2, 3]


def test_a_server_that_gives_everything_at_once_is_verified() -> None:
    catalog = Catalog(lambda _: [1, 2, 3, 4, 5], total=5)
    found = catalog.walk(page_size=2)
    assert (ids(found), found.verified, catalog.asked) == (["1", "2", "3", "4", "5"], True, [1, 2])


@pytest.mark.parametrize(
    "past_end",
    [(), (3, 4), (4, 3), (1, 2), NOT_FOUND, INVALID],
    ids=["empty", "the last again", "the last turned round", "the first again", "404", "422"],
)
def test_whatever_comes_past_a_full_last_page_is_the_end(past_end: Any) -> None:
    catalog = Catalog(pages([1, 2], [3, 4], past_end=past_end), total=4)
    found = catalog.walk()
    assert (ids(found), found.verified, catalog.asked) == (["1", "2", "3", "4"], True, [1, 2, 3])


def test_a_count_of_nothing_past_the_end_is_no_movement() -> None:
    assert Catalog(pages([1, 2]), total=lambda request: 2 if request % 2 else 0).walk().verified


UNBELIEVABLE: dict[str, tuple[Answer, Any, list[str], str]] = {
    "total missing": (pages([1, 2], [3]), None, ["1", "2", "3"], "did not say how many"),
    "total missing, the last page repeated": (pages([1, 2], past_end=[1, 2]), None, ["1", "2"], "did not say how many"),
    "total too low": (pages([1, 2], [3, 4], [5]), 2, ["1", "2", "3", "4", "5"], "says that it has 2 templates, but served 5"),
    "total too high": (pages([1, 2], [3]), 9, ["1", "2", "3"], "says that it has 9 templates, but served 3"),
    "total too high, 404 past the end": (pages([1, 2], [3], past_end=NOT_FOUND), 9, ["1", "2", "3"], "served 3"),
    "total too high, the last page repeated": (pages([1, 2], past_end=[3, 4]), 9, ["1", "2", "3", "4"], "the same page twice"),
    "total absurdly high": (pages([1, 2], [3]), 10**12, ["1", "2", "3"], "served 3"),
    "total growing": (pages([1, 2], [3, 4]), lambda request: request + 3, ["1", "2", "3", "4"], "count moved"),
    "page ignored": (lambda _: [1, 2], 6, ["1", "2"], "the same page twice"),
    "an empty page": (pages([1, 2], [], [5]), 5, ["1", "2", "5"], "says that it has 5 templates, but served 3"),
    "an empty first page": (pages([], [1]), 1, [], "says that it has 1 templates, but served 0"),
    "a short page": (pages([1, 2], [3], [5]), 5, ["1", "2", "3", "5"], "served 4"),
    "an item served twice for another": (pages([1, 2], [2, 3]), 4, ["1", "2", "2", "3"], "served 3"),
    "an item too many": (pages([1, 2], [3, 4]), 3, ["1", "2", "3", "4"], "served 4"),
}


@pytest.mark.parametrize(("answer", "total", "served", "doubt"), UNBELIEVABLE.values(), ids=UNBELIEVABLE)
def test_a_walk_that_does_not_add_up_is_made_again_and_then_not_believed(
    answer: Answer, total: Any, served: list[str], doubt: str
) -> None:
    catalog = Catalog(answer, total)
    found = catalog.walk()
    assert not found.verified
    assert doubt in found.doubt
    assert list(dict.fromkeys(ids(found))) == list(dict.fromkeys(served))
    assert catalog.asked.count(1) == walking.MOST_WALKS
    assert len(catalog.asked) < 40


def test_a_second_walk_that_adds_up_is_believed() -> None:
    catalog = Catalog(lambda page: {1: [1, 2], 2: [3] if catalog.asked.count(1) > 1 else []}[page], total=3)
    found = catalog.walk()
    assert (ids(found), found.verified, catalog.asked.count(1)) == (["1", "2", "3"], True, 2)


def test_a_catalog_that_shrinks_below_a_page_during_the_walk_is_walked_again() -> None:
    catalog = Catalog(lambda page: [1, 2] if page == 1 else NOT_FOUND, total=lambda request: 3 if request == 1 else 2)
    found = catalog.walk()
    assert (ids(found), found.verified, found.total) == (["1", "2"], True, 2)


def test_what_several_unbelievable_walks_served_is_joined_the_newest_first() -> None:
    def answer(page: int) -> list[Any]:
        attempt = catalog.asked.count(1)
        return [{"TemplateId": "1", "Title": attempt}, {"TemplateId": str(10 + attempt)}] if page == 1 else []

    catalog = Catalog(answer, total=9)
    assert [(placed.record["TemplateId"], placed.record.get("Title")) for placed in catalog.walk().records] == [
        ("1", 3), ("13", None), ("12", None), ("11", None),
    ]  # fmt: skip


def test_a_template_that_changed_between_two_pages_is_asked_for_again() -> None:
    def answer(page: int) -> list[Any]:
        return [[1, {"TemplateId": "2", "Title": "old"}], [{"TemplateId": "2", "Title": "new"}, 3]][page - 1] if page < 3 else []

    catalog = Catalog(answer, total=3)
    assert catalog.walk().verified
    assert catalog.asked.count(1) == walking.MOST_WALKS


def test_a_template_on_two_pages_signed_anew_is_no_reason_to_walk_again() -> None:
    def answer(page: int) -> list[Any]:
        moved = {"TemplateId": "2", "Cover": f"https://m.example/c?sig={page}"}
        return [[1, moved], [moved, 3]][page - 1] if page < 3 else []

    catalog = Catalog(answer, total=3)
    assert catalog.walk().verified
    assert catalog.asked == [1, 2, 3]


def test_two_pages_nested_too_deeply_to_compare_do_not_end_the_run() -> None:
    def deep() -> Any:
        value: Any = 1
        for _ in range(50_000):
            value = [value]
        return {"TemplateId": "2", "x": value}

    assert Catalog(pages([1, deep()], [deep(), 3]), total=3).walk().verified


def test_a_record_without_an_id_stands_for_one_template() -> None:
    found = Catalog(pages([1, {}], [None, 4]), total=4).walk()
    assert (found.verified, len(found.records)) == (True, 4)


@pytest.mark.parametrize("error", [Unreachable("no"), Deferred("no", code="455"), Refused("no", code="401"), BadAnswer("no")])
@pytest.mark.parametrize("lanes", [1, 4])
def test_an_error_on_any_page_ends_the_walk_as_it_is(error: SyncError, lanes: int) -> None:
    catalog = Catalog(pages([1, 2], error, [5, 6], [7, 8], [9]), total=9)
    with pytest.raises(type(error)) as caught:
        catalog.walk(lanes=lanes)
    assert caught.value is error


@pytest.mark.parametrize("error", [NOT_FOUND, INVALID])
def test_no_first_page_is_no_end_but_an_error(error: SyncError) -> None:
    with pytest.raises(BadAnswer):
        Catalog(lambda _: error, total=0).walk()


def test_a_catalog_without_end_is_bounded_by_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_PAGES", 7)
    catalog = Catalog(lambda page: [2 * page, 2 * page + 1], total=None)
    with pytest.raises(BadAnswer, match="more than 7 pages"):
        catalog.walk()
    assert catalog.asked == [1, 2, 3, 4, 5, 6, 7]


def test_a_catalog_without_end_is_bounded_by_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_RECORDS", 5)
    with pytest.raises(BadAnswer, match="more than 5 records"):
        Catalog(lambda page: [2 * page, 2 * page + 1], total=None).walk()


def test_progress_is_told_after_every_page() -> None:
    told: list[tuple[int, int | None]] = []
    catalog = Catalog(pages([1, 2], [3]), total=3)
    asyncio.run(walk(catalog.ask, page_size=2, lanes=1, progress=lambda *counts: told.append(counts)))
    assert told == [(1, None), (2, 2)]


# The look-up ------------------------------------------------------------------------------------------------------------


def looked_up(answers: dict[str, list[Any] | SyncError], lanes: int = 1) -> tuple[dict[str, LookUp], list[str]]:
    asked: list[str] = []

    async def ask(**question: str | int) -> Envelope:
        template_id = str(question["template_id"])
        asked.append(template_id)
        answer = answers[template_id]
        if isinstance(answer, SyncError):
            raise answer
        return Envelope(200, "", len(answer), answer)

    return asyncio.run(look_up(ask, list(answers), lanes=lanes)), asked


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ([], Verdict.GONE),
        (NOT_FOUND, Verdict.GONE),
        ([{"TemplateId": "7"}], Verdict.THERE),
        ([{"TemplateId": 7}], Verdict.THERE),
        ([{"TemplateId": "6"}, {"TemplateId": "7"}], Verdict.THERE),
        ([{"TemplateId": "6"}], Verdict.UNKNOWN),
        ([{}], Verdict.UNKNOWN),
        ([None], Verdict.UNKNOWN),
        (INVALID, Verdict.UNKNOWN),
        (BadAnswer("no", code="html"), Verdict.UNKNOWN),
        (BadAnswer("no", code="contradiction"), Verdict.UNKNOWN),
        (Unreachable("no", code="500"), Verdict.UNKNOWN),
        (Deferred("no", code="429"), Verdict.UNKNOWN),
        (Deferred("no", code="455"), Verdict.UNKNOWN),
        (Refused("no", code="401"), Verdict.UNKNOWN),
    ],
)
def test_only_a_plain_not_there_is_evidence(answer: Any, verdict: Verdict) -> None:
    found, _ = looked_up({"7": answer})
    assert found["7"].verdict is verdict
    assert bool(found["7"].records) is (verdict is Verdict.THERE)


@pytest.mark.parametrize("error", [Deferred("no", code="429"), Unreachable("no"), Refused("no", code="402")])
def test_after_an_error_that_will_not_pass_the_rest_is_not_asked(error: SyncError) -> None:
    found, asked = looked_up({"1": NOT_FOUND, "2": error, "3": NOT_FOUND})
    assert [found[each].verdict for each in "123"] == [Verdict.GONE, Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert asked == ["1", "2"]


def test_after_an_answer_without_sense_the_rest_is_asked() -> None:
    found, asked = looked_up({"1": BadAnswer("no", code="html"), "2": NOT_FOUND}, lanes=4)
    assert (found["2"].verdict, sorted(asked)) == (Verdict.GONE, ["1", "2"])


def test_the_end_of_the_run_is_not_taken_for_an_answer() -> None:
    with pytest.raises(DeadlineExceeded):
        looked_up({"1": DeadlineExceeded("no")})


def test_nothing_to_look_up_asks_nothing() -> None:
    assert looked_up({}) == ({}, [])
