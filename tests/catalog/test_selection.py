"""Which templates are asked for, in literal inputs; `tests/reader/test_catalog.py` holds the databases to the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync.catalog.selection import (
    EVERYTHING,
    Order,
    PagePosition,
    count_values,
    make_selection,
    matches,
    page_position,
    page_token,
    parse_page_token,
    sort_key,
)
from tests.builders import record
from tests.catalog.runs import document_of


def of(**changes: Any) -> dict[str, Any]:
    return document_of(record("1", **changes))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, True),
        ({"tag": "trending"}, True),
        ({"tag": "热门"}, True),
        ({"tag": "热"}, False),
        ({"search": "战斗"}, True),
        ({"search": "BATTLE"}, True),
        ({"search": "seedance"}, True),
        ({"search": "peace"}, False),
        ({"search": "trending BATTLE"}, True),
        ({"search": "battle 1"}, True),
        ({"search": "battle peace"}, False),
        ({"search": "  "}, True),
        ({"tag": ["trending", "🔥Seedance2.0模型"]}, True),
        ({"tag": ["trending", "Festival"]}, False),
        ({"tag": []}, True),
        ({"type": "begin_end_frame"}, True),
        ({"requirement": "SINGLE_PET"}, False),
        ({"images": 1}, True),
        ({"images": 0}, False),
        ({"ratio": "1:1"}, True),
        ({"ratio": "1"}, False),
        ({"resolution": "720p"}, True),
        ({"resolution": "1080p"}, False),
        ({"max_price": 200}, True),
        ({"max_price": 200, "resolution": "720p"}, False),
        ({"max_price": 355.2, "resolution": "720p"}, True),
        ({"min_price": 200}, False),
        ({"min_price": "166.5", "max_price": "166.5"}, True),
        ({"min_price": 200, "resolution": "720p"}, True),
    ],
)
def test_a_template_passes_by_what_it_says(filters: dict[str, Any], found: bool) -> None:  # noqa: FBT001 - a table's column
    assert matches(of(), make_selection(**filters)) is found


@pytest.mark.parametrize(
    ("search", "title", "found"),
    [
        ("cafe", "Café", True),
        ("café", "CAFE", True),
        ("strasse", "Straße", True),
        ("STRASSE", "straße", True),
        ("οδος", "ΟΔΟΣ", True),
        ("ﬁre", "FIRE", True),
        ("ｎｅｏｎ", "neon", True),
        ("моск", "Москва́", True),
        ("ne on", "neon", True),
        ("noen", "neon", False),
    ],
)
def test_a_search_compares_without_marks_and_case(search: str, title: str, found: bool) -> None:  # noqa: FBT001 - a table's column
    assert matches(of(Title=None, Title_en=title), make_selection(search=search)) is found


def test_values_are_counted_per_template_and_the_most_frequent_comes_first() -> None:
    one = of(Tags=["热门"], Tags_en=["Trending"], ConsumeItems=[{"Resolution": "720p", "Credit": 1}], SupportAspectRatio="1:1")
    one["tags"].append({"name": "新", "name_en": None})
    two = of(Tags=["热门"], Tags_en=["Trending"], InputNum=2, TemplateType=None, SupportAspectRatio="9:16,1:1")
    counts = count_values([one, two])
    assert list(counts) == ["tag", "type", "requirement", "images", "resolution", "ratio"]
    assert list(counts["tag"].items()) == [("Trending", 2), ("新", 1)]
    assert counts["type"] == {"BEGIN_END_FRAME": 1}
    assert counts["images"] == {1: 1, 2: 1}
    assert list(counts["resolution"].items()) == [("720p", 2), ("480p", 1)]
    assert counts["ratio"] == {"1:1": 2, "9:16": 1}


def test_a_template_without_prices_passes_only_where_no_price_is_asked_for() -> None:
    free = of(ConsumeItems=[])
    assert matches(free, make_selection(tag="Trending"))
    assert not any(matches(free, make_selection(**asks)) for asks in ({"min_price": 0}, {"max_price": 9}, {"resolution": "720p"}))


@pytest.mark.parametrize(
    ("bound", "given", "moved"),
    [
        ("max_price", "0.09999999999999999999", "0.099999999999999"),
        ("min_price", "0.09999999999999999999", "0.100000000000000"),
        ("max_price", "1e-30", "0E-15"),
        ("min_price", "1e-30", "1E-15"),
        ("max_price", 1e300, "1000000000000000"),
        ("max_price", -5, "-1"),
        ("max_price", 0.1, "0.1"),
    ],
)
def test_a_bound_moves_to_the_next_number_that_a_price_can_be(bound: str, given: Any, moved: str) -> None:
    assert getattr(make_selection(**{bound: given}), bound) == Decimal(moved)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"sort": "dear"}, "sort: one of id, newest, price, name, not 'dear'."),
        ({"limit": -1}, "limit: a whole number from 0 on, not -1."),
        ({"limit": True}, "limit: a whole number from 0 on, not True."),
        ({"images": 2.0}, "images: a whole number from 0 on, not 2.0."),
        ({"images": 2**31}, "images: a whole number from 0 on, not 2147483648."),
        ({"tag": 7}, "tag: a text, or several, not 7."),
        ({"type": 7}, "type: a text, not 7."),
        ({"requirement": 7}, "requirement: a text, not 7."),
        ({"resolution": 7}, "resolution: a text, not 7."),
        ({"ratio": 7}, "ratio: a text, not 7."),
        ({"search": 7}, "search: a text, not 7."),
        ({"after": "a\0b"}, "after: 'a\\x00b' is not a page token of the order id; pass the `after` of the last page."),
        ({"max_price": "cheap"}, "max_price: 'cheap' is not a number of credits."),
        ({"min_price": float("nan")}, "min_price: nan is not a number of credits."),
        ({"min_price": True}, "min_price: True is not a number of credits."),
        ({"after": 7}, "after: what a page gave as its `after`, not 7."),
        (
            {"after": "7", "sort": "price"},
            "after: '7' is not a page token of the order price; pass the `after` of the last page.",
        ),
        (
            {"after": "price.!", "sort": "price"},
            "after: 'price.!' is not a page token of the order price; pass the `after` of the last page.",
        ),
        ({"after": "price.AAAA", "sort": "price"}, "after: 'price.AAAA' is not a page token; pass the `after` of the last page."),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$") as refused:
        make_selection(**arguments)
    assert str(refused.value).partition(":")[0] in arguments


NEWEST, CHEAPEST = Order("newest"), Order("price")


def test_what_has_no_value_stands_last_and_ties_go_by_id() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    places = [
        PagePosition(None, "1"),
        PagePosition(moment, "3"),
        PagePosition(moment, "2"),
        PagePosition(datetime(2026, 1, 2, tzinfo=UTC), "9"),
    ]
    assert [each.template_id for each in sorted(places, key=sort_key)] == ["9", "2", "3", "1"]


@pytest.mark.parametrize("order", [Order(), NEWEST, CHEAPEST, Order("price", "720p"), Order("name")])
@pytest.mark.parametrize("bare", [False, True])
def test_a_place_is_read_back_as_it_was_written(order: Order, bare: bool) -> None:  # noqa: FBT001 - both sides of a table
    nothing: dict[str, Any] = {"Title": None, "Title_en": None, "ReleaseOnlineTime": None, "ConsumeItems": []}
    at = page_position(of(**nothing if bare else {}), order)
    assert parse_page_token(page_token(at, order), order) == at


def test_a_place_of_another_order_is_refused() -> None:
    at = page_token(page_position(of(), Order("price", "720p")), Order("price", "720p"))
    for order in (CHEAPEST, Order("price", "480p"), NEWEST, Order()):
        with pytest.raises(ValueError, match="belongs to the order price at 720p; use the same order"):
            parse_page_token(at, order)


def test_in_the_order_of_ids_a_plain_id_is_a_place() -> None:
    assert parse_page_token("7642552612302307355", Order()) == PagePosition(None, "7642552612302307355")


def test_nothing_in_particular_is_asked_for_by_default_and_a_price_counts_at_the_resolution_that_is() -> None:
    assert matches(of(), EVERYTHING)
    assert make_selection(sort="price", resolution="720p").order == Order("price", "720p")


def test_a_template_without_a_title_or_english_tags_is_searched_by_what_it_has() -> None:
    bare = of(Title=None, Title_en=None, Tags=["热"], Tags_en=None)
    assert matches(bare, make_selection(search="热", tag="热"))
    assert not matches(bare, make_selection(search="none"))
    assert not matches(bare, make_selection(tag="none"))
