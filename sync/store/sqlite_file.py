"""The file of a SQLite database: whether it exists or was replaced, its permissions, and WAL mode."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, exc

from sync.errors import SchemaError
from sync.store.database_url import missing_file, sqlite_file

if TYPE_CHECKING:
    import sqlalchemy as sa

    Identity = tuple[int, int] | None


def identity(file: Path) -> Identity:
    """Return the device and inode of a file; None if it does not exist."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def follow_file(engine: sa.Engine) -> None:
    """Reopen the file if it was replaced since the pooled connection was opened.

    SQLite continues in a deleted file while a connection is open, so its commits would be lost.
    """
    if (named := sqlite_file(engine)) is None:
        return
    opened = "sync_file"
    file = Path(os.path.abspath(named))  # noqa: PTH100 - like SQLAlchemy: keeps links, and the working directory may change

    def before(_dialect: Any, record: Any, _arguments: Any, _options: Any) -> None:
        record.info[opened] = identity(file)  # read before the file is opened, so that a replacement meanwhile is detected

    def compare(_raw: Any, record: Any, _proxy: Any) -> None:
        found = identity(file)
        if record.info[opened] is None:  # opening it created it
            record.info[opened] = found
        elif found is None:
            raise _missing(file)
        elif record.info[opened] != found:
            raise exc.InvalidatePoolError("the file was replaced")  # makes the pool reopen it

    event.listen(engine, "do_connect", before)
    event.listen(engine, "checkout", compare)


def is_in_memory(connection: sa.Connection) -> bool:
    """Return whether a connection is to an in-memory SQLite database, which no other connection can reach."""
    if connection.dialect.name != "sqlite":
        return False
    return not next(row.file for row in connection.exec_driver_sql("PRAGMA database_list") if row.name == "main")


def require_file(engine: sa.Engine) -> None:
    """Refuse a SQLite file that does not exist, with a SchemaError that names the command that creates it."""
    if (file := missing_file(engine)) is not None:
        raise _missing(file)


def create_file(engine: sa.Engine) -> None:
    """Create a SQLite file that does not exist, with the permissions that the umask leaves; SQLite itself lets no group write.

    The side files (-wal, -shm) get the permissions of the file, and any program that opens it may have to create them.
    """
    file = sqlite_file(engine)
    if file is not None and str(file) != ":memory:" and "mode" not in engine.url.query:
        with suppress(OSError, ValueError):  # SQLite reports the reason
            file.touch(0o664, exist_ok=False)


def _missing(file: Path) -> SchemaError:
    return SchemaError(f"There is no database at {file} yet.", hint="`template-sync run` creates it; or set DATABASE_URL.")


def enable_wal(engine: sa.Engine) -> None:
    """Switch a SQLite file to WAL mode, which `VACUUM INTO` does not copy; without it readers block runs.

    SQLite refuses the switch while a reader is active; the next run tries again.
    """
    if engine.dialect.name == "sqlite":
        import sqlite3

        with engine.connect() as connection, suppress(sqlite3.OperationalError):
            raw: Any = connection.connection.dbapi_connection
            before = raw.execute("PRAGMA busy_timeout").fetchone()[0]
            raw.execute(f"PRAGMA busy_timeout={min(before, 1000)}")
            try:
                raw.execute("PRAGMA journal_mode=WAL")
            finally:
                raw.execute(f"PRAGMA busy_timeout={before}")
