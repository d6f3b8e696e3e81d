"""What readers ask. Each question is one transaction that sees the database at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import UsageError
from sync.reader.documents import _ordered
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import template_versions, templates
from sync.text import iso

if TYPE_CHECKING:
    from sync.catalog.template import Document


def catalog(engine: sa.Engine) -> list[Document]:
    """Read the present catalog, by id in code-point order, which is the same on every engine."""
    with reading(engine) as connection:
        require_current(connection)
        present = sa.select(template_versions.c.document).where(template_versions.c.until_run_id.is_(None))
        return sorted(map(_ordered, connection.scalars(present)), key=lambda each: str(each["template_id"]))


def template(engine: sa.Engine, template_id: str) -> dict[str, Any]:
    """Read one template: its newest document, and when it was first seen, changed, removed.

    Raises:
        UsageError: it was never seen.
    """
    with reading(engine) as connection:
        require_current(connection)
        row = connection.execute(sa.select(templates).where(templates.c.template_id == template_id)).one_or_none()
        if row is None:
            raise UsageError(
                f"No template {template_id!r} was ever seen.", hint="`template-sync list` shows those that there are."
            )
        newest = (
            sa.select(template_versions.c.document)
            .where(template_versions.c.template_id == template_id)
            .order_by(template_versions.c.from_run_id.desc())
            .limit(1)
        )
        written = connection.scalar(newest)
    moments = {name: getattr(row, name) for name in ("first_seen_at", "changed_at", "removed_at")}
    return {**_ordered(written), **{name: None if moment is None else iso(moment) for name, moment in moments.items()}}
