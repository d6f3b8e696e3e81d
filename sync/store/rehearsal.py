"""Try the writes of the next run in a transaction that is rolled back, for `doctor`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sync.catalog.run_record import Status
from sync.errors import DatabaseError
from sync.store import process
from sync.store.engine import reading, writing
from sync.store.lease import insert_run

if TYPE_CHECKING:
    import sqlalchemy as sa

SPACE = 2**18
"""Bytes written to the disk of a SQLite file; a run with few changes writes less."""


def rehearse_run(engine: sa.Engine) -> None:
    """Write what a run writes first, and roll it back.

    This detects a missing permission, a standby, a full disk, and a damaged page of SQLite.

    Raises:
        DatabaseError: the error that a run would get.
    """
    sqlite = engine.dialect.name == "sqlite"
    if sqlite:
        _refuse_damaged(engine)
    row = {"trigger": "doctor", "status": str(Status.RUNNING), "started_at": datetime.now(UTC), "holder": process.name()}
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE sync_state SET last_seq = last_seq")
        if sqlite:
            connection.exec_driver_sql("PRAGMA cache_size = 10")  # forces a write before the end of the transaction
        insert_run(connection, {**row, "error": "x" * SPACE if sqlite else None})
        connection.rollback()
        if sqlite:
            connection.invalidate()  # discards the small cache


def _refuse_damaged(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        hint = "Restore the last good backup with `template-sync db restore FILE`."
        raise DatabaseError(f"The database is damaged: {' '.join(str(found).split())}.", hint=hint)
