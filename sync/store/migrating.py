"""What several migrations need: locks taken in a way that hurts no reader, and statements that may be run again.

On MariaDB each statement that defines something commits by itself, so a migration that was killed meets its own beginning.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

LOCK_SECONDS = 120
_AT_A_TIME = 0.3  # seconds; below PostgreSQL's deadlock_timeout
_LOCK_NOT_AVAILABLE = "55P03"


def lock_all(bind: Connection, names: Iterable[str]) -> None:
    """Lock, on PostgreSQL, those of some tables and views that are there, before the first is altered.

    There a transaction keeps each lock to its end. Holding one table and waiting for another, the upgrade would be in a deadlock
    with an app that read them the other way round, and PostgreSQL would end the app's transaction. So it waits briefly, lets go
    of all, and tries again; whoever came meanwhile is let through.
    """
    inspector = sa.inspect(bind)
    there = {*inspector.get_table_names(), *inspector.get_view_names()}
    ours = ", ".join(sorted(there.intersection(names)))
    if not ours:
        return
    ends = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with bind.begin_nested():
                bind.exec_driver_sql(f"SET LOCAL lock_timeout = '{_AT_A_TIME}s'")
                bind.exec_driver_sql(f"LOCK TABLE {ours} IN ACCESS EXCLUSIVE MODE")
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or time.monotonic() > ends:
                raise
            time.sleep(_AT_A_TIME)
        else:
            return


def has_column(bind: Connection, table: str, column: str) -> bool:
    """Tell whether a column is there already."""
    return column in {found["name"] for found in sa.inspect(bind).get_columns(table)}


def has_index(bind: Connection, table: str, index: str) -> bool:
    """Tell whether an index is there already."""
    return index in {found["name"] for found in sa.inspect(bind).get_indexes(table)}


def table_options(bind: Connection) -> dict[str, Any]:
    """Choose how MariaDB tells A from a, é from e, and a trailing space from none: by a binary collation without padding."""
    exact = "utf8mb4_nopad_bin" if getattr(bind.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    return {"mysql_charset": "utf8mb4", "mysql_collate": exact, "mysql_engine": "InnoDB"}


def put_view(bind: Connection, name: str, query: str) -> None:
    """Make a view, or give it more columns at its end. Other people's views on it, and their grants, stay.

    SQLite knows no other way than to drop it. Views find each other by name there, and there are no grants; only triggers go with
    a view, so they are made again.
    """
    if bind.dialect.name == "sqlite":
        triggers = bind.execute(
            sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name"), {"name": name}
        ).scalars()
        for statement in (f"DROP VIEW IF EXISTS {name}", f"CREATE VIEW {name} AS {query}", *triggers.all()):
            bind.exec_driver_sql(statement)
    else:
        bind.exec_driver_sql(f"CREATE OR REPLACE VIEW {name} AS {query}")
