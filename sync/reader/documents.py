"""Documents in one order of keys, whichever engine they come from."""

from __future__ import annotations

from typing import Any

from sync.catalog.parsing import complete_document
from sync.catalog.template import DOCUMENT_KEYS, Document
from sync.forms.form import Form


def printed(written: Document) -> dict[str, Any]:
    """Add what a document has wherever it is printed as JSON, and is never stored: the hash of the template's form."""
    return {**written, "form_hash": Form(written).hash}


def _ordered(written: Any) -> Document:
    """Put a document's keys into the one order, and its credits into the one form: PostgreSQL keeps them in another.

    Done on the JSON as it is, because a list reads thousands of documents.
    """
    document = written if len(written) == len(DOCUMENT_KEYS) else complete_document(written) or written
    ordered = {name: document[name] for name in DOCUMENT_KEYS}
    ordered["consume_items"] = [
        {"resolution": item["resolution"], "credit": _shortest(item["credit"])} for item in written["consume_items"]
    ]
    ordered["tags"] = [{"name": tag["name"], "name_en": tag["name_en"]} for tag in written["tags"]]
    ordered["extra"] = _sorted(written["extra"])
    return ordered


def _shortest(credit: float) -> float:
    return int(credit) if isinstance(credit, float) and credit.is_integer() else credit


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in sorted(value.items())}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value
