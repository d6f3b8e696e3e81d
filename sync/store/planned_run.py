"""The time of the next run of each host's daemon, stored for `status`.

Each daemon has a row of its own, so that on a cluster an idle daemon does not conflict with the run of another host.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.store import process
from sync.store.engine import writing
from sync.store.tables import planned_runs
from sync.store.transaction_retry import Retry

if TYPE_CHECKING:
    from datetime import datetime


_FORGOTTEN = timedelta(days=7)
"""Age after which a planned run that never happened is deleted, because its daemon no longer exists."""


def save_planned_run(engine: sa.Engine, moment: datetime | None, *, retry: Retry = Retry()) -> None:  # noqa: B008 - Retry is frozen
    """Store when the next run of this host is due; None deletes the row.

    Raises:
        DatabaseError: it could not be stored.
    """
    me = process.host()

    def write() -> None:
        with writing(engine) as connection:
            if moment is None:
                connection.execute(sa.delete(planned_runs).where(planned_runs.c.host == me))
                return
            mine = sa.update(planned_runs).where(planned_runs.c.host == me).values(next_run_at=moment)
            if connection.execute(mine).rowcount == 0:
                connection.execute(sa.delete(planned_runs).where(planned_runs.c.next_run_at < moment - _FORGOTTEN))
                connection.execute(sa.insert(planned_runs).values(host=me, next_run_at=moment))

    retry(write)


def read_planned_run(connection: sa.Connection, last_attempt: datetime | None) -> datetime | None:
    """Return when the next run is due: the first planned time of any host after the last attempt, else the last planned time.

    A daemon that was killed leaves its row; that time is soon before the attempts of other hosts.
    """
    planned = [*connection.scalars(sa.select(planned_runs.c.next_run_at))]
    ahead = [each for each in planned if last_attempt is None or each >= last_attempt]
    return min(ahead) if ahead else max(planned, default=None)
