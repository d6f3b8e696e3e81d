"""The checks of `doctor`: the role and state of a server, and a rehearsal of the writes of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.catalog.run_record import Status
from sync.errors import DatabaseError
from sync.store.engine import reading, writing
from sync.store.lease import insert_run, process_name
from sync.store.server_hosts import is_off, is_standby, standby
from sync.store.tables import metadata

if TYPE_CHECKING:
    import sqlalchemy as sa

_SMALLEST_CLUSTER = 3
_SPACE = 2**18
"""Bytes written to the disk of a SQLite file; a run with few changes writes less."""
_NOT_OF_A_CATALOG = {"sync_runs", "sync_lease", "sync_state", "planned_runs", "webhook_endpoints"}
"""The tables into which a run inserts no row because of what it finds."""


class ServerState(NamedTuple):
    """Product, version, role and state in a few words; warnings of one sentence each."""

    summary: str
    warnings: list[str]


def server_state(engine: sa.Engine) -> ServerState | None:
    """Return the role and state of a server; None for SQLite.

    Raises:
        DatabaseError: the server did not answer; a cluster node without quorum refuses every statement.
    """
    read = {"postgresql": _postgresql, "mysql": _mariadb}.get(engine.dialect.name)
    if read is None:
        return None
    with reading(engine) as connection:
        return read(connection)


def _postgresql(connection: sa.Connection) -> ServerState:
    version = f"PostgreSQL {str(_scalar(connection, 'SHOW server_version')).split()[0]}"
    if (behind := standby(connection)) is not None:
        age = "" if behind.seconds is None else f", its newest transaction {behind.seconds:.0f} s old"
        warning = "a standby can be read only: runs need its primary, or all hosts, in DATABASE_URL"
        return ServerState(f"{version}, a standby{age}", [warning])
    followers = int(_scalar(connection, "SELECT count(*) FROM pg_stat_replication"))
    if not followers:
        return ServerState(f"{version}, no standby", [])
    warning = "its standbys are asynchronous: a fail-over can lose what was committed last; consumers need cursors"
    synchronous = _scalar(connection, "SHOW synchronous_standby_names")
    return ServerState(f"{version}, a primary with {followers} standbys", [] if synchronous else [warning])


def _mariadb(connection: sa.Connection) -> ServerState:
    version = str(_scalar(connection, "SELECT version()"))
    summary = [f"{'MariaDB' if 'mariadb' in version.lower() else 'MySQL'} {version.partition('-')[0]}"]
    warnings = []
    if not is_off(_shown(connection, "VARIABLES", "wsrep_on").get("wsrep_on", "OFF")):
        node = _shown(connection, "VARIABLES", "wsrep_node_name")["wsrep_node_name"]
        cluster = _shown(connection, "STATUS", "wsrep_cluster_size", "wsrep_cluster_status", "wsrep_local_state_comment")
        size = int(cluster["wsrep_cluster_size"])
        state = f"{cluster['wsrep_cluster_status']}, {cluster['wsrep_local_state_comment']}"
        summary.append(f"node {node} of a Galera cluster of {size} ({state})")
        if size < _SMALLEST_CLUSTER:
            warnings.append(f"a cluster of {size} stops when one node dies: it takes three to go on with two")
    if is_standby(connection):
        summary.append("read only")
        warnings.append("it is read only, as a replica is: runs need its primary, or all hosts, in DATABASE_URL")
    return ServerState(", ".join(summary), warnings)


def _shown(connection: sa.Connection, what: str, *names: str) -> dict[str, str]:
    """Return some of MariaDB's global `STATUS` or `VARIABLES`; unknown names are missing."""
    wanted = ", ".join(f"'{name}'" for name in names)
    rows = connection.exec_driver_sql(f"SHOW GLOBAL {what} WHERE variable_name IN ({wanted})")
    return {str(name): str(value) for name, value in rows}


def _scalar(connection: sa.Connection, query: str) -> Any:
    return connection.exec_driver_sql(query).scalar()


def rehearse_run(engine: sa.Engine) -> None:
    """Write what a run writes first, and an empty set of rows into each table; roll it back.

    This detects a missing permission, a standby, a full disk, and a damaged page of SQLite.

    Raises:
        DatabaseError: the error that a run would get.
    """
    sqlite = engine.dialect.name == "sqlite"
    if sqlite:
        with reading(engine) as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            hint = "Restore the last good backup with `template-sync db restore FILE`."
            raise DatabaseError(f"The database is damaged: {' '.join(str(found).split())}.", hint=hint)
    row = {"trigger": "doctor", "status": str(Status.RUNNING), "started_at": datetime.now(UTC), "holder": process_name()}
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE sync_state SET last_seq = last_seq")
        if sqlite:
            connection.exec_driver_sql("PRAGMA cache_size = 10")  # forces a write before the end of the transaction
        else:
            # A new table of an upgrade by another role is readable first.
            for name in sorted(metadata.tables.keys() - _NOT_OF_A_CATALOG):
                connection.exec_driver_sql(f"INSERT INTO {name} SELECT * FROM {name} WHERE 1 = 0")  # noqa: S608 - constants
        insert_run(connection, {**row, "error": "x" * _SPACE if sqlite else None})
        connection.rollback()
        if sqlite:
            connection.invalidate()  # discards the small cache
