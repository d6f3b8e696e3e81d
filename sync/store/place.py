"""Where the database is: which server, in which history of it, and how far that has come.

A fail-over to a standby that lagged, or a restored backup, takes back what had been committed, and every row looks as if it had
never been otherwise. But another server answers, or the same one in another history of its log, or its log is shorter.
Each run's row keeps what the database said of itself; the next run compares. A difference means "look", not "lost": what was lost
for whom the feed's cursors tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy import exc

from sync.errors import DatabaseError
from sync.store.database_errors import sort
from sync.store.server_role import shown
from sync.store.tables import sync_runs

if TYPE_CHECKING:
    from sync.store.lease import Lease

_POSTGRESQL_ASKED = (
    "SELECT system_identifier || ':' || left(pg_walfile_name(pg_current_wal_lsn()), 8), pg_current_wal_lsn() - '0/0' "
    "FROM pg_control_system()"
)
"""The timeline is read off the log file's name: pg_control_checkpoint() keeps the old one until the next checkpoint."""


@dataclass(frozen=True, slots=True)
class Place:
    """`history` is equal as long as nothing can have been taken back; `position` only grows in it."""

    history: str
    position: int

    def __str__(self) -> str:
        return f"{self.history}@{self.position}"

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Read what `str` wrote; None for what it did not."""
        history, _, position = (text or "").rpartition("@")
        return cls(history, int(position)) if history and position.isdecimal() else None

    def since(self, before: Place) -> str:
        """Say in a few words what happened since; an empty string if nothing did."""
        if self.history != before.history:
            return "another server answers than the one that the run before was written to, or it was restored"
        return "the database went back behind the run before, as after a restore" if self.position < before.position else ""


def look(connection: sa.Connection) -> Place | None:
    """Ask a server; None for SQLite, and where the server does not say."""
    ask = {"postgresql": _postgresql, "mysql": _mariadb}.get(connection.dialect.name)
    return ask(connection) if ask else None


def _postgresql(connection: sa.Connection) -> Place | None:
    try:
        with connection.begin_nested():
            history, position = connection.exec_driver_sql(_POSTGRESQL_ASKED).one()
    except exc.DBAPIError as error:
        if sort(error) is DatabaseError:  # this user may not ask, or this service has no such function
            return None
        raise
    return Place(str(history), int(position))


def _mariadb(connection: sa.Connection) -> Place | None:
    """Ask what every user may ask. In no savepoint, and nothing caught: another node may end this transaction at any statement.

    What came before is rolled back then, the savepoint with it, and whoever catches that goes on in a new transaction, and
    commits the second half alone.
    """
    told = shown(connection, "STATUS", "wsrep_cluster_state_uuid", "wsrep_last_committed", "wsrep_ready")
    if told.get("wsrep_ready") == "ON":  # any node of the cluster will do
        return Place(f"galera:{told['wsrep_cluster_state_uuid']}", int(told["wsrep_last_committed"]))
    found = shown(connection, "VARIABLES", "server_uid", "server_uuid", "server_id", "gtid_binlog_pos")
    name = found.get("server_uid") or found.get("server_uuid")  # MySQL spells it so
    numbers = [gtid.rpartition("-")[2] for gtid in found.get("gtid_binlog_pos", "").split(",") if gtid]
    return Place(f"{name}:{found.get('server_id')}", sum(map(int, numbers))) if name else None


def record(connection: sa.Connection, lease: Lease) -> str:
    """Note, in the transaction that takes the lease, where a run is written; say if that is not where the one before was."""
    here = look(connection)
    if here is None:
        return ""
    noted = sa.select(sync_runs.c.place).where(sync_runs.c.place.is_not(None)).order_by(sync_runs.c.run_id.desc()).limit(1)
    before = Place.read(connection.scalar(noted))
    connection.execute(sa.update(sync_runs).where(sync_runs.c.run_id == lease.run_id).values(place=str(here)))
    return here.since(before) if before else ""
