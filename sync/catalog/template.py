"""PURE. What is stored of a template: its *document*, a JSON object whose keys are the database's columns, lists included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sync.catalog.fields import FIELDS

Document = dict[str, Any]

DOCUMENT_KEYS = (*dict.fromkeys(field.column for field in FIELDS), "extra")
"""In the order in which a document is written. `extra` holds the fields that this version does not know, by wire name."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in both languages; `name_en` is None where the endpoint gives no English list."""

    name: str
    name_en: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """What one generation costs at a resolution, in Crun credits."""

    resolution: str
    credit: Decimal


def prices_of(document: Document) -> tuple[Price, ...]:
    """Read a document's prices, exact."""
    return tuple(Price(item["resolution"], Decimal(repr(item["credit"]))) for item in document["consume_items"])


def tags_of(document: Document) -> tuple[Tag, ...]:
    """Read a document's tags."""
    return tuple(Tag(tag["name"], tag["name_en"]) for tag in document["tags"])


def instant(seconds: int) -> str:
    """Write Unix seconds as every document does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6] + "Z"  # `+00:00`; `sync.text.iso` takes twice as long


def json_number(number: Decimal) -> int | float:
    """Convert a decimal of at most 15 significant digits to a JSON number, exactly."""
    return int(number) if number == number.to_integral_value() else float(number)
