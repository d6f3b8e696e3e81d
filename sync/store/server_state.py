"""What a database server says of itself, for `doctor`: what it is, who stands beside it, and what would hurt one day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.store import place
from sync.store.engine import reading
from sync.store.server_role import is_off, is_standby, shown, standby
from sync.store.tables import sync_runs

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class ServerState:
    """`seen` in a few words; `concerns` one sentence each, none where all is well."""

    seen: str
    concerns: tuple[str, ...]


SMALLEST_CLUSTER = 3


def server_state(engine: sa.Engine) -> ServerState | None:
    """Ask a server; None for SQLite, which is none.

    Raises:
        DatabaseError: it could not be asked; a node that lost its cluster refuses every question.
    """
    ask = {"postgresql": _postgresql, "mysql": _mariadb}.get(engine.dialect.name)
    if ask is None:
        return None
    with reading(engine) as connection:
        seen, concerns = ask(connection)
        return ServerState(", ".join(seen), (*concerns, *_moved(connection)))


def _moved(connection: sa.Connection) -> Iterator[str]:
    """Say if the newest run was written elsewhere: the next run will tell it once, and then it is forgotten."""
    runs = sync_runs.c
    noted = sa.select(runs.place).where(runs.place.is_not(None)).order_by(runs.run_id.desc()).limit(1)
    before, here = place.Place.read(connection.scalar(noted)), place.look(connection)
    if before and here and (why := here.since(before)):
        yield f"{why}: look whether that was meant; the feed's cursors tell what was lost"


def _postgresql(connection: sa.Connection) -> tuple[list[str], list[str]]:
    seen = [f"PostgreSQL {str(_ask(connection, 'SHOW server_version')).split()[0]}"]
    concerns = []
    if (behind := standby(connection)) is not None:
        seen.append("a standby" if behind.seconds is None else f"a standby, its newest transaction {behind.seconds:.0f} s old")
        concerns.append("a standby can be read only: runs need its primary, or all hosts, in DATABASE_URL")
    else:
        followers = int(_ask(connection, "SELECT count(*) FROM pg_stat_replication"))
        seen.append(f"a primary with {followers} standbys" if followers else "no standby")
        wanted = _ask(connection, "SHOW synchronous_standby_names")
        if wanted and not followers:
            concerns.append("synchronous_standby_names is set and no standby is there: every COMMIT waits until one comes")
        if followers and not wanted:
            concerns.append("its standbys are asynchronous: a fail-over can lose what was committed last; consumers need cursors")
    if is_off(_ask(connection, "SHOW synchronous_commit")):
        concerns.append("synchronous_commit is off: a crash loses what was committed last")
    driver: Any = connection.connection.driver_connection
    if driver.info.backend_pid != _ask(connection, "SELECT pg_backend_pid()"):
        seen.append("through a pooler")
    return seen, concerns


def _mariadb(connection: sa.Connection) -> tuple[list[str], list[str]]:
    version = str(_ask(connection, "SELECT version()"))
    seen = [f"{'MariaDB' if 'mariadb' in version.lower() else 'MySQL'} {version.partition('-')[0]}"]
    concerns = []
    told = shown(
        connection, "STATUS",
        "wsrep_cluster_size", "wsrep_cluster_status", "wsrep_local_state_comment", "Rpl_semi_sync_master_status",
    )  # fmt: skip
    names = ("wsrep_on", "wsrep_node_name", "innodb_flush_log_at_trx_commit", "rpl_semi_sync_master_enabled")
    variables = shown(connection, "VARIABLES", *names)
    clustered = not is_off(variables.get("wsrep_on", "OFF"))
    if clustered:
        size = int(told["wsrep_cluster_size"])
        state = f"{told['wsrep_cluster_status']}, {told['wsrep_local_state_comment']}"
        seen.append(f"node {variables['wsrep_node_name']} of a Galera cluster of {size} ({state})")
        if size < SMALLEST_CLUSTER:
            concerns.append(f"a cluster of {size} stops when one node dies: it takes three to go on with two")
    if is_standby(connection):
        seen.append("read only")
        concerns.append("it is read only, as a replica is: runs need its primary, or all hosts, in DATABASE_URL")
    if variables.get("innodb_flush_log_at_trx_commit") == "0":
        where = "when all nodes die at once" if clustered else "in a crash"
        concerns.append(f"innodb_flush_log_at_trx_commit is 0: what was committed last is lost {where}")
    if not is_off(variables.get("rpl_semi_sync_master_enabled", "OFF")) and is_off(told.get("Rpl_semi_sync_master_status")):
        concerns.append("semi-synchronous replication is switched on and not at work: it is asynchronous until a replica answers")
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "thread_id") and driver.thread_id() != _ask(connection, "SELECT connection_id()"):
        seen.append("through a proxy")
    return seen, concerns


def _ask(connection: sa.Connection, question: str) -> Any:
    return connection.exec_driver_sql(question).scalar()
