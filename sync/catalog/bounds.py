"""PURE. How long, large and deep a record may be. A record past a bound is rejected alone. Bounds of single fields: `fields`."""

from __future__ import annotations

BATCH = 500
"""Stored documents that are read at a time, to bound memory."""
MOST_BYTES = 256 * 1024
"""Of one record as served; a documented one takes about a thousand."""
MOST_ITEMS = 1000
"""Items of one list."""
MOST_FIELDS = 200
"""Fields of one record."""
LONGEST_NAME = 200
"""Characters of a field's name."""
MOST_NAMES = 1000
"""Field names that one run reports as new or missing."""
MOST_EXTRA = 64 * 1024
"""Characters of all unknown fields of one record, as JSON."""
DEEPEST = 20
"""Levels of an unknown field. MariaDB's JSON ends at 32 levels, and the document around the field takes some of them."""
DEEPEST_RECORD = 64
"""Levels of a record that are parsed. Deeper lists and objects are emptied first: the depth that a parser supports depends on
the interpreter."""
CREDIT_DIGITS = 15
"""Significant digits of a price: what a double, SQLite's only number, stores exactly."""
LARGEST_EXPONENT = 50
"""Of an unknown number: 10^50. Larger ones are not the same on every engine."""


def storage_flaw(value: str) -> str | None:
    """Name what no database or driver can store in a text: NUL, or an unpaired surrogate; None for a text that can be stored."""
    if value.isascii():
        return "a NUL character" if "\x00" in value else None
    if "\x00" in value:
        return "a NUL character"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "bytes that are not UTF-8, or half a surrogate pair"
    return None
