"""How Alembic runs the migrations: one process at a time, one transaction where the database can.

Called by `sync.store.schema` with a connection, or by the `alembic` command in a checkout, which takes DATABASE_URL.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context

from sync.errors import DatabaseError
from sync.store.engine import open_engine
from sync.store.migrating import LOCK_SECONDS, lock_all
from sync.store.schema import VERSION_TABLE, is_own_table, refuse_foreign_tables, revision
from sync.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_LOCK_KEY = 7237_2606  # any number, the same for every process that migrates
_LOCK_NAME = "CONCAT(DATABASE(), '.template-sync')"


def migrate(connection: Connection) -> None:
    """Lock, then read the version, then migrate: four processes that upgrade at once must find one at work and three done."""
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
    # Rebuilding a parent table drops it first: with foreign keys on, that would delete its children's rows, and without
    # the legacy form of RENAME it would stumble over the views, an app's own included. Pragmas work outside a transaction.
    raw: Any = connection.connection.dbapi_connection
    for pragma in (f"busy_timeout={LOCK_SECONDS * 1000}", "foreign_keys=OFF", "legacy_alter_table=ON"):
        raw.execute(f"PRAGMA {pragma}")
    _write_ahead(raw)
    try:
        with connection.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin():
            yield
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                raise DatabaseError(f"The migration would leave {len(broken)} rows without their parent; nothing was changed.")
    finally:
        for pragma in ("foreign_keys=ON", "legacy_alter_table=OFF"):
            raw.execute(f"PRAGMA {pragma}")


def _write_ahead(raw: Any) -> None:
    """Switch to write-ahead mode. While another process does that, SQLite refuses at once, whatever the busy time-out."""
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
    _wait_for_every_answer(connection)
    with connection.begin():
        connection.exec_driver_sql(f"SET LOCAL lock_timeout='{LOCK_SECONDS}s'; SET LOCAL statement_timeout=0")
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        lock_all(connection, _altered_by_what_is_pending(connection))
        yield


def _altered_by_what_is_pending(connection: Connection) -> list[str]:
    """Name the tables and views that the pending migrations alter, as they say themselves: all are locked before the first is."""
    if (found := revision(connection)) is None:
        return []
    pending = context.script.iterate_revisions("head", found)
    return [name for each in pending for name in getattr(each.module, "LOCKS", ())]


@contextmanager
def _mysql(connection: Connection) -> Iterator[None]:
    _wait_for_every_answer(connection)
    # A reader's open transaction keeps tables from being altered, by default for a day, and other readers queue up behind.
    _outside(connection, f"SET SESSION lock_wait_timeout={LOCK_SECONDS}")
    if _outside(connection, f"SELECT GET_LOCK({_LOCK_NAME}, {LOCK_SECONDS})") != 1:
        raise DatabaseError(f"Another process has been migrating this database for {LOCK_SECONDS} s.", hint="Wait for it.")
    try:
        with connection.begin():
            yield
    finally:
        # Not before the commit: the next one in line must find the new version. A connection that broke has let go of it.
        with suppress(sa.exc.SQLAlchemyError):
            _outside(connection, f"SELECT RELEASE_LOCK({_LOCK_NAME})")


def _wait_for_every_answer(connection: Connection) -> None:
    """Lift the client's limit: it would give up the wait for the lock or the rebuilding of a table, and the server go on."""
    raw: Any = connection.connection.dbapi_connection
    raw.limit = None


def _outside(connection: Connection, statement: str) -> Any:
    """Run one statement in a transaction of its own; give its value, if it has one."""
    with connection.begin():
        result = connection.exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with open_engine(os.environ.get("DATABASE_URL") or "sqlite:///templates.db").connect() as opened:
        migrate(opened)
