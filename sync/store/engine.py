"""Create engines, and open transactions that behave the same on every database."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

import sqlalchemy as sa
from sqlalchemy import event, exc

from sync.catalog.json_values import encode_json
from sync.errors import DatabaseAway, DatabaseError, MissingExtra
from sync.store import server_hosts
from sync.store.column_types import read_json
from sync.store.database_errors import NAME_THE_PRIMARY, classify, translate_errors
from sync.store.database_url import read_url, refused_options
from sync.store.server_hosts import connect, is_standby
from sync.store.sqlite_file import follow_file, require_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection


def open_engine(database_url: str | sa.URL, *, lock_timeout: float = server_hosts.BUSY_SECONDS) -> sa.Engine:
    """Create an engine, without connecting.

    `lock_timeout` is the maximum wait for a lock, in seconds.

    Raises:
        ConfigurationError: the URL or its driver cannot be used; the message never contains the password.
    """
    text = database_url if isinstance(database_url, str) else database_url.render_as_string(hide_password=False)
    url, hosts = read_url(text)
    backend = url.get_backend_name()
    try:
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            json_serializer=encode_json,
            json_deserializer=read_json,
            connect_args=_driver_options(backend, lock_timeout, url.query),
            pool_pre_ping=backend != "sqlite",
        )
    except ModuleNotFoundError as error:
        extra = {"postgresql": "postgres", "mysql": "mariadb"}.get(backend, backend)
        raise MissingExtra("DATABASE_URL", f"the driver {error.name}", extra) from None
    except (exc.ArgumentError, TypeError, ValueError) as error:
        raise refused_options(error, url.query) from None
    except OSError as error:  # a relative SQLite path needs the working directory
        raise DatabaseError(
            f"The working directory does not exist: {error.strerror}.", hint="Change to a directory that exists."
        ) from None
    engine.update_execution_options(hosts=tuple(map(str, hosts)))
    follow_file(engine)
    event.listen(engine, "do_connect", partial(connect, hosts=hosts, query=url.query))
    event.listen(engine, "handle_error", _discard_if_away)
    if backend == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    elif backend == "postgresql":
        event.listen(engine, "begin", partial(_on_postgresql_begin, lock_timeout=lock_timeout))
    reconnect_after_fork(engine)
    return engine


def _driver_options(backend: str, lock_timeout: float, query: Mapping[str, object]) -> dict[str, str | float | None]:
    """Return the arguments of the driver; a URL may set the timeouts otherwise."""
    idle = server_hosts.IDLE_SECONDS
    timeouts: dict[str, float] = {"connect_timeout": server_hosts.CONNECT_SECONDS}
    others: dict[str, str | None] = {}
    if backend == "sqlite":
        timeouts = {"timeout": lock_timeout}
    elif backend == "postgresql":
        # TCP keepalive, because the timeouts of the server do not help when packets are lost. No prepared statements, because a
        # transaction-pooling PgBouncer changes the connection between transactions.
        timeouts |= {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": idle * 1000}
        others = {"prepare_threshold": None, "client_encoding": "utf8"}
    else:
        timeouts |= {"read_timeout": idle, "write_timeout": idle}  # PyMySQL has none by default
        session = (
            "SET SESSION sql_mode='STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', "
            "sql_safe_updates=0, "  # otherwise an UPDATE without a key in its WHERE is refused
            f"innodb_lock_wait_timeout={math.ceil(lock_timeout)} /*M!100300 , idle_transaction_timeout={idle} */"  # not of MySQL
        )
        others = {"charset": "utf8mb4", "init_command": session}
    return others | {name: seconds for name, seconds in timeouts.items() if name not in query}


def _discard_if_away(context: ExceptionContext) -> None:
    """Discard a connection whose server is unreachable; SQLAlchemy would try a rollback that the server refuses."""
    if classify(context.original_exception) is DatabaseAway:
        context.is_disconnect = True


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred and excludes DDL; `_on_sqlite_begin` begins every transaction instead.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")  # NORMAL could lose the last commits in a power failure


def _on_sqlite_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _on_postgresql_begin(connection: sa.Connection, lock_timeout: float) -> None:
    idle = server_hosts.IDLE_SECONDS
    # SET LOCAL, because a pooler refuses connection options or applies them to other transactions.
    connection.exec_driver_sql(
        f"SET LOCAL statement_timeout='{idle}s'; SET LOCAL lock_timeout={math.ceil(lock_timeout * 1000)}; "
        f"SET LOCAL idle_in_transaction_session_timeout='{idle}s'; SET LOCAL timezone='UTC'; "
        "SET LOCAL datestyle='ISO'"  # the driver parses only ISO
    )


_ENGINES: WeakSet[sa.Engine] = WeakSet()


def reconnect_after_fork(engine: sa.Engine) -> None:
    """Make each forked process open its own connections: processes that share one would read each other's responses."""
    _ENGINES.add(engine)
    event.listen(engine, "checkout", _keep_record)


def _keep_record(_connection: Any, record: ConnectionPoolEntry, _pooled: PoolProxiedConnection) -> None:
    record.info["record"] = ref(record)  # for `_forget`


def _drop_pools() -> None:
    for engine in list(_ENGINES):
        engine.dispose(close=False)  # the connections still belong to the parent process


os.register_at_fork(after_in_child=_drop_pools)


_FOR_WRITING: dict[str, dict[str, Any]] = {
    "sqlite": {"sqlite_begin": "BEGIN IMMEDIATE"},  # a deferred one fails at its first write if another process wrote meanwhile
    "postgresql": {"isolation_level": "READ COMMITTED"},
    "mysql": {"isolation_level": "REPEATABLE READ"},
}
"""The defaults of the servers, in case an administrator changed them: a transaction that waited for the row of the lease must
read its new value, not fail. MariaDB's READ COMMITTED does not work with statement-based replication.
"""


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that writes; every error rolls it back, as MariaDB would keep the earlier ones after a lock timeout.

    Raises:
        DatabaseError: the database failed.
    """
    require_file(engine)
    with translate_errors(engine), engine.execution_options(**_FOR_WRITING[engine.dialect.name]).begin() as connection:
        if engine.dialect.name == "mysql" and is_standby(connection):
            # A user with ALL privileges could write, and would break the replication.
            raise DatabaseAway("The database is a read-only replica (read_only is on).", hint=NAME_THE_PRIMARY)
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
    process = os.getpid()
    with translate_errors(source), source.execution_options(**options).begin() as connection:
        if source.dialect.name == "sqlite":
            raw: Any = connection.connection.dbapi_connection
            if not raw.in_transaction:  # in the engine of an app, a SELECT may begin no transaction
                connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            if os.getpid() != process:
                _forget(connection)


def _forget(connection: sa.Connection) -> None:
    """Drop a connection of the parent of this forked process, silently: a COMMIT would end the transaction of the parent."""
    transaction = connection.get_transaction()
    if transaction is not None and not connection.invalidated:
        pooled: Any = connection.connection
        connection.info["record"]().dbapi_connection = pooled.dbapi_connection = None  # so that nothing is sent to close it
        connection.invalidate()
        transaction.rollback()
