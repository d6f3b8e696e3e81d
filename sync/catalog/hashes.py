"""PURE. The two hashes of a document: the fingerprint of its form and the content hash of its meaning."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sync.catalog.url_query import URL_FIELDS, address, without_query

if TYPE_CHECKING:
    from sync.catalog.template import Document


_UNORDERED = ("consume_items", "tags", "aspect_ratios")


def fingerprint(written: Document) -> str:
    """Hash a document as it stands."""
    return _hash(written)


def content_hash(written: Document) -> str:
    """Hash what a document means."""
    meaning = dict(written)
    for name in URL_FIELDS:
        meaning[name] = address(written[name])
    for name in _UNORDERED:
        meaning[name] = unordered(written[name])
    meaning["extra"] = without_query(written["extra"])
    return _hash(meaning)


def unordered(items: list[Any]) -> list[Any]:
    """Sort a list whose order means nothing."""
    return sorted(items, key=canonical)


def canonical(value: Any) -> str:
    """Write a JSON value in the one form that is hashed and compared."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
