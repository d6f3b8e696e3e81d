"""Walks over a catalog in memory: which are verified, and which are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.fields import DOCUMENTED
from sync.catalog.removals import RunOptions
from sync.catalog.served_records import wire_hash
from sync.client import walk as walking
from sync.client.walk import Walk, walk
from sync.errors import AccessDenied, DeadlineExceeded, Deferred, InvalidResponse, NoSuchPage, SyncError, Unreachable
from tests.catalog.runs import new_parser
from tests.fake_client import FakeClient, listed, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.client.api_client import Params
    from sync.client.response import Envelope

    Answer = Callable[[int], list[Any] | SyncError]


class Catalog(FakeClient):
    """Serves pages and stores the requests. `answer` returns the IDs of a page, or its records, their bytes, or an error."""

    def __init__(
        self, answer: Answer, total: Any, known: Mapping[str, str | None] | None = None, order: Callable[[int], int] | None = None
    ) -> None:
        super().__init__(self._listed, order)
        self.answer = answer
        self.total = total
        self.parser = new_parser(known)

    @property
    def requested_pages(self) -> list[int]:
        return [int(params["page"]) for params in self.requests]

    def _listed(self, params: Params) -> Envelope | SyncError:
        found = self.answer(int(params["page"]))
        if isinstance(found, SyncError):
            return found
        records = [{"TemplateId": str(each)} if isinstance(each, int | str) else each for each in found]
        return listed(records, self.total(len(self.requests)) if callable(self.total) else self.total)

    def walk(self, page_size: int = 2, workers: int = 1) -> Walk:
        self.workers = workers
        return walk(self, self.parser, RunOptions(page_size))

    def values(self, found: Walk) -> list[Any]:
        return [self.parser.decode(each) for each in found.records]


def pages(*served: Sequence[Any] | SyncError, past_end: Any = ()) -> Answer:
    """Serve these pages, and past them `past_end`."""

    def answer(page: int) -> Any:
        found = served[page - 1] if page <= len(served) else past_end
        return found if isinstance(found, SyncError) else list(found)

    return answer


def ids(found: Walk) -> list[str]:
    return [str(each.template_id) for each in found.records]


NOT_FOUND, INVALID = not_found(), NoSuchPage("no")

UNCOUNTED, REPEATED = "the catalog did not report its number of templates", "the catalog served the same page twice"
UNEQUAL = "the catalog reports {} templates, but served {}".format
MOVED = "the catalog's count changed during the walk ({})".format


PAST_THE_END: dict[str, Any] = {
    "empty": (), "the last page again": (3, 4), "the last page in another order": (4, 3), "the first page again": (1, 2),
    "404": NOT_FOUND, "422": INVALID, "an outage": Unreachable("no"),
}  # fmt: skip
VERIFIED: dict[str, tuple[Answer, Any, int, str, list[int]]] = {
    "three pages": (pages([1, 2], [3, 4], [5]), 5, 2, "1 2 3 4 5", [1, 2, 3]),
    "one page": (pages([1]), 1, 2, "1", [1]),
    "a page size that the server limits": (pages([1, 2], [3, 4], [5]), 5, 50, "1 2 3 4 5", [1, 2, 3]),
    "a server that ignores page and page size": (lambda _: [1, 2, 3, 4, 5], 5, 2, "1 2 3 4 5", [1, 2]),
    "records without IDs": (pages([1, {}], [None, 4]), 4, 2, "1 None None 4", [1, 2, 3]),
    "two of them, and an ID twice": (pages([1, {}], [None, 1]), 3, 2, "1 None None 1", [1, 2, 3]),
    "one of them on a repeated last page": (pages([1, 2], [3, {}], past_end=[3, {}]), 4, 2, "1 2 3 None", [1, 2, 3]),
    "a count of 0 past the end": (pages([1, 2]), lambda request: 2 if request % 2 else 0, 2, "1 2", [1, 2]),
    **{
        f"past the end: {name}": (pages([1, 2], [3, 4], past_end=past_end), 4, 2, "1 2 3 4", [1, 2, 3])
        for name, past_end in PAST_THE_END.items()
    },
}


@pytest.mark.parametrize(("answer", "total", "page_size", "served", "requested"), VERIFIED.values(), ids=VERIFIED)
@pytest.mark.parametrize("workers", [1, 9])
def test_a_catalog_that_does_not_change_is_verified_in_one_walk(
    answer: Answer, total: Any, page_size: int, served: str, requested: list[int], workers: int
) -> None:
    catalog = Catalog(answer, total)
    found = catalog.walk(page_size, workers)
    assert (found.verified, found.reason, " ".join(ids(found)), sorted(catalog.requested_pages)) == (True, "", served, requested)
    assert (found.pages, found.total) == (len({each.page for each in found.records}), 2 if callable(total) else total)


@pytest.mark.parametrize(("error", "total"), [(DeadlineExceeded("no"), 4), (Deferred("no", code="429"), 2)])
def test_the_deadline_past_the_end_and_a_rate_limit_if_the_count_is_too_low_end_the_walk(error: SyncError, total: int) -> None:
    with pytest.raises(type(error)):
        Catalog(pages([1, 2], [3, 4], past_end=error), total).walk()


def test_an_empty_catalog_with_a_count_of_0_is_verified() -> None:
    found = Catalog(pages([]), total=0).walk()
    assert found == Walk((), 0, 1, verified=True, missing=DOCUMENTED)
    assert found.reason == ""


def test_every_page_is_requested_with_the_same_size() -> None:
    catalog = Catalog(pages([1, 2], [3, 4]), total=4)
    catalog.walk(page_size=50)
    assert catalog.requests == [{"page": page, "page_size": 50} for page in (1, 2, 3)]


@pytest.mark.parametrize("order", [lambda _: 0, lambda in_flight: in_flight - 1], ids=["in turn", "the last first"])
def test_the_order_of_responses_has_no_effect(order: Callable[[int], int]) -> None:
    catalog = Catalog(pages([1, 2], [3, 4], [5, 6], [7]), total=7, order=order)
    assert ids(catalog.walk(workers=3)) == ["1", "2", "3", "4", "5", "6", "7"]


def test_a_recognised_record_counts_as_any_other() -> None:
    known = {"1": wire_hash(json.dumps({"TemplateId": "1"}).encode())}
    found = Catalog(pages([1, 2], [3]), total=3, known=known).walk()
    assert (found.verified, [each.offset is None for each in found.records]) == (True, [True, False, False])


def test_a_record_without_an_id_past_the_end_counts() -> None:
    found = Catalog(pages([1, 2], [3, 4], past_end=[{}]), total=4).walk()
    assert (found.verified, found.reason) == (False, UNEQUAL(4, 5))


def test_with_a_count_that_is_too_low_an_error_past_the_end_is_a_failed_page() -> None:
    found = Catalog(pages([1, 2], [3, 4], past_end=Unreachable("no")), total=2).walk()
    assert (ids(found), found.failed_pages, found.verified) == (["1", "2", "3", "4"], (3,), False)


def test_a_count_that_is_too_low_is_detected_with_pages_of_one_template() -> None:
    found = Catalog(pages([1], [2]), total=1).walk(page_size=1)
    assert found.reason == UNEQUAL(1, 2)


def test_a_record_from_past_the_end_has_its_own_page_number() -> None:
    found = Catalog(pages([1, 2], [3, 4], [5]), total=2).walk()
    assert [each.page for each in found.records] == [1, 1, 2, 2, 3]


UNBELIEVABLE: dict[str, tuple[Answer, Any, list[str], str]] = {
    "total missing": (pages([1, 2], [3]), None, ["1", "2", "3"], UNCOUNTED),
    "total missing, the last page repeated": (pages([1, 2], past_end=[1, 2]), None, ["1", "2"], UNCOUNTED),
    "total too low": (pages([1, 2], [3, 4], [5]), 2, ["1", "2", "3", "4", "5"], UNEQUAL(2, 5)),
    "total too high": (pages([1, 2], [3]), 9, ["1", "2", "3"], UNEQUAL(9, 3)),
    "total too high, 404 past the end": (pages([1, 2], [3], past_end=NOT_FOUND), 9, ["1", "2", "3"], UNEQUAL(9, 3)),
    "total too high, 422 past the end": (pages([1, 2], [3], past_end=INVALID), 9, ["1", "2", "3"], UNEQUAL(9, 3)),
    "total too high, the last page repeated": (pages([1, 2], past_end=[3, 4]), 9, ["1", "2", "3", "4"], REPEATED),
    "total absurdly high": (pages([1, 2], [3]), 10**12, ["1", "2", "3"], UNEQUAL(10**12, 3)),
    "total moving": (pages([1, 2], [3, 4]), lambda request: request % 3 + 3, ["1", "2", "3", "4"], MOVED("3, 4, 5")),
    "page ignored": (lambda _: [1, 2], 6, ["1", "2"], REPEATED),
    "an empty page": (pages([1, 2], [], [5]), 5, ["1", "2", "5"], UNEQUAL(5, 3)),
    "an empty first page": (pages([], [1]), 1, [], UNEQUAL(1, 0)),
    "a short page": (pages([1, 2], [3], [5]), 5, ["1", "2", "3", "5"], UNEQUAL(5, 4)),
    "an item served twice for another": (pages([1, 2], [2, 3]), 4, ["1", "2", "2", "3"], UNEQUAL(4, 3)),
    "an item too many": (pages([1, 2], [3, 4]), 3, ["1", "2", "3", "4"], UNEQUAL(3, 4)),
}


@pytest.mark.parametrize(("answer", "total", "served", "doubt"), UNBELIEVABLE.values(), ids=UNBELIEVABLE)
def test_a_walk_whose_counts_disagree_is_repeated_and_then_unverified(
    answer: Answer, total: Any, served: list[str], doubt: str
) -> None:
    catalog = Catalog(answer, total)
    found = catalog.walk()
    assert not found.verified
    assert found.reason == doubt
    assert list(dict.fromkeys(ids(found))) == list(dict.fromkeys(served))
    assert catalog.requested_pages.count(1) == walking.MOST_WALKS
    assert len(catalog.requested_pages) < 40


@pytest.mark.parametrize(
    ("answer", "total", "requested"),
    [
        (pages([1, 2]), 20, [1, 2, 3, 4, 5]),
        (pages([1, 2], past_end=NOT_FOUND), 20, [1, 2, 3, 4, 5]),
        (pages([1, 2], past_end=NOT_FOUND), 4, [1, 2]),
        (pages([1, 2], [], [], [], [9]), 20, [1, 2, 3, 4, 5, 6]),
        (lambda _: [1, 2], 20, [1, 2]),
    ],
    ids=[
        "nothing but empty pages",
        "nothing but 404",
        "one 404",
        "three empty pages and one that is not",
        "the same page always",
    ],
)
def test_useless_pages_are_not_requested(answer: Answer, total: int, requested: list[int]) -> None:
    catalog = Catalog(answer, total)
    assert not catalog.walk().verified
    assert catalog.requested_pages == requested * walking.MOST_WALKS


@pytest.mark.parametrize(
    ("last", "shown"), [(10, "10, 11, 12, 13, 14, 15, 16, 17, 18, 19"), (11, "11, 12, 13, 14, 15, 16, 17, 18, 19, 20, …")]
)
def test_ten_of_many_different_counts_are_shown(last: int, shown: str) -> None:
    def total(_: int) -> int:
        return last - 1 + catalog.requested_pages[-1]

    catalog = Catalog(lambda page: [page] if page <= last else NOT_FOUND, total)
    assert catalog.walk(page_size=1).reason == MOVED(shown)


@pytest.mark.parametrize("past_end", [[], [3]], ids=["nothing more", "one more"])
def test_a_count_that_changes_past_the_end_leaves_the_walk_unverified(past_end: list[int]) -> None:
    found = Catalog(pages([1, 2], past_end), total=lambda request: 2 if request % 2 else 3).walk()
    assert (found.verified, found.reason, found.total) == (False, MOVED("2, 3"), 3)


def test_a_count_on_one_page_only_is_reported_and_leaves_the_walk_unverified() -> None:
    found = Catalog(pages([1, 2], [3]), total=lambda request: None if request % 2 else 3).walk()
    assert (found.total, found.verified, found.reason) == (3, False, UNCOUNTED)


def test_a_second_walk_whose_counts_agree_is_verified() -> None:
    catalog = Catalog(lambda page: {1: [1, 2], 2: [3] if catalog.requested_pages.count(1) > 1 else []}[page], total=3)
    found = catalog.walk()
    assert (ids(found), found.verified, catalog.requested_pages.count(1)) == (["1", "2", "3"], True, 2)


def test_a_catalog_that_shrinks_below_a_page_during_the_walk_is_walked_again() -> None:
    catalog = Catalog(lambda page: [1, 2] if page == 1 else NOT_FOUND, total=lambda request: 3 if request == 1 else 2)
    found = catalog.walk()
    assert (ids(found), found.verified, found.total) == (["1", "2"], True, 2)


def test_the_records_of_several_unverified_walks_are_joined_newest_first() -> None:
    def answer(page: int) -> list[Any]:
        attempt = catalog.requested_pages.count(1)
        return [{"TemplateId": "1", "Title": attempt}, {"TemplateId": str(10 + attempt)}] if page == 1 else []

    catalog = Catalog(answer, total=9)
    assert [(value["TemplateId"], value.get("Title")) for value in catalog.values(catalog.walk())] == [
        ("1", 3), ("13", None), ("12", None), ("11", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("total_then", "missing"),
    [(9, {"Title", "Title_en", "Cover"}), (1, {"Title", "Cover"})],
    ids=["no walk is verified", "the second is"],
)
def test_missing_fields_are_those_of_the_verified_walk_or_of_any_attempt(total_then: int, missing: set[str]) -> None:
    def attempt() -> int:
        return catalog.requested_pages.count(1)

    catalog = Catalog(
        lambda page: [{"TemplateId": "1", ("Title", "Title_en", "Cover")[attempt() - 1]: "a"}] if page == 1 else [],
        total=lambda _: 9 if attempt() == 1 else total_then,
    )
    assert catalog.walk().missing & {"Title", "Title_en", "Cover"} == missing


def test_each_walk_determines_the_fields_of_a_recognised_record_again() -> None:
    record = {"TemplateId": "1", "Duration": 0}
    catalog = Catalog(pages([record]), total=lambda request: 2 if request < 3 else 1)
    catalog.parser = new_parser({"1": wire_hash(json.dumps(record).encode())})
    found = catalog.walk()
    assert (found.verified, catalog.requested_pages, found.missing) == (True, [1, 2, 1], DOCUMENTED - {"TemplateId", "Duration"})


def test_a_template_with_different_contents_on_two_pages_causes_another_walk() -> None:
    def answer(page: int) -> list[Any]:
        return [[1, {"TemplateId": "2", "Title": "old"}], [{"TemplateId": "2", "Title": "new"}, 3]][page - 1] if page < 3 else []

    catalog = Catalog(answer, total=3)
    assert catalog.walk().verified
    assert catalog.requested_pages.count(1) == walking.MOST_WALKS


def test_a_new_signature_on_a_second_page_is_no_reason_to_walk_again() -> None:
    def answer(page: int) -> list[Any]:
        moved = {"TemplateId": "2", "Cover": f"https://m.example/c?sig={page}"}
        return [[1, moved], [moved, 3]][page - 1] if page < 3 else []

    catalog = Catalog(answer, total=3)
    assert catalog.walk().verified
    assert catalog.requested_pages == [1, 2, 3]


def test_two_pages_nested_too_deeply_to_compare_do_not_end_the_run() -> None:
    deep = b'{"TemplateId": "2", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert Catalog(pages([1, deep], [deep + b" ", 3]), total=3).walk().verified


BAD_PAGE = [
    Unreachable("The server failed (500).", code="500"),
    Unreachable("It could not be reached."),
    InvalidResponse("The response is not JSON.", code="not-json"),
    InvalidResponse("The answer is a web page.", code="html"),
    InvalidResponse("The answer is not the documented envelope.", code="not-envelope"),
    InvalidResponse("The answer could not be decompressed.", code="encoding"),
]
ENDS = [
    Deferred("no", code="429"),
    Deferred("no", code="455"),
    Deferred("no", code="503", after=7200.0),
    AccessDenied("no", code="401"),
    AccessDenied("no", code="402"),
    AccessDenied("no", code="505"),
    InvalidResponse("no", code="too-large"),
    InvalidResponse("no", code="302"),
]


@pytest.mark.parametrize("error", BAD_PAGE)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_failed_page_leaves_the_walk_unverified_with_the_records_of_the_others(error: SyncError, workers: int) -> None:
    catalog = Catalog(pages([1, 2], error, [5, 6], [7, 8], [9]), total=9)
    found = catalog.walk(workers=workers)
    assert (ids(found), found.verified, found.failed_pages, found.pages) == (["1", "2", "5", "6", "7", "8", "9"], False, (2,), 4)
    assert found.reason == f"page 2 could not be fetched ({str(error).rstrip('.')})"
    assert sorted(catalog.requested_pages) == [1, 2, 3, 4, 5], "the walk is not repeated"


def test_a_server_error_that_persists_after_each_retry_after_concerns_one_page() -> None:
    error = Deferred("no", code="503", after=1.0)
    error.exhausted = True
    assert Catalog(pages([1, 2], error, [5]), total=5).walk().failed_pages == (2,)


@pytest.mark.parametrize("refused", [NOT_FOUND, INVALID], ids=["404", "422"])
@pytest.mark.parametrize(
    "then", [(), (BAD_PAGE[0],), (NoSuchPage("later"),)], ids=["no failed page", "a failed page", "another refused page"]
)
def test_a_404_or_422_before_a_page_with_templates_ends_the_walk(refused: InvalidResponse, then: tuple[SyncError, ...]) -> None:
    with pytest.raises(InvalidResponse) as caught:
        Catalog(pages([1, 2], refused, *then, [7, 8], [9]), total=7 + 2 * len(then)).walk()
    assert caught.value is refused


@pytest.mark.parametrize("error", [*BAD_PAGE, NOT_FOUND, INVALID])
def test_a_first_page_that_cannot_be_read_ends_the_walk(error: SyncError) -> None:
    with pytest.raises(type(error)) as caught:
        Catalog(pages(error, [3, 4], [5, 6]), total=6).walk()
    assert caught.value is error


def test_half_of_the_pages_may_fail_and_no_more() -> None:
    first, second, third = BAD_PAGE[:3]
    found = Catalog(pages([1, 2], first, second, [7]), total=7).walk()
    assert (ids(found), found.failed_pages) == (["1", "2", "7"], (2, 3))
    assert found.reason == "2 pages could not be fetched: 2, 3 (page 2: The server failed (500))"
    with pytest.raises(SyncError) as caught:
        Catalog(pages([1, 2], first, second, third), total=7).walk()
    assert caught.value is first


@pytest.mark.parametrize(
    ("count", "shown"), [(10, "2, 4, 6, 8, 10, 12, 14, 16, 18, 20"), (11, "2, 4, 6, 8, 10, 12, 14, 16, 18, 20, …")]
)
def test_ten_of_many_failed_pages_are_named(count: int, shown: str) -> None:
    catalog = Catalog(lambda page: [page] if page % 2 else Unreachable("No proxy."), total=2 * count)
    assert catalog.walk(page_size=1).reason == f"{count} pages could not be fetched: {shown} (page 2: No proxy)"


def test_only_the_full_stop_of_an_error_is_removed() -> None:
    assert Catalog(pages([1, 2], Unreachable("No fax."), [5]), total=5).walk().reason == "page 2 could not be fetched (No fax)"


def test_after_more_than_half_of_the_pages_failed_no_further_page_is_requested() -> None:
    catalog = Catalog(lambda page: [1, 2] if page == 1 else Unreachable("no"), total=20)
    with pytest.raises(Unreachable):
        catalog.walk()
    assert catalog.requested_pages == [1, 2, 3, 4, 5, 6, 7]


def test_after_a_failed_last_page_no_further_page_is_requested() -> None:
    catalog = Catalog(pages([1, 2], [3, 4], BAD_PAGE[0]), total=6)
    assert catalog.walk().failed_pages == (3,)
    assert catalog.requested_pages == [1, 2, 3]


def test_the_records_of_an_unverified_walk_and_of_one_with_a_failed_page_are_joined() -> None:
    def answer(page: int) -> Any:
        attempt = catalog.requested_pages.count(1)
        return {1: [1, 2], 2: [3] if attempt == 1 else BAD_PAGE[0], 3: [5] if attempt > 1 else []}[page]

    catalog = Catalog(answer, total=5)
    found = catalog.walk()
    assert (ids(found), found.failed_pages, catalog.requested_pages.count(1)) == (["1", "2", "5", "3"], (2,), 2)


@pytest.mark.parametrize("error", ENDS)
@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_that_does_not_concern_one_page_ends_the_walk(error: SyncError, workers: int) -> None:
    catalog = Catalog(pages([1, 2], error, [5, 6], [7, 8], [9]), total=9)
    with pytest.raises(type(error)) as caught:
        catalog.walk(workers=workers)
    assert caught.value is error


def test_a_catalog_without_end_is_bounded_by_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_PAGES", 7)
    catalog = Catalog(lambda page: [2 * page, 2 * page + 1], total=None)
    with pytest.raises(InvalidResponse) as caught:
        catalog.walk()
    assert (str(caught.value), caught.value.code) == ("The catalog has more than 7 pages.", "too-large")
    assert catalog.requested_pages == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_catalog_of_the_maximum_number_of_full_pages_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_PAGES", 2)
    assert Catalog(pages([1, 2], [3, 4]), total=4).walk().verified
    assert Catalog(pages([1, 2], [3, 4], past_end=(3, 4)), total=4).walk().verified


def test_a_catalog_without_end_is_bounded_by_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_RECORDS", 5)
    with pytest.raises(InvalidResponse) as caught:
        Catalog(lambda page: [2 * page, 2 * page + 1], total=None).walk()
    assert (str(caught.value), caught.value.code) == ("The catalog served more than 5 records.", "too-large")
    assert Catalog(pages([1, 2], [3, 4], [5]), total=5).walk().verified


def test_a_catalog_of_two_million_templates_is_within_the_limits() -> None:
    assert (walking.MOST_PAGES, walking.MOST_RECORDS) == (40_000, 2_000_000)


def test_progress_is_reported_after_every_page() -> None:
    reported: list[tuple[int, int | None]] = []
    catalog = Catalog(pages([1, 2], [3]), total=3)
    walk(catalog, catalog.parser, RunOptions(2), lambda *counts: reported.append(counts))
    assert reported == [(1, None), (2, 2)]


@pytest.mark.parametrize(
    ("total", "reported"), [(3, [(1, None), (2, 2)]), (5, [(1, None), (2, None)] * 3)], ids=["at the bound", "beyond it"]
)
def test_an_implausible_count_does_not_determine_the_number_of_pages(
    total: int, reported: list[tuple[int, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "MOST_PAGES", 2)
    found: list[tuple[int, int | None]] = []
    catalog = Catalog(pages([1, 2], [3]), total)
    walk(catalog, catalog.parser, RunOptions(2), lambda *counts: found.append(counts))
    assert found == reported


def test_a_field_that_only_an_unverified_walk_had_is_missing_in_the_verified_one() -> None:
    def answer(page: int) -> list[Any]:
        walk_number = sum(page == 1 for page in catalog.requested_pages)
        other = {"TemplateId": "1", "Duration": walk_number} | ({"InputNum": 1} if walk_number == 1 else {})
        served: list[list[Any]] = [[1, 2], [other, 3]]
        return served[page - 1] if page <= len(served) else []

    catalog = Catalog(answer, total=3)
    found = catalog.walk()
    assert (found.verified, sum(page == 1 for page in catalog.requested_pages)) == (True, 3)
    assert found.missing == DOCUMENTED - {"TemplateId", "Duration"}
