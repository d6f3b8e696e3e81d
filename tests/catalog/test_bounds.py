"""What no database can store, by name."""

from __future__ import annotations

import pytest

from sync.catalog.bounds import storage_flaw


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
def test_a_text_says_what_keeps_it_out_of_a_database(text: str, flaw: str | None) -> None:
    assert storage_flaw(text) == flaw
