"""A URL's query string is ignored; what only looks like one is not."""

from __future__ import annotations

from typing import Any

import pytest

from sync.catalog.url_query import address, without_query


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://m.example/a?sig=1", "https://m.example/a"),
        ("https://m.example/a?sig=1?2#x", "https://m.example/a"),
        ("https://m.example/a#x", "https://m.example/a#x"),
        ("/a?sig=1", "/a"),
        ("a?", "a"),
        ("?", ""),
        ("", ""),
        (None, None),
    ],
)
def test_a_field_that_is_known_to_be_a_url_loses_its_query_string(url: str | None, left: str | None) -> None:
    assert address(url) == left


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("http://m.example/a?b", "http://m.example/a"),
        ("HTTPS://m.example/a?b", "HTTPS://m.example/a"),
        ("//m.example/a?b", "//m.example/a"),
        ("What? https://m.example/a?b", "What? https://m.example/a?b"),
        ("ftp://m.example/a?b", "ftp://m.example/a?b"),
        ("/a?b", "/a?b"),
        ("Really?", "Really?"),
        ({"https://m.example/a?b": ["//x?y", {"z": "http://x?y"}]}, {"https://m.example/a?b": ["//x", {"z": "http://x"}]}),
        ([1, None, True, 0.5], [1, None, True, 0.5]),
    ],
)
def test_of_any_other_value_only_what_begins_as_a_url_does(value: Any, left: Any) -> None:
    assert without_query(value) == left


def test_the_value_itself_stays_as_it_is() -> None:
    value = {"a": ["//x?y"]}
    without_query(value)
    assert value == {"a": ["//x?y"]}
