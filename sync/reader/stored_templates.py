"""When the catalog last bore out what is stored of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.run_record import Status
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import rejected_templates, sync_runs, templates

if TYPE_CHECKING:
    from datetime import datetime

    from sync.store.engine import Source


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
