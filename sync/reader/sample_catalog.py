"""Keep the demo's sample catalog and a real catalog in separate databases."""

from __future__ import annotations

import sqlalchemy as sa

from sync.errors import UsageError
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import sync_runs, templates


def has_runs_besides(engine: sa.Engine, trigger: str) -> bool:
    """Return whether there is a run with another trigger."""
    with reading(engine) as connection:
        require_current(connection)
        return connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.trigger != trigger).limit(1)) is not None


def is_sample_catalog(engine: sa.Engine) -> bool:
    """Return whether the demo ran in this database."""
    with reading(engine) as connection:
        return connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.trigger == "demo").limit(1)) is not None


def has_covers_at(engine: sa.Engine, prefix: str) -> bool:
    """Return whether a present template's cover URL has this prefix; only one template is checked."""
    with reading(engine) as connection:
        url = connection.scalar(sa.select(templates.c.cover_url).where(templates.c.removed_at.is_(None)).limit(1))
        return isinstance(url, str) and url.startswith(prefix)


def refuse_sample_catalog(engine: sa.Engine) -> None:
    """Refuse to store a real catalog in the database of the demo, because all sample templates would look removed.

    Raises:
        UsageError: with what to do.
    """
    if is_sample_catalog(engine):
        raise UsageError(
            "This database holds the demo's sample catalog.",
            hint="Use another database in DATABASE_URL, or delete this one; the demo creates it again.",
        )
