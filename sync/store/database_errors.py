"""The database's errors in plain words, and sorted by what helps: another try, another host, or a person.

The drivers' own errors are caught as well: SQLAlchemy sends some statements, as the one that sets the isolation, past its own
translation.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from sync.errors import DatabaseAway, DatabaseConflict, DatabaseError, SchemaError
from sync.store.sqlite_wal import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa


_CONFLICTS: set[str | int | None] = {
    "40001", "40P01", "55P03",  # PostgreSQL: not serialisable, a deadlock, a lock that was waited for in vain
    1020, 1205, 1213,  # MariaDB: changed since it was read; as 55P03; a deadlock, or another node's transaction won
}  # fmt: skip
"""The transaction was rolled back, or will be, and did nothing: all of it may be tried again."""


_AWAY = {
    "25006", "57P01", "57P02", "57P03",  # PostgreSQL: read only; it stops, crashed, starts
    "25P03", "57P05", "08P01",  # it ended a session that was silent for too long; a pooler's own
    0, 1047, 1053, 1180, 1290, 1836, 1927, 2002, 2003, 2006, 2013, 2055,  # MariaDB: no quorum, it stops, read only, it is gone
}  # fmt: skip
"""It may be another host's turn, or this one's in a minute."""


NAME_THE_PRIMARY = "The server is a standby or read-only: set DATABASE_URL to its primary, or to all hosts (host1,host2)."
_BY_CODE: dict[str | int | None, str] = {
    **dict.fromkeys(_CONFLICTS, "A transaction of another program or node conflicted or holds a lock; the next run retries."),
    **dict.fromkeys(("25006", 1290, 1836), NAME_THE_PRIMARY),
    **dict.fromkeys(("42501", 1142, 1143, 1370), "Grant this user the rights that docs/database.md lists."),
    1047: "This node has lost quorum: retry, list all nodes in DATABASE_URL, or repair the cluster.",
}
_HINTS_BY_TEXT = {
    ("session is read-only",): NAME_THE_PRIMARY,
    ("readonly", "unable to open"): "Check the write permissions of this user, and that the directory exists.",
    ("full", "disk i/o error"): "Free disk space, or check the disk; nothing was lost, and the next run continues.",
    ("lock",): "Another program has locked the database; retry when it has finished.",
}


@contextmanager
def translate_errors(engine: sa.Engine) -> Iterator[None]:
    """Translate the database's errors into one sentence.

    Where the server is away, all pooled connections are dropped: one to a server that was demoted would answer every ping, for
    ever, and refuse every run.

    Raises:
        DatabaseAway: the server cannot be reached, or cannot be written for now.
        DatabaseConflict: another transaction won.
        DatabaseError: for every other error of SQLAlchemy's or the driver's.
        SchemaError: one of the two rows that are always there is not.
    """
    try:
        yield
    except exc.NoResultFound as error:
        raise SchemaError(
            "A required row is missing from sync_lease or sync_state.",
            hint="Restore a backup, or insert the row as described in docs/database.md.",
        ) from error
    except json.JSONDecodeError as error:
        raise DatabaseError(
            "The database contains invalid JSON, possibly in template_versions.", hint="Restore a backup; nothing was applied."
        ) from error
    except (exc.SQLAlchemyError, _driver_errors(engine)) as error:
        original: Any = getattr(error, "orig", None) or error
        lines = str(original.args[-1] if original.args else original).strip().splitlines()
        reason = lines[0] if lines else type(original).__name__
        kind = classify(error)
        if kind is DatabaseAway and "hosts" in engine.get_execution_options():  # not an app's own engine
            engine.dispose()
        raise kind(
            f"Database error ({database_name(engine)}): {reason}.".replace("..", "."), hint=_hint(engine, original)
        ) from error


def classify(error: BaseException) -> type[DatabaseError]:
    """Choose the class of an error of SQLAlchemy's or of a driver's."""
    original: Any = getattr(error, "orig", None) or error
    code = code_of(original)
    if code in _CONFLICTS:
        return DatabaseConflict
    # psycopg gives no code where a connection breaks or cannot be made.
    nameless = code is None and type(original).__module__.startswith("psycopg") and type(original).__name__ == "OperationalError"
    return DatabaseAway if code in _AWAY or nameless else DatabaseError


def code_of(original: Any) -> str | int | None:
    """Read a driver's code: PostgreSQL's SQLSTATE, or MariaDB's number."""
    if type(original).__module__.startswith("pymysql"):  # its SQLSTATE says too little
        return original.args[0] if original.args and isinstance(original.args[0], int) else None
    found: str | None = getattr(original, "sqlstate", None)
    return found


def database_name(engine: sa.Engine) -> str:
    """Name a database for people: its file, or its hosts."""
    hosts = engine.get_execution_options().get("hosts") or (engine.url.host or "local socket",)
    return str(sqlite_file(engine) or f"{','.join(hosts)}/{engine.url.database}")


def _driver_errors(engine: sa.Engine) -> type[Exception]:
    found: type[Exception] = engine.dialect.loaded_dbapi.Error
    return found


def _no_file_descriptor_is_free() -> bool:
    """Tell whether this process can open no more files: SQLite does not say why it could not."""
    try:
        os.close(os.dup(2))
    except OSError as error:
        return error.errno == errno.EMFILE
    return False


def _hint(engine: sa.Engine, original: Any) -> str:
    text, code = str(original).lower(), code_of(original)
    if "too many open files" in text or _no_file_descriptor_is_free():
        return "This process has reached its limit of open files: raise it (`ulimit -n`, LimitNOFILE=) or stop other programs."
    if code in _BY_CODE:
        return _BY_CODE[code]
    if engine.url.query.get("mode") == "ro" and "readonly" in text:
        return "DATABASE_URL says mode=ro: leave it out where the database is to be written."
    for words, hint in _HINTS_BY_TEXT.items():
        if any(word in text for word in words):
            return hint
    if engine.dialect.name == "sqlite":
        return "Check DATABASE_URL and the file."
    return "Check DATABASE_URL and that the server runs; `template-sync doctor` tests each step."
