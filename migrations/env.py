"""How Alembic runs the migrations: one process at a time, one transaction where the database can.

Called by `sync.db.schema` with a connection, or by the `alembic` command in a checkout, which takes DATABASE_URL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context

from sync.db.engine import open_engine
from sync.db.schema import VERSION_TABLE, only_ours
from sync.db.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOCK_SECONDS = 120
_LOCK_KEY = 7237_2606  # any number, the same for every process that migrates


def migrate(connection: Connection) -> None:
    """Lock, then read the version, then migrate: four processes that upgrade at once must find one at work and three done."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        # Rebuilding a parent table drops it first; with foreign keys on, that would delete its children's rows.
        # Both pragmas only work outside a transaction.
        raw: Any = connection.connection.dbapi_connection
        for pragma in (f"busy_timeout={LOCK_SECONDS * 1000}", "journal_mode=WAL", "foreign_keys=OFF"):
            raw.execute(f"PRAGMA {pragma}")
        connection = connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with connection.begin():
        if dialect == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout='{LOCK_SECONDS}s'; SET LOCAL statement_timeout=0")
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        elif dialect != "sqlite":
            lock = sa.text("SELECT GET_LOCK(CONCAT(DATABASE(), '.template-sync'), :seconds)")
            if connection.scalar(lock, {"seconds": LOCK_SECONDS}) != 1:
                raise TimeoutError(f"Another process has been migrating this database for {LOCK_SECONDS} s.")
        try:
            context.configure(
                connection=connection,
                target_metadata=metadata,
                version_table=VERSION_TABLE,
                include_name=only_ours,
                render_as_batch=dialect == "sqlite",
                transactional_ddl=dialect in {"sqlite", "postgresql"},
            )
            context.run_migrations()
            if dialect == "sqlite" and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise RuntimeError(f"The migration would leave {len(broken)} rows without their parent.")
        finally:
            if dialect not in {"sqlite", "postgresql"}:
                connection.execute(sa.text("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.template-sync'))"))
    if dialect == "sqlite":
        raw.execute("PRAGMA foreign_keys=ON")


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with open_engine(os.environ.get("DATABASE_URL") or "sqlite:///templates.db").connect() as opened:
        migrate(opened)
