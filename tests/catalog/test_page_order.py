"""The places from which the next page goes on: apps keep them, so they are read for ever as they were written, or refused."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync.catalog.selection import Order, PagePosition, page_position, page_token, parse_page_token, price, sort_key
from tests.catalog.runs import base, document_of

MOMENT = datetime(2026, 5, 22, 3, 37, 31, tzinfo=UTC)


def token(sort: str, *said: Any) -> str:
    """Write a place as somebody might who knows how."""
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{sort}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}"


@pytest.mark.parametrize(
    ("at", "order", "said"),
    [
        (PagePosition(None, "1"), Order(), (None, None, "1")),
        (PagePosition(MOMENT, "1"), Order("newest", "720p"), (None, "2026-05-22T03:37:31+00:00", "1")),
        (PagePosition(Decimal("166.5"), "1"), Order("price", "720p"), ("720p", "166.5", "1")),
        (PagePosition(None, "1"), Order("price"), (None, None, "1")),
        (PagePosition("战", "1"), Order("name"), (None, "战", "1")),
    ],
)
def test_a_place_that_an_app_kept_is_read_by_every_later_version(at: PagePosition, order: Order, said: tuple[Any, ...]) -> None:
    assert page_token(at, order) == token(order.sort, *said)
    assert parse_page_token(token(order.sort, *said), order) == at


@pytest.mark.parametrize(
    ("order", "value"),
    [
        (Order(), None),
        (Order("newest"), MOMENT),
        (Order("price"), Decimal("166.5")),
        (Order("price", "720p"), Decimal("355.2")),
        (Order("price", "4k"), None),
        (Order("name"), "Battle Game"),
    ],
)
def test_a_template_stands_by_what_its_order_is_by(order: Order, value: Any) -> None:
    assert page_position(document_of(base()), order) == PagePosition(value, "1")


def test_a_name_counts_in_english_first_and_up_to_250_characters_because_one_engine_sorts_no_further() -> None:
    chinese = document_of(base(Title_en=None))
    assert page_position(chinese, Order("name")).value == "战斗游戏"
    assert page_position(document_of(base(Title_en="x" * 251)), Order("name")).value == "x" * 250
    assert page_position(document_of(base(Title_en=None, Title="")), Order("name")).value is None


def test_the_lowest_price_counts_where_no_resolution_is_asked_for() -> None:
    prices = [{"Resolution": "720p", "Credit": 2}, {"Resolution": "480p", "Credit": 1}, {"Resolution": "1080p", "Credit": 3}]
    assert price(document_of(base(ConsumeItems=prices)), None) == 1
    assert price(document_of(base(ConsumeItems=[])), None) is None


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ([Decimal(2), None, Decimal(1), None], ["c", "a", "b", "d"]),
        (["b", None, "a", None], ["c", "a", "b", "d"]),
        ([MOMENT, None, MOMENT.replace(year=2027), None], ["c", "a", "b", "d"]),
        ([None, None, None, None], ["a", "b", "c", "d"]),
    ],
)
def test_the_first_page_begins_with_the_lowest_or_newest_and_the_last_ends_with_what_has_no_value(
    values: list[Any], ids: list[str]
) -> None:
    places = [PagePosition(value, template_id) for value, template_id in zip(values, "abcd", strict=True)]
    assert [each.template_id for each in sorted(places, key=sort_key)] == ids


@pytest.mark.parametrize(
    ("sort", "said"),
    [
        ("id", (None, "x", "1")),
        ("newest", (None, "2026-01-01T00:00:00", "1")),
        ("newest", (None, "yesterday", "1")),
        ("newest", (None, 5, "1")),
        ("price", (None, "NaN", "1")),
        ("price", (None, "dear", "1")),
        ("price", (None, "1e21", "1")),
        ("price", (None, "1e-21", "1")),
        ("name", (None, "a\0", "1")),
        ("name", (None, ["a"], "1")),
        ("name", (None, "a", 5)),
        ("name", (None, "a", "\0")),
        ("name", (None, "a")),
        ("name", (None, "a", "1", "2")),
    ],
)
def test_a_forged_page_token_is_refused_before_the_database_is_queried(sort: Any, said: tuple[Any, ...]) -> None:
    after = token(sort, *said)
    with pytest.raises(ValueError, match=re.escape(f"after: {after!r} is not a page token; pass the `after` of the last page.")):
        parse_page_token(after, Order(sort))


@pytest.mark.parametrize("credit", ["1e20", "1e-20", "0"])
def test_a_price_in_a_place_may_be_as_large_or_small_as_credits_get(credit: str) -> None:
    assert parse_page_token(token("price", None, credit, "1"), Order("price")) == PagePosition(Decimal(credit), "1")


def test_a_long_text_that_is_no_place_is_shown_by_its_beginning() -> None:
    said = f"after: {'x' * 80!r} is not a page token of the order price; pass the `after` of the last page."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_page_token("x" * 81, Order("price"))
    long = token("name", None, "x" * 81, 5)
    said = f"after: {long[:80]!r} is not a page token; pass the `after` of the last page."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_page_token(long, Order("name"))


@pytest.mark.parametrize(
    ("after", "order", "made"),
    [
        (token("newest", None, None, "1"), Order("name"), "newest"),
        (token("newest", "720p", None, "1"), Order("newest"), "newest at 720p"),
        (token("price", "720p", "1", "1"), Order("price"), "price at 720p"),
        (token("price", None, "1", "1"), Order("price", "720p"), "price"),
    ],
)
def test_a_place_of_another_order_would_skip_templates_and_is_refused(after: str, order: Order, made: str) -> None:
    said = f"after: the token belongs to the order {made}; use the same order, or start again."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_page_token(after, order)


def test_a_place_of_any_length_is_read_back() -> None:
    for length in range(1, 40):
        for end in "~}|x1":
            at = PagePosition(None, "7" * length + end)
            assert parse_page_token(page_token(at, Order()), Order()) == at
