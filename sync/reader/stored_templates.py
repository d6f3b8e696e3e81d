"""A template as stored, with a document in one form on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.catalog.document import DOCUMENT_KEYS, to_plain_json
from sync.catalog.parsing import complete_document
from sync.forms.form import Form

if TYPE_CHECKING:
    from datetime import datetime

    from sync.catalog.document import Document


def printed(written: Document) -> dict[str, Any]:
    """Add the form hash, which printed documents have and stored ones do not."""
    return {**written, "form_hash": Form(written).hash}


def normalize_document(written: Any) -> Document:
    """Sort the keys of a document, and shorten its credits: PostgreSQL does not keep the order of keys.

    It works on the decoded JSON, because a listing reads thousands of documents.
    """
    document = written if len(written) == len(DOCUMENT_KEYS) else complete_document(written) or written
    ordered = {name: document[name] for name in DOCUMENT_KEYS}
    ordered["consume_items"] = [
        {"resolution": item["resolution"], "credit": _shortest(item["credit"])} for item in written["consume_items"]
    ]
    ordered["tags"] = [{"name": tag["name"], "name_en": tag["name_en"]} for tag in written["tags"]]
    ordered["extra"] = sort_keys(written["extra"])
    return ordered


def _shortest(credit: float) -> float:
    return int(credit) if isinstance(credit, float) and credit.is_integer() else credit


def sort_keys(value: Any) -> Any:
    """Sort the keys of JSON objects, at every depth."""
    if isinstance(value, dict):
        return {name: sort_keys(inner) for name, inner in sorted(value.items())}
    return [sort_keys(inner) for inner in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Stored:
    """A template, present or after a run of the past; `removed_at` and `removed_run_id` are None while it is present."""

    document: Document
    content_hash: str
    first_seen_at: datetime
    changed_at: datetime
    removed_at: datetime | None
    first_seen_run_id: int
    changed_run_id: int
    removed_run_id: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the document and three times, as `show` prints them."""
        times = ("first_seen_at", "changed_at", "removed_at")
        return {**self.document, **{name: to_plain_json(getattr(self, name)) for name in times}}
