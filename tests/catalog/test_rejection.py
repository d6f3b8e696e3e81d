"""What is shown of a bad record: plain ASCII, cut, whatever is wrong with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.catalog.parsing import REASON_SHOWN, cut
from sync.catalog.snapshot import DISPUTED, MOST_KEPT, PAYLOAD_SHOWN, TAGS_UNPAIRED, payload


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({"b": 1, "a": [None, True]}, '{"a": [null, true], "b": 1}'),
        ({"Title": "战\x00\ud83d\x1b"}, r'{"Title": "\u6218\u0000\ud83d\u001b"}'),
        ({"x": Decimal("1.50")}, '{"x": "1.50"}'),
        ({"x": Decimal("NaN")}, '{"x": "NaN"}'),
        ("just text", '"just text"'),
        (None, "null"),
    ],
)
def test_a_payload_is_one_line_of_ascii_in_the_order_of_names(record: Any, shown: str) -> None:
    assert payload(record) == shown


def test_a_recursive_value_has_no_payload() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert payload(endless) == "(too deeply nested to show)"


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abc... (4 characters)")])
def test_a_text_is_cut_at_its_length(text: str, shown: str) -> None:
    assert cut(text, 3) == shown


def test_the_limits_of_stored_rejections_have_these_values() -> None:
    assert (PAYLOAD_SHOWN, REASON_SHOWN, MOST_KEPT) == (4000, 300, 1000)


def test_the_texts_of_two_reasons_do_not_change() -> None:
    assert DISPUTED == "the catalog served two different records under this TemplateId"
    assert TAGS_UNPAIRED == "Tags_en has items, and Tags is missing"
