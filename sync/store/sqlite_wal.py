"""The file behind a SQLite engine: whether it is there, and the mode that it is in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.errors import DatabaseError, SchemaError

if TYPE_CHECKING:
    import sqlalchemy as sa


def sqlite_file(engine: sa.Engine) -> Path | None:
    """Name the file behind a SQLite engine; None for a server."""
    return Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None


def exists(file: Path) -> bool:
    """Tell whether a SQLite file is there.

    Raises:
        DatabaseError: no file can have this name.
    """
    try:
        return file.exists()
    except (OSError, ValueError):
        raise DatabaseError("DATABASE_URL contains an invalid file name.", hint="Check DATABASE_URL.") from None


def require_file(engine: sa.Engine) -> None:
    """Refuse a SQLite file that is not there. What an app's own engine names by URI, or holds in memory, SQLite itself looks for.

    Raises:
        SchemaError: with the command that makes it.
    """
    file = sqlite_file(engine)
    if file is not None and not str(file).startswith(("file:", ":memory:")) and not exists(file):
        raise SchemaError(f"There is no database at {file} yet.", hint="`template-sync run` creates it; or set DATABASE_URL.")


def enable_wal(engine: sa.Engine) -> None:
    """Put a SQLite file back into write-ahead mode, if a copy (`VACUUM INTO`) left it: else a reader holds up every run.

    While somebody reads, SQLite refuses the change; then the next run makes it.
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
