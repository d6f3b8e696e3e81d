"""When a daemon means to run next: written down for `status`, in a row of the daemon's own.

A row that every daemon wrote would be a hot one: on a cluster an idle host that plans would end another's transaction.
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
"""What a daemon planned that long ago, and that never ran, is of one that is gone."""


def save_planned_run(engine: sa.Engine, moment: datetime | None, *, retry: Retry = Retry()) -> None:  # noqa: B008 - it is frozen
    """Write down when this host's next run is due; None where its daemon is no longer at work.

    Raises:
        DatabaseError: in plain words.
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
    """Read when the next run is due: the first plan of any host for after the last attempt, else the last plan of all.

    A daemon that was killed leaves a plan behind, which soon lies before the others' attempts.
    """
    planned = [*connection.scalars(sa.select(planned_runs.c.next_run_at))]
    ahead = [each for each in planned if last_attempt is None or each >= last_attempt]
    return min(ahead) if ahead else max(planned, default=None)
