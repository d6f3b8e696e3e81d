"""The catalog, selected by three databases and by Python over the past: all give what a plain loop over the records gives."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import Catalog, UnknownTemplate
from sync.reader.catalog import tag_counts, type_counts
from tests.builders import record
from tests.faults import at, sync

if TYPE_CHECKING:
    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers

TITLES = [
    "Zebra", "apple", "Äpfel", "STRASSE", "straße", "变身特效", "猫咪变身", "😀 Grin", "\uffee last",
    "x" * 250 + "b", "x" * 250 + "a",  # only earlier keys have an effect
]  # fmt: skip
TAGS = [["热门"], ["热门", "新"], ["Ünique"], []]
TAGS_EN = [["Trending"], ["TRENDING", "New"], ["ünIQUE"], []]


def various() -> list[dict[str, Any]]:
    """Make records that differ in every field of a filter or order, some with equal values."""
    made = []
    for number in range(60):
        prices = [
            {"Resolution": size, "Credit": credit}
            for size, credit in (("480p", [0.1, 166.5, 0, 7][number % 4]), ("720p", [355.2, 7, 0.3][number % 3]))
            if number % 5 and (size == "480p" or number % 7)
        ]
        made.append(
            record(
                f"{(number * 37) % 60:02}" + ("é" if number % 13 == 0 else ""),
                Title=[None, "", *TITLES][number % 13],
                Title_en=[*TITLES, "", None][(number * 5) % 13],
                Tags=TAGS[number % 4],
                Tags_en=TAGS_EN[number % 4],
                TemplateType=[None, "BEGIN_END_FRAME", "begin_end_frame", "MULTI"][number % 4],
                InputRequirement=["SINGLE_PERSON", None, "Single_Person"][number % 3],
                InputNum=[None, 0, 1, 2][number % 4],
                SupportAspectRatio=["9:16,1:1", "16:9", ""][number % 3],
                ReleaseOnlineTime=None if number % 6 == 0 else 1_700_000_000 + number % 4,
                ConsumeItems=prices,
            )
        )
    return made


RECORDS = various()


def model(selection: dict[str, Any]) -> list[str]:
    """Select by a plain loop over the records: the ids, in order, without `limit` and `after`."""

    def credit(each: dict[str, Any]) -> Decimal | None:
        sizes = [item for item in each["ConsumeItems"] if selection.get("resolution") in (None, item["Resolution"])]
        return min((Decimal(str(item["Credit"])) for item in sizes), default=None)

    def same(word: str | None, *words: str | None) -> bool:
        return word is None or word.casefold() in [each.casefold() for each in words if each is not None]

    def fits(each: dict[str, Any]) -> bool:
        tags = [*each["Tags"], *each["Tags_en"]]
        cost, low, high = credit(each), selection.get("min_price"), selection.get("max_price")
        needs_price = any(selection.get(name) is not None for name in ("resolution", "min_price", "max_price"))
        texts = [text for text in (each["Title"], each["Title_en"], each["TemplateId"], *tags) if text]
        return (
            same(selection.get("tag"), *tags)
            and same(selection.get("type"), each["TemplateType"])
            and same(selection.get("requirement"), each["InputRequirement"])
            and selection.get("images") in (None, each["InputNum"])
            and selection.get("ratio") in (None, *each["SupportAspectRatio"].split(","))
            and not (needs_price and cost is None)
            and (low is None or (cost is not None and cost >= Decimal(str(low))))
            and (high is None or (cost is not None and cost <= Decimal(str(high))))
            and any(selection.get("search", "").casefold() in text.casefold() for text in texts)
        )

    def key(each: dict[str, Any]) -> tuple[Any, ...]:
        released = each["ReleaseOnlineTime"]
        name = (each["Title_en"] or each["Title"] or "")[:250] or None
        values = {"id": 0, "newest": None if released is None else -released, "price": credit(each), "name": name}
        value = values[selection.get("sort", "id")]
        return (value is None, 0 if value is None else value, each["TemplateId"])

    return [each["TemplateId"] for each in sorted(filter(fits, RECORDS), key=key)]


SELECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tag": st.sampled_from(["trending", "热门", "ÜNIQUE", "nothing"]),
        "type": st.sampled_from(["Begin_End_Frame", "MULTI", "none"]),
        "requirement": st.sampled_from(["single_person", "none"]),
        "images": st.sampled_from([0, 1, 2, 9]),
        "resolution": st.sampled_from(["480p", "720p", "4k", "\0", "\ud800"]),
        "ratio": st.sampled_from(["9:16", "1:1", "16:9", "9", "\0", "\ud800"]),
        "min_price": st.sampled_from([0, 0.1, "0.10000000000000000001", 7, 355.2]),
        "max_price": st.sampled_from([0, 0.1, "0.09999999999999999999", 7, 166.5, 1e20]),
        "search": st.sampled_from(["strasse", "ß", "变身", "TREND", "é", "1", "😀", "%", "_", "\0", "\ud800", "nothing"]),
        "sort": st.sampled_from(["id", "newest", "price", "name"]),
    },
)


def ids(page: Any) -> list[str]:
    return [each.template_id for each in page]


@pytest.fixture
def filled(database: Database) -> Database:
    assert sync(RECORDS, database.engine, clock=at(0)).error is None
    return database


def selected(catalog: Catalog, selection: dict[str, Any], size: int) -> list[str]:
    """Return the ids of a selection, which its pages give, too."""
    pages, after = [], None
    while True:
        page = catalog.templates(**selection, limit=size, after=after)
        pages += ids(page)
        after = page.after
        if after is None:
            break
        assert len(page) == size
    assert ids(catalog.templates(**selection)) == pages
    return pages


@pytest.mark.parametrize("examples", [pytest.param(12, id="some"), pytest.param(300, id="many", marks=pytest.mark.long)])
def test_queries_return_the_same_as_a_loop_over_the_records(filled: Database, examples: int) -> None:
    @settings(max_examples=examples)
    @given(selection=SELECTIONS, size=st.integers(1, 40))
    def each(catalog: Catalog, then: Catalog, selection: dict[str, Any], size: int) -> None:
        assert selected(catalog, selection, size) == selected(then, selection, size) == model(selection)
        assert then.templates(**selection) == catalog.templates(**selection)

    with Catalog(filled.engine).snapshot() as now:
        each(now, now.as_of(1))


@pytest.mark.parametrize("sort", ["id", "newest", "price", "name"])
def test_an_order_is_the_same_on_one_page_and_on_several(filled: Database, sort: str) -> None:
    with Catalog(filled.engine).snapshot() as catalog:
        for selection in ({"sort": sort}, {"sort": sort, "resolution": "720p"}):
            assert selected(catalog, selection, 7) == model(selection)


def test_the_next_page_continues_after_a_removed_template(database: Database) -> None:
    sync([record("1"), record("2"), record("3")], database.engine)
    catalog = Catalog(database.engine)
    for sort in ("id", "newest", "price", "name"):
        page = catalog.templates(limit=2, sort=sort)
        assert ids(page) == ["1", "2"]
        sync([record("1"), record("3")], database.engine)
        assert ids(catalog.templates(after=page.after, sort=sort)) == ["3"]
        sync([record("1"), record("2"), record("3")], database.engine)
    assert ids(catalog.templates(after="2")) == ["3"]
    assert catalog.templates(limit=0) == ()
    assert catalog.templates(limit=3).after is None


def test_a_removed_template_is_not_listed_and_can_be_read_by_id(database: Database) -> None:
    sync([record("1"), record("2")], database.engine, clock=at(0))
    sync([record("1")], database.engine, clock=at(1))
    catalog = Catalog(database.engine)
    assert ids(catalog.templates()) == ["1"]
    assert catalog.templates(tag="热门")[0].removed_at is None
    gone = catalog.template("2")
    assert gone.removed_at is not None
    assert (gone.removed_run_id, gone.changed_run_id, gone.first_seen_run_id) == (2, 2, 1)
    assert [str(price.credit) for price in catalog.prices("2")] == ["166.5", "355.2"]
    with pytest.raises(UnknownTemplate, match="No template '3' was ever seen") as unknown:
        catalog.template("3")
    assert isinstance(unknown.value, LookupError)
    assert (unknown.value.template_id, unknown.value.exit_code) == ("3", 2)


# Counts -----------------------------------------------------------------------------------------------------------------


def tagged(template_id: str, *names: str, **more: Any) -> dict[str, Any]:
    return record(template_id, Tags=list(names), Tags_en=[f"{name} en" for name in names], **more)


def test_the_tags_and_types_of_present_templates_are_counted(database: Database) -> None:
    assert (tag_counts(database.engine), type_counts(database.engine)) == ([], [])
    catalog = [
        tagged("1", "b", "a", TemplateType="X"), tagged("2", "b", "é", TemplateType="x"), tagged("3", "E", TemplateType=...),
        tagged("4", "b", "gone", TemplateType="gone"),
    ]  # fmt: skip
    sync(catalog, database.engine)
    sync(catalog[:3], database.engine)
    assert tag_counts(database.engine) == [
        {"name": name, "name_en": f"{name} en", "templates": number} for name, number in (("b", 2), ("E", 1), ("a", 1), ("é", 1))
    ]
    assert type_counts(database.engine) == [{"type": name, "templates": 1} for name in (None, "X", "x")]
