"""Create engines, and open transactions that behave the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy import exc

from sync.errors import ConfigurationError, DatabaseError
from sync.store.column_types import json_text, read_json
from sync.store.connecting import install_connect, refuse_replica, refused_options
from sync.store.database_errors import translate_errors
from sync.store.database_url import read_url
from sync.store.sessions import BUSY_SECONDS, driver_options, prepare_sessions
from sync.store.sqlite_wal import follow_file, require_file

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_engine(database_url: str | sa.URL, *, lock_timeout: float = BUSY_SECONDS) -> sa.Engine:
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
