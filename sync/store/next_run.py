"""When a daemon means to run next: written down for `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.store.engine import writing
from sync.store.tables import sync_state

if TYPE_CHECKING:
    from datetime import datetime


def record_next_run(engine: sa.Engine, moment: datetime | None) -> None:
    """Write down when the next run is due; None where no daemon is at work.

    Raises:
        DatabaseError: in plain words.
    """
    with writing(engine) as connection:
        connection.execute(sa.update(sync_state).values(next_run_at=moment))
