"""Documents in one order of keys, whichever engine they come from.

One template as the database holds it: its document, and what the runs say of it.

When the catalog last bore out what is stored of a template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.document import DOCUMENT_KEYS, Document
from sync.catalog.parsing import complete_document
from sync.catalog.run_record import Status
from sync.forms.form import Form
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import rejected_templates, sync_runs, templates
from sync.text import iso

if TYPE_CHECKING:
    from datetime import datetime

    from sync.catalog.document import Document
    from sync.store.engine import Source


def printed(written: Document) -> dict[str, Any]:
    """Add what a document has wherever it is printed as JSON, and is never stored: the hash of the template's form."""
    return {**written, "form_hash": Form(written).hash}


def with_times(document: Document, first_seen: datetime, changed: datetime, removed: datetime | None) -> dict[str, Any]:
    """Add the three times that `show` prints to a document."""
    times = {"first_seen_at": first_seen, "changed_at": changed, "removed_at": removed}
    return {**document, **{name: None if time is None else iso(time) for name, time in times.items()}}


def normalize_document(written: Any) -> Document:
    """Put a document's keys into the one order, and its credits into the one form: PostgreSQL keeps them in another.

    Done on the JSON as it is, because a list reads thousands of documents.
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
    """One template, now or at a run of the past. `removed_at` and `removed_run_id` are None while it is present."""

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
        return with_times(self.document, self.first_seen_at, self.changed_at, self.removed_at)


def verified_at(source: Source, template_id: str) -> datetime | None:
    """Find the newest run that was served a template: a success that walked the catalog, or the one that last changed it.

    Told is when the run began: the template may have been asked for first. A record that the walk set aside bears nothing out.
    None: there is no such run on record, or the template was never seen.
    """
    runs = sync_runs.c
    with reading(source) as connection:
        require_current(connection)
        walked = connection.execute(
            sa.select(runs.run_id, runs.started_at)
            .where(runs.status == str(Status.SUCCEEDED), runs.pages > 0)
            .order_by(runs.run_id.desc())
            .limit(1)
        ).one_or_none()
        seen = connection.execute(
            sa.select(runs.started_at)
            .select_from(templates)
            .outerjoin(sync_runs, templates.c.changed_run_id == runs.run_id)
            .where(templates.c.template_id == template_id)
        ).one_or_none()
        changed: datetime | None = None if seen is None else seen.started_at
        if seen is None or walked is None:
            return changed
        aside = sa.select(rejected_templates.c.ordinal).where(
            rejected_templates.c.run_id == walked.run_id, rejected_templates.c.template_id == template_id
        )
        if connection.scalar(aside.limit(1)) is not None:
            return changed
    began: datetime = walked.started_at
    return began if changed is None else max(began, changed)
