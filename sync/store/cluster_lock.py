"""One upgrade at a time over the nodes of a Galera cluster, where no lock of the server's holds on more than one node.

Two upgrades that met left a database with two versions at once. The lock is a row: of two that insert it on two nodes the first
to COMMIT wins, and the other is told. Its table is none of the catalog's, and is made by whoever needs it first.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import DatabaseError
from sync.store import process

if TYPE_CHECKING:
    from collections.abc import Iterator

_MADE = (
    "CREATE TABLE IF NOT EXISTS sync_upgrading (name VARCHAR(16) NOT NULL PRIMARY KEY, holder VARCHAR(255) NOT NULL, "
    "process VARCHAR(255), since DATETIME NOT NULL) ENGINE=InnoDB"
)


@contextmanager
def locked_over_nodes(connection: sa.Connection, within: float) -> Iterator[None]:
    """Hold the lock while the block runs; nothing where there is no cluster.

    Args:
        connection: in no transaction.
        within: seconds to wait for another holder.

    Raises:
        DatabaseError: another one held it all the time; naming it.
    """
    raw: Any = connection.connection.dbapi_connection
    if not getattr(raw, "in_a_cluster", False):
        yield
        return
    ends = time.monotonic() + within
    while not _taken(connection):
        if time.monotonic() > ends:
            holder = connection.scalar(sa.text("SELECT holder FROM sync_upgrading"))
            raise DatabaseError(
                f"Another host has been migrating this cluster for {within:g} s: {holder}.",
                hint="Wait for it; if it died, DELETE FROM sync_upgrading.",
            )
        time.sleep(0.5)
    try:
        yield
    finally:
        with suppress(sa.exc.SQLAlchemyError), connection.begin():  # it ends by itself, if need be
            connection.execute(sa.text("DELETE FROM sync_upgrading WHERE process = :me"), {"me": _me()})


def _taken(connection: sa.Connection) -> bool:
    """Try to take it; whatever another node does at that moment, it is tried again."""
    try:
        with connection.begin():
            connection.exec_driver_sql(_MADE)
        with connection.begin():
            # What a holder that died on another host keeps others out for; one on this host is seen to be dead.
            connection.exec_driver_sql("DELETE FROM sync_upgrading WHERE since < utc_timestamp() - INTERVAL 1 HOUR")
            for other in connection.scalars(sa.text("SELECT process FROM sync_upgrading")).all():
                if process.is_dead(other):
                    connection.execute(sa.text("DELETE FROM sync_upgrading WHERE process = :other"), {"other": other})
            mine = {"holder": process.name(), "me": _me()}
            connection.execute(sa.text("INSERT INTO sync_upgrading VALUES ('upgrade', :holder, :me, utc_timestamp())"), mine)
    except (sa.exc.IntegrityError, sa.exc.OperationalError) as error:
        if getattr(error.orig, "args", (None,))[0] not in _MET:
            raise
        return False
    return True


_MET = {1062, 1205, 1213, 1684}
"""The row is there; a lock is; another node was faster; the table is just being made."""


def _me() -> str:
    return process.mark() or process.name()
