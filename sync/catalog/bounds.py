"""PURE. How long, large and deep the values of one record may be. Past a bound the record alone is set aside."""

from __future__ import annotations

LONGEST = {
    "TemplateId": 255, "MediaId": 255, "ServiceId": 255, "TemplateType": 255, "CoverAspectRatio": 64,
    "Title": 2000, "Title_en": 2000, "InputRequirement": 2000, "Cover": 8000, "PreviewVideo": 8000,
    "SupportAspectRatio": 2000, "Tags": 255, "Tags_en": 255, "Resolution": 64,
}  # fmt: skip
"""Characters. What the columns of all three databases hold (MySQL's keys end at 3072 bytes), or a sane bound."""
LARGEST = {"Duration": 10**12, "InputNum": 10**6, "ReleaseOnlineTime": 253_402_300_799}
"""Inclusive. The last one is the end of the year 9999, where every database's calendar ends."""
MOST_BYTES = 256 * 1024
"""Of one record as served; a documented one takes about a thousand."""
MOST_ITEMS = 1000
MOST_FIELDS = 200
"""Fields of one record."""
LONGEST_NAME = 200
"""Characters of a field's name."""
MOST_NAMES = 1000
"""Different field names in a whole catalog, and as many as are remembered from one run to the next."""
MOST_EXTRA = 64 * 1024
DEEPEST = 20
"""Levels of an unknown field. MariaDB's JSON ends at 32 levels, and the document around the field takes some of them."""
CREDIT_DIGITS = 15
LARGEST_EXPONENT = 50
"""Of an unknown number: 10^50. Larger ones are not the same on every engine."""


def storage_flaw(value: str) -> str | None:
    """Name what keeps a text out of a database: NUL, which PostgreSQL refuses, or what no driver can encode."""
    if "\x00" in value:
        return "a NUL character"
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return "bytes that are not UTF-8, or half a surrogate pair"
    return None
