"""The content hash of a document: databases hold it, so it must stay what it is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from sync.catalog import document
from sync.catalog.document import canonical, content_hash, plain_hash, unordered
from tests.catalog.runs import base, document_of


def test_the_hash_of_a_document_is_the_one_that_databases_hold() -> None:
    written = document_of(base())
    assert content_hash(written) == "cbe21908730d02984a4a5f85328babeb1cd92fc8bd7124be6842adcd2fc6042f"


@pytest.mark.parametrize("changes", [{"Title": "x"}, {"Later": 1}, {"Tags": ["热", "冷"]}, {"MediaId": None}])
def test_what_would_be_published_shows_in_the_hash(changes: dict[str, Any]) -> None:
    assert content_hash(document_of(base())) != content_hash(document_of(base(**changes)))


def test_the_order_of_keys_does_not_show_in_the_hash() -> None:
    one = document_of(base())
    assert content_hash(one) == content_hash(dict(reversed(one.items())))


def test_a_document_is_not_changed_by_hashing_it() -> None:
    written = document_of(base())
    content_hash(written)
    assert written == document_of(base())


def test_a_value_has_one_canonical_form() -> None:
    assert canonical({"b": [1, 0.5], "a": "战"}) == '{"a":"战","b":[1,0.5]}'
    assert unordered([{"b": 1}, {"a": 2}]) == [{"a": 2}, {"b": 1}]


def reference(value: Any) -> str:
    """Write a value as every version has written it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


NUMBERS: list[float] = [
    0, 1, -1, 0.5, -0.5, 1e-4, 9.99e-5, 1e-15, 5e-324, 9_999_999_999_999_998.0, 1e16, -1e16, 1e17, 1.5e300, 2**63 - 1, 2**63,
    2**63 + 1, 2**64 - 1, 2**64, 2**64 + 1, -(2**63) + 1, -(2**63), -(2**63) - 1, -(2**63) - 2, -(2**64), -(2**64) + 1, 10**50,
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_written_as_ever_whichever_way_is_faster_or_all_templates_that_hold_it_change_at_once(number: float) -> None:
    for value in (number, [1, number], {"b": [{"c": number}], "a": True}):
        assert canonical(value) == reference(value)
    for changes in ({"extra": {"x": [number]}}, {"consume_items": [{"resolution": "480p", "credit": number}]}):
        written = {**document_of({"TemplateId": "1"}), **changes}  # without lists and URLs, which are hashed in another form
        assert content_hash(written) == hashlib.sha256(reference(written).encode()).hexdigest()


def test_half_a_surrogate_pair_is_written_and_compared_though_no_database_takes_it() -> None:
    assert canonical(["战\ud800"]) == reference(["战\ud800"])
    assert canonical({"\ud800": 1e17}) == reference({"\ud800": 1e17})


def test_a_document_whose_numbers_are_plain_is_hashed_by_the_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run hashes each new record, so the exact encoder would show in the time of every first run."""
    written = {**document_of(base()), "extra": {"a": [1, 0.5, True, None, {"b": "x"}], "least": 1e-4, "most": 2**63 - 1}}
    expected = content_hash(written)
    monkeypatch.setattr(document, "write_exactly", None)
    assert content_hash(written) == expected


def test_prices_are_ordered_by_what_is_written_also_where_the_fast_way_writes_otherwise() -> None:
    cheap, dear = {"credit": 1e-5, "resolution": "480p"}, {"credit": 0.5, "resolution": "720p"}
    for items in ([cheap, dear], [dear, cheap]):
        assert unordered(items) == sorted(items, key=reference)
    assert unordered([]) == []


def test_the_hash_of_a_form_is_of_its_plain_json() -> None:
    assert plain_hash({"b": 1, "a": "战"}) == hashlib.sha256('{"a":"战","b":1}'.encode()).hexdigest()
