"""The runs, and the records that each could not read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sync.errors import UnknownRun
from sync.run_record import Run, from_row
from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import rejected_templates, sync_runs


def runs(engine: sa.Engine, most: int) -> list[Run]:
    """Read the newest runs, newest first."""
    with reading(engine) as connection:
        require_current(connection)
        found = connection.execute(sa.select(sync_runs).order_by(sync_runs.c.run_id.desc()).limit(most))
        return [from_row(dict(row)) for row in found.mappings()]


def rejected(engine: sa.Engine, run_id: int) -> list[dict[str, Any]]:
    """Read the records that a run could not read."""
    with reading(engine) as connection:
        require_current(connection)
        query = sa.select(rejected_templates).where(rejected_templates.c.run_id == run_id).order_by(rejected_templates.c.ordinal)
        return [dict(row) for row in connection.execute(query).mappings()]


def require_run(engine: sa.Engine, run_id: int) -> None:
    """Refuse a run that is not on record.

    Raises:
        UnknownRun: saying so.
    """
    with reading(engine) as connection:
        require_current(connection)
        _require_run(connection, run_id)


def _require_run(connection: sa.Connection, run_id: int) -> None:
    if connection.scalar(sa.select(sync_runs.c.run_id).where(sync_runs.c.run_id == run_id)) is None:
        raise UnknownRun(f"There is no run {run_id}.", hint="`template-sync runs` lists the runs.")
