"""A template as stored, with a document in one form on every engine, and the time at which the catalog last verified it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sync.catalog.document import DOCUMENT_KEYS, Document
from sync.catalog.parsing import complete_document
from sync.catalog.run_record import Status
from sync.forms.form import Form
from sync.store.engine import reading
from sync.store.schema import reading_current
from sync.store.tables import rejected_templates, sync_runs, templates
from sync.text import iso

if TYPE_CHECKING:
    from datetime import datetime

    from sync.catalog.document import Document
    from sync.store.engine import Source


def printed(written: Document) -> dict[str, Any]:
    """Add the form hash, which printed documents have and stored ones do not."""
    return {**written, "form_hash": Form(written).hash}


def has_covers_at(engine: sa.Engine, prefix: str) -> bool:
    """Return whether the cover URL of a present template has this prefix; only one template is checked."""
    with reading(engine) as connection:
        url = connection.scalar(sa.select(templates.c.cover_url).where(templates.c.removed_at.is_(None)).limit(1))
        return isinstance(url, str) and url.startswith(prefix)


def with_times(document: Document, first_seen: datetime, changed: datetime, removed: datetime | None) -> dict[str, Any]:
    """Add the three times that `show` prints."""
    times = {"first_seen_at": first_seen, "changed_at": changed, "removed_at": removed}
    return {**document, **{name: None if time is None else iso(time) for name, time in times.items()}}


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
        return with_times(self.document, self.first_seen_at, self.changed_at, self.removed_at)


def verified_at(source: Source, template_id: str) -> datetime | None:
    """Return the start of the newest run that was served a template; None if there is none.

    That is the last successful walk, unless it rejected the record of the template, its last refresh, or the run of its last
    change. The start is used, because the template may have been fetched first.
    """
    runs = sync_runs.c
    with reading_current(source) as connection:
        changed = connection.execute(
            sa.select(runs.started_at)
            .select_from(templates)
            .outerjoin(sync_runs, templates.c.changed_run_id == runs.run_id)
            .where(templates.c.template_id == template_id)
        ).one_or_none()
        if changed is None:
            return None
        refreshed = last_refresh(connection, template_id)
        times = (changed.started_at, refreshed.at if refreshed and refreshed.found else None, _walked_at(connection, template_id))
    return max((time for time in times if time is not None), default=None)


def _walked_at(connection: sa.Connection, template_id: str) -> datetime | None:
    """Return the start of the last successful walk; None if there is none, or it rejected the record of the template."""
    runs = sync_runs.c
    walked = connection.execute(
        sa.select(runs.run_id, runs.started_at)
        .where(runs.status == str(Status.SUCCEEDED), runs.pages > 0)
        .order_by(runs.run_id.desc())
        .limit(1)
    ).one_or_none()
    if walked is None:
        return None
    aside = sa.select(rejected_templates.c.ordinal).where(
        rejected_templates.c.run_id == walked.run_id, rejected_templates.c.template_id == template_id
    )
    if connection.scalar(aside.limit(1)) is not None:
        return None
    began: datetime = walked.started_at
    return began


class LastRefresh(NamedTuple):
    """The start of a successful refresh, and whether the catalog had the template."""

    at: datetime
    found: bool


def last_refresh(source: Source, template_id: str) -> LastRefresh | None:
    """Return the newest successful refresh of a template; None if there is none."""
    runs = sync_runs.c
    query = sa.select(runs.started_at, runs.seen).where(runs.template_id == template_id, runs.status == str(Status.SUCCEEDED))
    with reading(source) as connection:
        row = connection.execute(query.order_by(runs.run_id.desc()).limit(1)).one_or_none()
    return None if row is None else LastRefresh(row.started_at, row.seen > 0)
