"""Filters, sort orders and page tokens; `tests/reader/test_catalog.py` compares the databases with them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync.catalog.selection import (
    FILTERS,
    Order,
    PagePosition,
    Selection,
    check_count,
    count_values,
    make_selection,
    matches,
    page_position,
    page_token,
    parse_page_token,
    price,
    sort_key,
)
from tests.builders import record
from tests.catalog.runs import base, document_of


def of(**changes: Any) -> dict[str, Any]:
    return document_of(record("1", **changes))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, True), ({"tag": "trending"}, True), ({"tag": "热门"}, True), ({"tag": "热"}, False), ({"search": "战斗"}, True),
        ({"search": "BATTLE"}, True), ({"search": "seedance"}, True), ({"search": "peace"}, False),
        ({"search": "trending BATTLE"}, True), ({"search": "battle 1"}, True), ({"search": "battle peace"}, False),
        ({"search": "  "}, True), ({"tag": ["trending", "🔥Seedance2.0模型"]}, True), ({"tag": ["trending", "Festival"]}, False),
        ({"tag": []}, True), ({"type": "begin_end_frame"}, True), ({"requirement": "SINGLE_PET"}, False),
        ({"images": 1}, True), ({"images": 0}, False), ({"ratio": "1:1"}, True), ({"ratio": "1"}, False),
        ({"resolution": "720p"}, True), ({"resolution": "1080p"}, False), ({"max_price": 200}, True),
        ({"max_price": 200, "resolution": "720p"}, False), ({"max_price": 355.2, "resolution": "720p"}, True),
        ({"min_price": 200}, False), ({"min_price": "166.5", "max_price": "166.5"}, True),
        ({"min_price": 200, "resolution": "720p"}, True),
    ],
)  # fmt: skip
def test_a_template_must_match_every_filter(filters: dict[str, Any], found: bool) -> None:  # noqa: FBT001 - a table's column
    assert matches(of(), make_selection(**filters)) is found


@pytest.mark.parametrize(
    ("search", "title", "found"),
    [
        ("cafe", "Café", True), ("café", "CAFE", True), ("strasse", "Straße", True), ("STRASSE", "straße", True),
        ("οδος", "ΟΔΟΣ", True), ("ﬁre", "FIRE", True), ("ｎｅｏｎ", "neon", True), ("моск", "Москва́", True),
        ("ne on", "neon", True), ("noen", "neon", False),
    ],
)  # fmt: skip
def test_a_search_compares_without_marks_and_case(search: str, title: str, found: bool) -> None:  # noqa: FBT001 - a table's column
    assert matches(of(Title=None, Title_en=title), make_selection(search=search)) is found


def test_values_are_counted_per_template_and_the_most_frequent_comes_first() -> None:
    one = of(Tags=["热门"], Tags_en=["Trending"], ConsumeItems=[{"Resolution": "720p", "Credit": 1}], SupportAspectRatio="1:1")
    one["tags"].append({"name": "新", "name_en": None})
    two = of(Tags=["热门"], Tags_en=["Trending"], InputNum=2, TemplateType=None, SupportAspectRatio="9:16,1:1")
    counts = count_values([two, one])
    assert list(counts) == ["tag", "type", "requirement", "images", "resolution", "ratio"]
    assert list(counts["tag"].items()) == [("Trending", 2), ("新", 1)]
    assert counts["type"] == {"BEGIN_END_FRAME": 1}
    assert list(counts["images"].items()) == [(1, 1), (2, 1)]
    assert list(counts["resolution"].items()) == [("720p", 2), ("480p", 1)]
    assert counts["ratio"] == {"1:1": 2, "9:16": 1}


def test_every_filter_is_a_field_of_a_selection_and_a_valid_count_is_returned() -> None:
    assert [check_count("limit", count) for count in (None, 0, 3)] == [None, 0, 3]
    assert [*FILTERS, "order", "limit", "after"] == [each.name for each in fields(Selection)]


def test_a_template_without_prices_matches_only_filters_without_prices() -> None:
    free = of(ConsumeItems=[])
    assert matches(free, make_selection(tag="Trending"))
    for filters in ({"min_price": 0}, {"max_price": 9}, {"resolution": "720p"}):
        assert not matches(free, make_selection(**filters))


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
def test_a_price_bound_is_rounded_to_the_next_possible_price(bound: str, given: Any, moved: str) -> None:
    assert getattr(make_selection(**{bound: given}), bound) == Decimal(moved)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"sort": "dear"}, "sort: one of id, newest, price, name, not 'dear'."),
        ({"limit": -1}, "limit: a whole number from 0 to 2147483647, not -1."),
        ({"limit": True}, "limit: a whole number from 0 to 2147483647, not True."),
        ({"images": 2.0}, "images: a whole number from 0 to 2147483647, not 2.0."),
        ({"images": 2**31}, "images: a whole number from 0 to 2147483647, not 2147483648."),
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
        *(
            ({"after": after, "sort": "price"}, f"after: '{after}' is not a page token{of}; pass the `after` of the last page.")
            for after, of in (("7", " of the order price"), ("price.!", " of the order price"), ("price.AAAA", ""))
        ),
    ],
)
def test_an_invalid_argument_is_named_in_the_error(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$") as refused:
        make_selection(**arguments)
    assert str(refused.value).partition(":")[0] in arguments


def test_a_template_without_a_title_or_english_tags_is_searched_by_its_other_texts() -> None:
    bare = of(Title=None, Title_en=None, Tags=["热"], Tags_en=None)
    assert matches(bare, make_selection(search="热", tag="热"))
    assert not matches(bare, make_selection(search="none"))
    assert not matches(bare, make_selection(tag="none"))


# Orders and page tokens -------------------------------------------------------------------------------------------------


MOMENT = datetime(2026, 5, 22, 3, 37, 31, tzinfo=UTC)


def token(sort: str, *parts: Any) -> str:
    """Write a page token with any contents."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{sort}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}"


@pytest.mark.parametrize(
    ("at", "order", "parts"),
    [
        (PagePosition(None, "1"), Order(), (None, None, "1")),
        (PagePosition(MOMENT, "1"), Order("newest", "720p"), (None, "2026-05-22T03:37:31+00:00", "1")),
        (PagePosition(Decimal("166.5"), "1"), Order("price", "720p"), ("720p", "166.5", "1")),
        (PagePosition(None, "1"), Order("price"), (None, None, "1")),
        (PagePosition("战", "1"), Order("name"), (None, "战", "1")),
    ],
)
def test_the_form_of_a_page_token_does_not_change(at: PagePosition, order: Order, parts: tuple[Any, ...]) -> None:
    assert page_token(at, order) == token(order.sort, *parts)
    assert parse_page_token(token(order.sort, *parts), order) == at


@pytest.mark.parametrize(
    ("order", "value"),
    [
        (Order(), None),
        (Order("newest"), MOMENT),
        (Order("price"), Decimal("166.5")),
        (Order("price", "720p"), Decimal("355.2")),
        (Order("price", "4k"), None),
        (make_selection(sort="price", resolution="720p").order, Decimal("355.2")),
        (Order("name"), "Battle Game"),
    ],
)
def test_the_position_of_a_template_has_the_value_of_its_order(order: Order, value: Any) -> None:
    assert page_position(document_of(base()), order) == PagePosition(value, "1")


def test_a_name_is_the_english_title_if_there_is_one_and_has_at_most_250_characters() -> None:
    chinese = document_of(base(Title_en=None))
    assert page_position(chinese, Order("name")).value == "战斗游戏"
    assert page_position(document_of(base(Title_en="x" * 251)), Order("name")).value == "x" * 250
    assert page_position(document_of(base(Title_en=None, Title="")), Order("name")).value is None


def test_without_a_resolution_the_price_is_the_lowest_one() -> None:
    prices = [{"Resolution": "720p", "Credit": 2}, {"Resolution": "480p", "Credit": 1}, {"Resolution": "1080p", "Credit": 3}]
    assert price(document_of(base(ConsumeItems=prices)), None) == 1
    assert price(document_of(base(ConsumeItems=[])), None) is None


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ([Decimal(2), None, Decimal(1), None], ["c", "a", "b", "d"]),
        (["b", None, "a", None], ["c", "a", "b", "d"]),
        ([MOMENT, None, MOMENT.replace(year=2027), MOMENT], ["c", "a", "d", "b"]),
        ([None, None, None, None], ["a", "b", "c", "d"]),
    ],
)
def test_templates_are_sorted_by_value_then_by_id_with_missing_values_last(values: list[Any], ids: list[str]) -> None:
    positions = [PagePosition(value, template_id) for value, template_id in zip(values, "abcd", strict=True)]
    assert [each.template_id for each in sorted(positions, key=sort_key)] == ids


@pytest.mark.parametrize(
    ("sort", "parts"),
    [
        ("id", (None, "x", "1")), ("newest", (None, "2026-01-01T00:00:00", "1")), ("newest", (None, "yesterday", "1")),
        ("newest", (None, 5, "1")), ("newest", (None, "0001-01-01T00:00+14:00", "1")),
        ("newest", (None, "9999-12-31T23:59-14:00", "1")), ("price", (None, "NaN", "1")), ("price", (None, "dear", "1")),
        ("price", (None, "1e21", "1")), ("price", (None, "1e-21", "1")), ("name", (None, "a\0", "1")),
        ("name", (None, ["a"], "1")), ("name", (None, "a", 5)), ("name", (None, "a", "\0")), ("name", (None, "a")),
        ("name", (None, "a", "1", "2")),
    ],
)  # fmt: skip
def test_a_forged_page_token_is_rejected(sort: Any, parts: tuple[Any, ...]) -> None:
    after = token(sort, *parts)
    with pytest.raises(ValueError, match=re.escape(f"after: {after!r} is not a page token; pass the `after` of the last page.")):
        parse_page_token(after, Order(sort))


@pytest.mark.parametrize("credit", ["1e20", "1e-20", "0"])
def test_a_page_token_can_have_the_largest_and_the_smallest_price(credit: str) -> None:
    assert parse_page_token(token("price", None, credit, "1"), Order("price")) == PagePosition(Decimal(credit), "1")


@pytest.mark.parametrize(
    ("after", "order", "of"),
    [
        ("x" * 81, Order("price"), " of the order price"), (token("name", None, "x" * 81, 5), Order("name"), ""),
        (f"id.{base64.urlsafe_b64encode(b'[' * 90_000).decode()}", Order(), ""),
    ],
    ids=["no token", "forged", "nested too deeply"],
)  # fmt: skip
def test_an_error_shows_the_first_80_characters_of_an_invalid_page_token(after: str, order: Order, of: str) -> None:
    message = f"after: {after[:80]!r} is not a page token{of}; pass the `after` of the last page."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_page_token(after, order)


@pytest.mark.parametrize(
    ("after", "order", "made"),
    [
        (token("newest", None, None, "1"), Order("name"), "newest"),
        (token("newest", "720p", None, "1"), Order("newest"), "newest at 720p"),
        (token("price", "720p", "1", "1"), Order("price"), "price at 720p"),
        (token("price", None, "1", "1"), Order("price", "720p"), "price"),
    ],
)
def test_a_page_token_of_another_order_is_rejected(after: str, order: Order, made: str) -> None:
    message = f"after: the token belongs to the order {made}; use the same order, or start again."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_page_token(after, order)


def test_a_page_token_of_any_length_is_parsed() -> None:
    for length in range(1, 40):
        for end in "~}|x1":
            at = PagePosition(None, "7" * length + end)
            assert parse_page_token(page_token(at, Order()), Order()) == at


def test_a_plain_id_is_a_page_token_of_the_order_by_id() -> None:
    assert parse_page_token("7642552612302307355", Order()) == PagePosition(None, "7642552612302307355")
