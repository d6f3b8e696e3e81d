"""Settings of each connection and transaction, so that SQLite, PostgreSQL and MariaDB behave the same, and their timeouts."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY_SECONDS = 30
"""Lock timeout; an apply of 280 templates holds its locks for milliseconds."""


IDLE_SECONDS = 60
"""Timeout of an idle transaction, so that a paused process does not hold locks."""


CONNECT_SECONDS = 10
"""Connect timeout of one host, before the next host is tried."""


ANSWER_MARGIN_SECONDS = 15
"""Additional wait for an answer after the server's own timeout, before the connection is closed."""


_FROM_THE_URL = {
    "timeout", "connect_timeout", "read_timeout", "write_timeout",
    "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
}  # fmt: skip
"""What a URL may set otherwise than this program does."""


def driver_options(backend: str, lock_timeout: float, query: Mapping[str, object]) -> dict[str, Any]:
    """Return the arguments of `create_engine`.

    Args:
        backend: `sqlite`, `postgresql` or `mysql`.
        lock_timeout: maximum wait for a lock, in seconds.
        query: the options of the URL.
    """
    options = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[backend](lock_timeout)
    arguments = options["connect_args"]
    return {**options, "connect_args": {name: arguments[name] for name in arguments.keys() - (_FROM_THE_URL & query.keys())}}


def prepare_sessions(engine: sa.Engine, lock_timeout: float) -> None:
    """Set, for each new connection or transaction, what the options of the driver cannot set."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "begin", partial(_on_postgresql_begin, lock_timeout=lock_timeout))


def _sqlite(lock_timeout: float) -> dict[str, Any]:
    return {"connect_args": {"timeout": lock_timeout}}


# TCP keepalive, because the timeouts of the server do not help when packets are lost.
_NETWORK = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": IDLE_SECONDS * 1000}


def _postgresql(_lock_timeout: float) -> dict[str, Any]:
    # No prepared statements, because a transaction-pooling PgBouncer changes the connection between transactions.
    return {
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": CONNECT_SECONDS, "prepare_threshold": None, "client_encoding": "utf8", **_NETWORK},
    }


def _mysql(lock_timeout: float) -> dict[str, Any]:
    session = (
        "SET SESSION sql_mode='STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', "
        "sql_safe_updates=0, "  # otherwise an UPDATE without a key in its WHERE is refused
        f"innodb_lock_wait_timeout={math.ceil(lock_timeout)} "
        f"/*M!100300 , idle_transaction_timeout={IDLE_SECONDS} */"  # MySQL has none
    )
    # PyMySQL has no timeouts by default.
    limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": IDLE_SECONDS, "write_timeout": IDLE_SECONDS}
    return {"pool_pre_ping": True, "connect_args": {**limits, "charset": "utf8mb4", "init_command": session}}


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred and excludes DDL; `_on_sqlite_begin` begins every transaction instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")  # NORMAL could lose the last commits in a power failure
    cursor.close()


def _on_sqlite_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _on_postgresql_begin(connection: sa.Connection, lock_timeout: float) -> None:
    # SET LOCAL, because a pooler refuses connection options or applies them to other transactions.
    connection.exec_driver_sql(
        f"SET LOCAL statement_timeout='{IDLE_SECONDS}s'; SET LOCAL lock_timeout={math.ceil(lock_timeout * 1000)}; "
        f"SET LOCAL idle_in_transaction_session_timeout='{IDLE_SECONDS}s'; SET LOCAL timezone='UTC'; "
        "SET LOCAL datestyle='ISO'"  # the driver parses only ISO
    )
