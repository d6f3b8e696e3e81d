"""Create engines, and open transactions that behave the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy import event, exc

from sync.errors import ConfigurationError, DatabaseError
from sync.store import connecting
from sync.store.column_types import json_text, read_json
from sync.store.connecting import install_connect, refuse_replica, refused_options
from sync.store.database_errors import translate_errors
from sync.store.database_url import read_url
from sync.store.sqlite_wal import follow_file, require_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def open_engine(database_url: str | sa.URL, *, lock_timeout: float = connecting.BUSY_SECONDS) -> sa.Engine:
    """Create an engine, without connecting.

    Args:
        database_url: the URL of the settings.
        lock_timeout: maximum wait for a lock, in seconds.

    Raises:
        ConfigurationError: the URL or its driver cannot be used; the message never contains the password.
    """
    text = database_url if isinstance(database_url, str) else database_url.render_as_string(hide_password=False)
    url, hosts = read_url(text)
    backend = url.get_backend_name()
    try:
        arguments = driver_options(backend, lock_timeout, url.query)
        engine = sa.create_engine(url, hide_parameters=True, json_serializer=json_text, json_deserializer=read_json, **arguments)
    except ModuleNotFoundError as error:
        extra = {"postgresql": "postgres", "mysql": "mariadb"}.get(backend, backend)
        raise ConfigurationError(
            [f"DATABASE_URL: the driver {error.name} is not installed; pip install 'crun-template-sync[{extra}]'."]
        ) from None
    except (exc.ArgumentError, TypeError, ValueError) as error:
        raise refused_options(error, url.query) from None
    except OSError as error:  # a relative SQLite path needs the working directory
        raise DatabaseError(
            f"The working directory does not exist: {error.strerror}.", hint="Change to a directory that exists."
        ) from None
    engine.update_execution_options(hosts=tuple(map(str, hosts)))
    follow_file(engine)
    install_connect(engine, hosts)
    prepare_sessions(engine, lock_timeout)
    reconnect_after_fork(engine)
    return engine


_ENGINES: WeakSet[sa.Engine] = WeakSet()


def reconnect_after_fork(engine: sa.Engine) -> None:
    """Make each forked process open its own connections: processes that share one would read each other's responses."""
    _ENGINES.add(engine)


def _drop_pools() -> None:
    for engine in list(_ENGINES):
        engine.dispose(close=False)  # the connections still belong to the parent process


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_pools)


_FOR_WRITING: dict[str, dict[str, Any]] = {
    "sqlite": {"sqlite_begin": "BEGIN IMMEDIATE"},
    "postgresql": {"isolation_level": "READ COMMITTED"},
    "mysql": {"isolation_level": "REPEATABLE READ"},
}
"""The default of each server, in case an administrator changed it: a transaction that waited for the row of the lease must read
its new value, not fail. MariaDB's READ COMMITTED does not work with statement-based replication.
"""


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that writes; every error rolls it back.

    SQLite begins IMMEDIATE, because a deferred transaction fails at its first write if another process wrote meanwhile.
    MariaDB would keep the earlier statements after a lock timeout.

    Raises:
        DatabaseError: the database failed.
    """
    require_file(engine)
    with translate_errors(engine), engine.execution_options(**_FOR_WRITING[engine.dialect.name]).begin() as connection:
        refuse_replica(connection)
        yield connection


Source = sa.Engine | sa.Connection
"""The source of a reader: an engine, for a transaction of its own, or a connection with an open transaction."""


@contextmanager
def reading(source: Source) -> Iterator[sa.Connection]:
    """Open a transaction with one snapshot of the database, or continue in an open one.

    Raises:
        DatabaseError: the database failed.
        SchemaError: the SQLite file does not exist; reading must not create it.
    """
    if isinstance(source, sa.Connection):
        with translate_errors(source.engine):
            yield source
        return
    require_file(source)
    options = {} if source.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with translate_errors(source), source.execution_options(**options).begin() as connection:
        if source.dialect.name == "sqlite":
            raw: Any = connection.connection.dbapi_connection
            if not raw.in_transaction:  # in the engine of an app, a SELECT may begin no transaction
                connection.exec_driver_sql("BEGIN")
        yield connection


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
_NETWORK = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": connecting.IDLE_SECONDS * 1000,
}


def _postgresql(_lock_timeout: float) -> dict[str, Any]:
    # No prepared statements, because a transaction-pooling PgBouncer changes the connection between transactions.
    return {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": connecting.CONNECT_SECONDS,
            "prepare_threshold": None,
            "client_encoding": "utf8",
            **_NETWORK,
        },
    }


def _mysql(lock_timeout: float) -> dict[str, Any]:
    session = (
        "SET SESSION sql_mode='STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', "
        "sql_safe_updates=0, "  # otherwise an UPDATE without a key in its WHERE is refused
        f"innodb_lock_wait_timeout={math.ceil(lock_timeout)} "
        f"/*M!100300 , idle_transaction_timeout={connecting.IDLE_SECONDS} */"  # MySQL has none
    )
    # PyMySQL has no timeouts by default.
    limits = {
        "connect_timeout": connecting.CONNECT_SECONDS,
        "read_timeout": connecting.IDLE_SECONDS,
        "write_timeout": connecting.IDLE_SECONDS,
    }
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
        f"SET LOCAL statement_timeout='{connecting.IDLE_SECONDS}s'; SET LOCAL lock_timeout={math.ceil(lock_timeout * 1000)}; "
        f"SET LOCAL idle_in_transaction_session_timeout='{connecting.IDLE_SECONDS}s'; SET LOCAL timezone='UTC'; "
        "SET LOCAL datestyle='ISO'"  # the driver parses only ISO
    )
