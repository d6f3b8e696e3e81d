"""What no database can store, by name."""

from __future__ import annotations

import pytest

from sync.catalog import fields
from sync.catalog.fields import BOUNDS, LONGEST_RATIO, storage_flaw


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", None),
        ("a\tb\x7f\x1b", None),
        ("战斗🔥 ", None),
        ("\U0010ffff\ufffe", None),
        ("a\x00", "a NUL character"),
        ("战\x00", "a NUL character"),
        ("战\ud83d", "bytes that are not UTF-8, or half a surrogate pair"),
    ],
)
def test_a_string_that_no_database_can_store_is_described(text: str, flaw: str | None) -> None:
    assert storage_flaw(text) == flaw


def test_the_bounds_are_those_of_the_columns_of_every_database() -> None:
    """One more, and a record that validation let pass would end a whole run on a server."""
    assert BOUNDS == {
        "TemplateId": 255, "MediaId": 255, "ServiceId": 255, "TemplateType": 255, "CoverAspectRatio": 64,
        "Title": 2000, "Title_en": 2000, "InputRequirement": 2000, "Cover": 8000, "PreviewVideo": 8000,
        "SupportAspectRatio": 2000, "Tags": 255, "Tags_en": 255, "ConsumeItems": 64, "Duration": 1_000_000_000_000,
        "InputNum": 1_000_000, "ReleaseOnlineTime": 253_402_300_799,
    }  # fmt: skip
    assert LONGEST_RATIO == 64
    assert (fields.DEEPEST, fields.DEEPEST_RECORD, fields.CREDIT_DIGITS, fields.LARGEST_EXPONENT) == (20, 64, 15, 50)


def test_the_limits_of_memory_have_these_values() -> None:
    assert (fields.MOST_BYTES, fields.MOST_EXTRA, fields.BATCH) == (262_144, 65_536, 500)
    assert (fields.MOST_ITEMS, fields.MOST_FIELDS, fields.LONGEST_NAME, fields.MOST_NAMES) == (1000, 200, 200, 1000)
