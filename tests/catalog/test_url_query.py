"""A URL's query string is ignored; what only looks like one is not."""

from __future__ import annotations

from typing import Any

import pytest

from sync.catalog.document import address, without_query


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
def test_the_query_string_of_a_url_field_is_removed(url: str | None, left: str | None) -> None:
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
def test_the_query_string_of_other_values_is_removed_if_they_begin_as_a_url(value: Any, left: Any) -> None:
    assert without_query(value) == left


def test_the_argument_is_not_modified() -> None:
    value = {"a": ["//x?y"]}
    without_query(value)
    assert value == {"a": ["//x?y"]}
