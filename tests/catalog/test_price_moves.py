"""The prices that a change moved, as numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync.catalog.field_changes import changed_fields, price_moves
from tests.catalog.runs import base, document_of


def test_old_and_new_price_of_each_resolution_are_exact_numbers() -> None:
    fields: list[dict[str, Any]] = [
        {"field": "title", "old": "a", "new": "b"},
        {"field": "consume_items.480p", "old": 166.5, "new": 199.99},
        {"field": "consume_items.4.5k", "old": None, "new": 1000},
        {"field": "consume_items.720p", "old": 0.000000000000001, "new": None},
        {"field": "extra.consume_items.1080p", "old": 1, "new": 2},
    ]
    assert price_moves(fields) == [
        ("480p", Decimal("166.5"), Decimal("199.99")),
        ("4.5k", None, Decimal(1000)),
        ("720p", Decimal("0.000000000000001"), None),
    ]


def test_a_change_that_moves_no_price_has_none() -> None:
    assert price_moves(None) == price_moves([]) == price_moves([{"field": "title", "old": "a", "new": "b"}]) == []


def test_the_feeds_own_fields_are_understood() -> None:
    prices = [{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 300}]
    fields = changed_fields(document_of(base()), document_of(base(ConsumeItems=prices)))
    assert price_moves(fields) == [("720p", Decimal("355.2"), Decimal(300))]
