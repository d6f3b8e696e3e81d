"""The walk, asked of a catalog in memory: what is believed, and what never is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.intake import Intake
from sync.catalog.raw_record import wire_hash
from sync.endpoint import walk as walking
from sync.endpoint.walk import Walk, walk
from sync.errors import BadAnswer, DeadlineExceeded, Deferred, NoSuchPage, Refused, SyncError, Unreachable
from sync.spool import Spool
from tests.answering import Answering, listed, not_there

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.endpoint.envelope import Envelope
    from sync.endpoint.questions import Question

    Answer = Callable[[int], list[Any] | SyncError]


class Catalog(Answering):
    """Answers by page; remembers what it was asked. `answer` gives a page's ids, or records, or their bytes, or an error."""

    def __init__(
        self,
        answer: Answer,
        total: Any,
        known: Mapping[str, str | None] | None = None,
        order: Callable[[int], int] | None = None,
    ) -> None:
        super().__init__(self._listed, order)
        self.answer = answer
        self.total = total
        self.intake = Intake(known or {}, frozenset(), Spool())

    @property
    def pages_asked(self) -> list[int]:
        return [int(question["page"]) for question in self.asked]

    def _listed(self, question: Question) -> Envelope | SyncError:
        found = self.answer(int(question["page"]))
        if isinstance(found, SyncError):
            return found
        records = [{"TemplateId": str(each)} if isinstance(each, int | str) else each for each in found]
        return listed(records, self.total(len(self.asked)) if callable(self.total) else self.total)

    def walk(self, page_size: int = 2, workers: int = 1) -> Walk:
        return walk(self, self.intake, page_size=page_size, workers=workers)

    def values(self, found: Walk) -> list[Any]:
        return [self.intake.value(each) for each in found.sightings]


def pages(*served: Sequence[Any] | SyncError, past_end: Any = ()) -> Answer:
    """Serve these pages, and past them `past_end`."""

    def answer(page: int) -> Any:
        found = served[page - 1] if page <= len(served) else past_end
        return found if isinstance(found, SyncError) else list(found)

    return answer


def ids(found: Walk) -> list[str]:
    return [str(each.template_id) for each in found.sightings]


NOT_FOUND, INVALID = not_there(), NoSuchPage("no")


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_a_catalog_that_holds_still_is_verified_in_one_walk(workers: int) -> None:
    catalog = Catalog(pages([1, 2], [3, 4], [5]), total=5)
    found = catalog.walk(workers=workers)
    assert (ids(found), found.verified, found.pages, found.total) == (["1", "2", "3", "4", "5"], True, 3, 5)
    assert sorted(catalog.pages_asked) == [1, 2, 3]


def test_an_empty_catalog_that_says_so_is_verified() -> None:
    found = Catalog(pages([]), total=0).walk()
    assert (found.sightings, found.verified, found.pages) == ((), True, 1)


def test_a_page_size_capped_without_a_word_is_taken_as_it_is() -> None:
    catalog = Catalog(pages([1, 2], [3, 4], [5]), total=5)
    assert catalog.walk(page_size=50).verified
    assert catalog.pages_asked == [1, 2, 3]


def test_a_server_that_gives_everything_at_once_is_verified() -> None:
    catalog = Catalog(lambda _: [1, 2, 3, 4, 5], total=5)
    found = catalog.walk(page_size=2)
    assert (ids(found), found.verified, catalog.pages_asked) == (["1", "2", "3", "4", "5"], True, [1, 2])


@pytest.mark.parametrize(
    "past_end",
    [(), (3, 4), (4, 3), (1, 2), NOT_FOUND, INVALID],
    ids=["empty", "the last again", "the last turned round", "the first again", "404", "422"],
)
def test_whatever_comes_past_a_full_last_page_is_the_end(past_end: Any) -> None:
    catalog = Catalog(pages([1, 2], [3, 4], past_end=past_end), total=4)
    found = catalog.walk()
    assert (ids(found), found.verified, catalog.pages_asked) == (["1", "2", "3", "4"], True, [1, 2, 3])


@pytest.mark.parametrize("order", [lambda _: 0, lambda in_flight: in_flight - 1], ids=["in turn", "the last first"])
def test_the_order_in_which_answers_come_changes_nothing(order: Callable[[int], int]) -> None:
    catalog = Catalog(pages([1, 2], [3, 4], [5, 6], [7]), total=7, order=order)
    assert ids(catalog.walk(workers=3)) == ["1", "2", "3", "4", "5", "6", "7"]


def test_a_record_that_is_known_by_its_bytes_counts_like_any_other() -> None:
    known = {"1": wire_hash(json.dumps({"TemplateId": "1"}).encode())}
    found = Catalog(pages([1, 2], [3]), total=3, known=known).walk()
    assert (found.verified, [each.reading is None for each in found.sightings]) == (True, [True, False, False])


def test_the_last_page_again_is_the_end_also_where_one_of_its_records_has_no_id() -> None:
    assert Catalog(pages([1, 2], [3, {}], past_end=[3, {}]), total=4).walk().verified


def test_a_record_without_an_id_past_the_end_is_one_too_many() -> None:
    found = Catalog(pages([1, 2], [3, 4], past_end=[{}]), total=4).walk()
    assert (found.verified, found.reason) == (False, "the catalog says that it has 4 templates, but served 5")


def test_an_error_past_the_end_is_nothing_where_the_count_is_right_but_the_end_of_the_time_is() -> None:
    assert Catalog(pages([1, 2], [3, 4], past_end=Unreachable("no")), total=4).walk().verified
    with pytest.raises(DeadlineExceeded):
        Catalog(pages([1, 2], [3, 4], past_end=DeadlineExceeded("no")), total=4).walk()


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
    assert doubt in found.reason
    assert list(dict.fromkeys(ids(found))) == list(dict.fromkeys(served))
    assert catalog.pages_asked.count(1) == walking.MOST_WALKS
    assert len(catalog.pages_asked) < 40


def test_a_second_walk_that_adds_up_is_believed() -> None:
    catalog = Catalog(lambda page: {1: [1, 2], 2: [3] if catalog.pages_asked.count(1) > 1 else []}[page], total=3)
    found = catalog.walk()
    assert (ids(found), found.verified, catalog.pages_asked.count(1)) == (["1", "2", "3"], True, 2)


def test_a_catalog_that_shrinks_below_a_page_during_the_walk_is_walked_again() -> None:
    catalog = Catalog(lambda page: [1, 2] if page == 1 else NOT_FOUND, total=lambda request: 3 if request == 1 else 2)
    found = catalog.walk()
    assert (ids(found), found.verified, found.total) == (["1", "2"], True, 2)


def test_what_several_unbelievable_walks_served_is_joined_the_newest_first() -> None:
    def answer(page: int) -> list[Any]:
        attempt = catalog.pages_asked.count(1)
        return [{"TemplateId": "1", "Title": attempt}, {"TemplateId": str(10 + attempt)}] if page == 1 else []

    catalog = Catalog(answer, total=9)
    assert [(value["TemplateId"], value.get("Title")) for value in catalog.values(catalog.walk())] == [
        ("1", 3), ("13", None), ("12", None), ("11", None),
    ]  # fmt: skip


def test_a_template_that_changed_between_two_pages_is_asked_for_again() -> None:
    def answer(page: int) -> list[Any]:
        return [[1, {"TemplateId": "2", "Title": "old"}], [{"TemplateId": "2", "Title": "new"}, 3]][page - 1] if page < 3 else []

    catalog = Catalog(answer, total=3)
    assert catalog.walk().verified
    assert catalog.pages_asked.count(1) == walking.MOST_WALKS


def test_a_template_on_two_pages_signed_anew_is_no_reason_to_walk_again() -> None:
    def answer(page: int) -> list[Any]:
        moved = {"TemplateId": "2", "Cover": f"https://m.example/c?sig={page}"}
        return [[1, moved], [moved, 3]][page - 1] if page < 3 else []

    catalog = Catalog(answer, total=3)
    assert catalog.walk().verified
    assert catalog.pages_asked == [1, 2, 3]


def test_two_pages_nested_too_deeply_to_compare_do_not_end_the_run() -> None:
    deep = b'{"TemplateId": "2", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert Catalog(pages([1, deep], [deep + b" ", 3]), total=3).walk().verified


def test_a_record_without_an_id_stands_for_one_template() -> None:
    found = Catalog(pages([1, {}], [None, 4]), total=4).walk()
    assert (found.verified, len(found.sightings)) == (True, 4)


@pytest.mark.parametrize("error", [Unreachable("no"), Deferred("no", code="455"), Refused("no", code="401"), BadAnswer("no")])
@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_on_any_page_ends_the_walk_as_it_is(error: SyncError, workers: int) -> None:
    catalog = Catalog(pages([1, 2], error, [5, 6], [7, 8], [9]), total=9)
    with pytest.raises(type(error)) as caught:
        catalog.walk(workers=workers)
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
    assert catalog.pages_asked == [1, 2, 3, 4, 5, 6, 7]


def test_a_catalog_without_end_is_bounded_by_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_RECORDS", 5)
    with pytest.raises(BadAnswer, match="more than 5 records"):
        Catalog(lambda page: [2 * page, 2 * page + 1], total=None).walk()


def test_progress_is_told_after_every_page() -> None:
    told: list[tuple[int, int | None]] = []
    catalog = Catalog(pages([1, 2], [3]), total=3)
    walk(catalog, catalog.intake, page_size=2, workers=1, progress=lambda *counts: told.append(counts))
    assert told == [(1, None), (2, 2)]
