"""The two hashes of a document: databases hold them, so they must stay what they are."""

from __future__ import annotations

from typing import Any

import pytest

from sync.catalog.hashes import canonical, content_hash, fingerprint, unordered
from tests.catalog.runs import base, document_of

MEANINGLESS: dict[str, dict[str, Any]] = {
    "tags turned round": {"Tags": ["新", "热"], "Tags_en": ["New", "Hot"]},
    "ratios turned round": {"SupportAspectRatio": "1:1,9:16"},
    "a URL signed anew": {"Cover": "https://m.example/c.jpeg?sig=2"},
    "a URL in an unknown field signed anew": {"Later": {"a": [1, 2], "url": "https://m.example/x?sig=2"}},
}


def test_the_hashes_of_a_document_are_those_that_databases_hold() -> None:
    written = document_of(base())
    assert fingerprint(written) == "c82cc4aedf223b302f2943f68431d4a0fa12e10cd4bae725c0b980cb47459436"
    assert content_hash(written) == "cbe21908730d02984a4a5f85328babeb1cd92fc8bd7124be6842adcd2fc6042f"


@pytest.mark.parametrize("changes", MEANINGLESS.values(), ids=MEANINGLESS)
def test_form_shows_in_the_fingerprint_alone(changes: dict[str, Any]) -> None:
    one, other = document_of(base()), document_of(base(**changes))
    assert (fingerprint(one) == fingerprint(other), content_hash(one) == content_hash(other)) == (False, True)


def test_meaning_shows_in_both() -> None:
    one, other = document_of(base()), document_of(base(Title="x"))
    assert (fingerprint(one) == fingerprint(other), content_hash(one) == content_hash(other)) == (False, False)


def test_the_order_of_keys_shows_in_neither() -> None:
    one = document_of(base())
    other = dict(reversed(one.items()))
    assert (fingerprint(one), content_hash(one)) == (fingerprint(other), content_hash(other))


def test_a_document_is_not_changed_by_hashing_it() -> None:
    written = document_of(base())
    content_hash(written)
    assert written == document_of(base())


def test_there_is_one_form_to_hash() -> None:
    assert canonical({"b": [1, 0.5], "a": "战"}) == '{"a":"战","b":[1,0.5]}'
    assert unordered([{"b": 1}, {"a": 2}]) == [{"a": 2}, {"b": 1}]
