"""Run the Alembic migrations: one process at a time, in one transaction if the database supports transactional DDL.

Called by `sync.store.schema` with a connection, or by the `alembic` command in a checkout, with DATABASE_URL.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from sync.errors import DatabaseError
from sync.store.engine import open_engine
from sync.store.migrating import LOCK_SECONDS, lock_all, refuse_foreign_tables
from sync.store.schema import VERSION_TABLE, is_own_table, revision
from sync.store.server_hosts import limit_reads
from sync.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_LOCK_KEY = 7237_2606  # arbitrary, the same for all processes
_LOCK_NAME = "CONCAT(DATABASE(), '.template-sync')"


def migrate(connection: Connection) -> None:
    """Lock, then read the version, then migrate, so that only one of several concurrent processes migrates."""
    with {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[connection.dialect.name](connection):
        refuse_foreign_tables(connection)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table=VERSION_TABLE,
            include_name=is_own_table,
            render_as_batch=connection.dialect.name == "sqlite",
            transactional_ddl=connection.dialect.name != "mysql",
        )
        context.run_migrations()


@contextmanager
def _sqlite(connection: Connection) -> Iterator[None]:
    # Rebuilding a parent table drops it first: foreign keys would delete the rows of its children, and RENAME without its legacy
    # form would fail because of views. Pragmas have an effect outside transactions only.
    raw: Any = connection.connection.dbapi_connection
    busy = raw.execute("PRAGMA busy_timeout").fetchone()[0]  # restored, because runs use the same connection
    for pragma in (f"busy_timeout={LOCK_SECONDS * 1000}", "foreign_keys=OFF", "legacy_alter_table=ON"):
        raw.execute(f"PRAGMA {pragma}")
    try:
        with connection.begin():
            refuse_foreign_tables(connection)  # here too, because the mode of another program's file would stay changed
        _write_ahead(raw)
        with connection.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin():
            yield
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                raise DatabaseError(f"The migration would leave {len(broken)} rows without their parent; nothing was changed.")
    finally:
        for pragma in (f"busy_timeout={busy}", "foreign_keys=ON", "legacy_alter_table=OFF"):
            raw.execute(f"PRAGMA {pragma}")


def _write_ahead(raw: Any) -> None:
    """Switch to write-ahead logging. While another process does so, SQLite fails at once, for any busy timeout."""
    ends = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _postgresql(connection: Connection) -> Iterator[None]:
    _remove_client_limit(connection)
    with connection.begin():
        connection.exec_driver_sql(f"SET LOCAL lock_timeout='{LOCK_SECONDS}s'; SET LOCAL statement_timeout=0")
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        lock_all(connection, _tables_to_lock(connection))
        yield


def _tables_to_lock(connection: Connection) -> list[str]:
    """Return the LOCKS of the pending migrations: the tables and views that they alter, which are all locked first."""
    if (found := revision(connection)) is None:
        return []
    pending = context.script.iterate_revisions("head", found)
    return [name for each in pending for name in getattr(each.module, "LOCKS", ())]


@contextmanager
def _mysql(connection: Connection) -> Iterator[None]:
    _remove_client_limit(connection)
    # An open transaction of a reader blocks ALTER TABLE, by default for a day, and other readers wait behind it.
    _outside(connection, f"SET SESSION lock_wait_timeout={LOCK_SECONDS}")
    if _outside(connection, f"SELECT GET_LOCK({_LOCK_NAME}, {LOCK_SECONDS})") != 1:
        raise DatabaseError(f"Another process has been migrating this database for {LOCK_SECONDS} s.", hint="Wait for it.")
    try:
        with connection.begin():
            yield
    finally:
        # After the commit, so that the next process reads the new version. A broken connection has released the lock already.
        with suppress(sa.exc.SQLAlchemyError):
            _outside(connection, f"SELECT RELEASE_LOCK({_LOCK_NAME})")


def _remove_client_limit(connection: Connection) -> None:
    """Disable the client's limit, which would cancel a long wait or table rebuild while the server continues."""
    limit_reads(connection.connection.dbapi_connection, None)


def _outside(connection: Connection, statement: str) -> Any:
    """Run one statement in its own transaction; return its value, or None."""
    with connection.begin():
        result = connection.exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None


if context.is_offline_mode():
    raise CommandError("--sql is not supported, because migrations read the database. Use `template-sync db upgrade`.")

given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with open_engine(os.environ.get("DATABASE_URL") or "sqlite:///templates.db").connect() as opened:
        migrate(opened)
