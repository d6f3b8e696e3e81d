"""The recorded origin of the catalog, the next run of each host, and the runs that `status` shows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.config.addresses import origin_of, require_same_origin
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.lease import block_commits, host_name
from sync.store.schema import reading_current, require_current
from sync.store.tables import planned_runs, sync_runs, sync_state

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

ATTEMPTED = sa.and_(sync_runs.c.status != str(Status.SKIPPED), sync_runs.c.template_id.is_(None))
"""The condition for runs that were not skipped; a refresh is no run, and frequent ones would hide the result of the last run."""
WALKED = sa.and_(sync_runs.c.status == str(Status.SUCCEEDED), sync_runs.c.pages > 0)
"""The condition for successful runs that walked the catalog."""


def recorded_origin(engine: Engine) -> str | None:
    """Return the recorded origin; None before the first verified run."""
    with reading_current(engine) as connection:
        return connection.scalar(sa.select(sync_state.c.origin))


def require_origin(engine: Engine, base_url: str) -> None:
    """Refuse a database whose catalog has another origin than a base URL, with OtherOrigin."""
    require_same_origin(recorded_origin(engine), origin_of(base_url))


def accept_origin(engine: Engine, base_url: str) -> str | None:
    """Replace the recorded origin by that of a base URL, and return the old one; a run in progress applies nothing."""

    def write() -> str | None:
        with writing(engine) as connection:
            require_current(connection)
            block_commits(connection)
            before: str | None = connection.scalar(sa.select(sync_state.c.origin))
            connection.execute(sa.update(sync_state).values(origin=origin_of(base_url)))
        return before

    return Retry()(write)


def save_planned_run(engine: Engine, moment: datetime | None) -> None:
    """Store when the next run of this host is due; None deletes the row.

    Each host has a row of its own, so that on a cluster an idle daemon does not conflict with the run of another host. A planned
    run that did not happen for a week is deleted, because its daemon no longer exists.
    """
    me, planned = host_name(), planned_runs.c

    def write() -> None:
        with writing(engine) as connection:
            if moment is None:
                connection.execute(sa.delete(planned_runs).where(planned.host == me))
                return
            mine = sa.update(planned_runs).where(planned.host == me).values(next_run_at=moment)
            if connection.execute(mine).rowcount == 0:
                connection.execute(sa.delete(planned_runs).where(planned.next_run_at < moment - timedelta(days=7)))
                connection.execute(sa.insert(planned_runs).values(host=me, next_run_at=moment))

    Retry()(write)


def read_planned_run(connection: sa.Connection, last_attempt: datetime | None) -> datetime | None:
    """Return when the next run is due: the first planned time of any host after the last attempt, else the last planned time.

    A daemon that was killed leaves its row; that time is soon before the attempts of other hosts.
    """
    planned = [*connection.scalars(sa.select(planned_runs.c.next_run_at))]
    ahead = [each for each in planned if last_attempt is None or each >= last_attempt]
    return min(ahead) if ahead else max(planned, default=None)
