"""What a server is for: to be written, or to repeat what another one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.errors import DatabaseAway
from sync.store.database_errors import NAME_THE_PRIMARY

if TYPE_CHECKING:
    import sqlalchemy as sa


def refuse_replica(connection: sa.Connection) -> None:
    """Refuse to write into a MariaDB replica. It refuses by itself, but not whom ALL was granted: then its replication breaks.

    Raises:
        DatabaseAway: saying so.
    """
    if connection.dialect.name == "mysql" and is_standby(connection):
        raise DatabaseAway("The database is a read-only replica (read_only is on).", hint=NAME_THE_PRIMARY)


def is_standby(connection: sa.Connection) -> bool:
    """Tell whether a server only repeats what another one does, so that it may lag; on MariaDB, whether it refuses writes."""
    asked = {"postgresql": "SELECT pg_is_in_recovery()", "mysql": "SELECT @@global.read_only"}.get(connection.dialect.name)
    return asked is not None and not is_off(connection.exec_driver_sql(asked).scalar())


@dataclass(frozen=True, slots=True)
class Standby:
    """A server that repeats another one.

    Attributes:
        seconds: the age of the newest transaction that it has repeated, which is how late it may be: a standby cannot know what
            it has not been told, so where the primary has nothing to do it looks late, too. None where it does not say.
    """

    seconds: float | None


def standby(connection: sa.Connection) -> Standby | None:
    """Look how late a standby may be; None where the server is none. MariaDB tells that to administrators only."""
    if not is_standby(connection):
        return None
    if connection.dialect.name != "postgresql":
        return Standby(None)
    age = "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
    seconds = connection.exec_driver_sql(age).scalar()
    return Standby(None if seconds is None else float(seconds))


def is_off(value: Any) -> bool:
    """Read a server's word for no, in whatever form this version of it writes it."""
    return str(value).upper() in {"0", "OFF", "FALSE", "NO"}
