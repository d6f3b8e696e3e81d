"""Documents in one order of keys, whichever engine they come from."""

from __future__ import annotations

from typing import Any

from sync.catalog.template import Document, document, from_document


def _ordered(written: Any) -> Document:
    """Put a document's keys into the one order: PostgreSQL keeps them in another."""
    return {**document(from_document(written)), "extra": _sorted(written["extra"])}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in sorted(value.items())}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value
