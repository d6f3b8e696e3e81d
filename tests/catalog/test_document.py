"""Documents: their stored form, their fields and their hashes, which databases hold."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from sync.catalog import document
from sync.catalog.document import (
    DOCUMENT_KEYS,
    Price,
    Tag,
    canonical,
    content_hash,
    instant,
    json_number,
    plain_hash,
    prices_of,
    tags_of,
)
from sync.catalog.fields import BOUNDS, COLUMNS, DECLARATION, DOCUMENTED, FIELDS, LISTS, SCALARS
from sync.catalog.parsing import complete_document
from tests.builders import DOCUMENT, record
from tests.catalog.runs import base, document_of


def test_a_document_has_the_names_of_the_columns_and_the_served_values() -> None:
    assert document_of(record("1", Later=[1.5])) == {**DOCUMENT, "extra": {"Later": [1.5]}}


def test_the_keys_of_a_document_are_in_a_fixed_order() -> None:
    for made in (base(), {"TemplateId": "1"}, dict(reversed(base().items()))):
        assert tuple(document_of(made)) == DOCUMENT_KEYS


@pytest.mark.parametrize(("seconds", "written"), [(0, "1970-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z")])
def test_an_instant_is_written_in_utc(seconds: int, written: str) -> None:
    assert instant(seconds) == written


def test_tags_and_prices_of_a_stored_document() -> None:
    stored = json.loads(json.dumps(document_of(base(Tags=["热"], Tags_en=None))))
    assert tags_of(stored) == (Tag("热", None),)
    assert prices_of(stored) == (Price("480p", Decimal("166.5")), Price("720p", Decimal("355.2")))


def test_missing_fields_are_null_or_empty() -> None:
    written = document_of({"TemplateId": "1"})
    assert {name for name, value in written.items() if value is None} == {*SCALARS.values()}
    assert [written[name] for name in (*LISTS, "extra")] == [[], [], [], {}]


def test_every_field_of_a_record_is_documented_and_declared_once() -> None:
    assert record().keys() == DOCUMENTED == BOUNDS.keys()
    assert len(FIELDS) == len(DOCUMENTED)
    assert {*COLUMNS.values()} == {*SCALARS.values(), *LISTS}


def test_the_declaration_hash_covers_validation_and_not_descriptions() -> None:
    validated = [(each.wire, each.column, each.kind, each.bound) for each in FIELDS]
    assert hashlib.sha256(repr(validated).encode()).digest()[:15] == DECLARATION


@pytest.mark.parametrize(
    ("number", "written"),
    [("400", "400"), ("4E+2", "400"), ("355.20", "355.2"), ("0.1", "0.1"), ("999999999999999", "999999999999999"),
     ("0.000000000000001", "1e-15"), ("123456789012.345", "123456789012.345")],
)  # fmt: skip
def test_a_credit_is_a_plain_number_and_exact(number: str, written: str) -> None:
    found = json_number(Decimal(number))
    assert json.dumps(found) == written
    assert Decimal(repr(found)) == Decimal(number)


def test_a_document_older_than_a_field_gets_the_value_in_extra() -> None:
    whole = document_of(base())
    older = {name: value for name, value in whole.items() if name not in {"title", "duration_ms", "media_id"}}
    older["extra"] = {"Title": "x", "Duration": "ten", "Later": 1}
    assert complete_document(older) == {**whole, "title": "x", "duration_ms": None, "media_id": None, "extra": older["extra"]}
    assert complete_document(whole) is whole
    assert complete_document({"template_id": "1", "extra": {}, **{name: [] for name in LISTS}}) == document_of(
        {"TemplateId": "1"}
    )


@pytest.mark.parametrize("stored", [None, [], {}, {"template_id": "1", "extra": {}, "tags": [], "aspect_ratios": []}])
def test_a_value_without_the_lists_is_not_a_document(stored: Any) -> None:
    assert complete_document(stored) is None


# Hashes -----------------------------------------------------------------------------------------------------------------


def test_the_hash_of_a_document_does_not_change_between_versions() -> None:
    written = document_of(base())
    assert content_hash(written) == "cbe21908730d02984a4a5f85328babeb1cd92fc8bd7124be6842adcd2fc6042f"


@pytest.mark.parametrize("changes", [{"Title": "x"}, {"Later": 1}, {"Tags": ["热", "冷"]}, {"MediaId": None}])
def test_a_published_change_changes_the_hash(changes: dict[str, Any]) -> None:
    assert content_hash(document_of(base())) != content_hash(document_of(base(**changes)))


def test_a_value_has_one_canonical_form() -> None:
    assert canonical({"b": [1, 0.5], "a": "战"}) == '{"a":"战","b":[1,0.5]}'


def reference(value: Any) -> str:
    """Write a value as every version has written it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


NUMBERS: list[float] = [
    0, 1, -1, 0.5, -0.5, 1e-4, 9.99e-5, 1e-15, 5e-324, 9_999_999_999_999_998.0, 1e16, -1e16, 1e17, 1.5e300, 2**63 - 1, 2**63,
    2**63 + 1, 2**64 - 1, 2**64, 2**64 + 1, -(2**63) + 1, -(2**63), -(2**63) - 1, -(2**63) - 2, -(2**64), -(2**64) + 1, 10**50,
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_both_encoders_write_a_number_alike(number: float) -> None:
    for value in (number, [1, number], {"b": [{"c": number}], "a": True}):
        assert canonical(value) == reference(value)
    for changes in ({"extra": {"x": [number]}}, {"consume_items": [{"resolution": "480p", "credit": number}]}):
        written = {**document_of({"TemplateId": "1"}), **changes}  # without lists and URLs, which are hashed in another form
        assert content_hash(written) == hashlib.sha256(reference(written).encode()).hexdigest()


def test_half_a_surrogate_pair_has_a_canonical_form() -> None:
    assert canonical(["战\ud800"]) == reference(["战\ud800"])
    assert canonical({"\ud800": 1e17}) == reference({"\ud800": 1e17})


def test_a_document_whose_numbers_are_plain_is_hashed_by_the_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run hashes each new record, so the exact encoder would show in the time of every first run."""
    written = {**document_of(base()), "extra": {"a": [1, 0.5, True, None, {"b": "x"}], "least": 1e-4, "most": 2**63 - 1}}
    expected = content_hash(written)
    monkeypatch.setattr(document, "canonical", None)
    assert content_hash(written) == expected


def test_prices_are_ordered_by_their_canonical_form() -> None:
    cheap, dear = {"credit": 1e-5, "resolution": "480p"}, {"credit": 0.5, "resolution": "720p"}
    written = document_of({"TemplateId": "1"})
    expected = {**written, "consume_items": sorted([cheap, dear], key=reference)}
    for prices in ([cheap, dear], [dear, cheap]):
        found = content_hash({**written, "consume_items": prices})
        assert found == hashlib.sha256(reference(expected).encode()).hexdigest()


def test_a_plain_hash_is_of_the_canonical_json() -> None:
    assert plain_hash({"b": 1, "a": "战"}) == hashlib.sha256('{"a":"战","b":1}'.encode()).hexdigest()
