"""A DATABASE_URL -> an engine that behaves the same on SQLite, PostgreSQL and MariaDB, and errors in plain words."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from sync.errors import ConfigurationError, DatabaseError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator


_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "sqlite": "sqlite",
}


BUSY_SECONDS = 30
"""How long to wait for a lock that another connection holds. An apply of 280 templates holds it for milliseconds."""


IDLE_SECONDS = 60
"""How long a transaction may sit idle before the server ends it: a paused process must not hold locks for ever."""


def open_engine(database_url: str, *, patience: float = BUSY_SECONDS) -> sa.Engine:
    """Build the engine. Nothing is connected yet.

    Args:
        database_url: as the settings have it.
        patience: seconds to wait for a lock that another connection holds.

    Raises:
        ConfigurationError: the URL or its driver cannot be used. Its password is never repeated.
    """
    url = _url(database_url)
    backend = url.get_backend_name()
    arguments: dict[str, Any] = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[backend](patience)
    try:
        engine = sa.create_engine(url, hide_parameters=True, json_serializer=_json, **arguments)
        event.listen(engine, "do_connect", _connect)
    except ModuleNotFoundError as error:
        extra = {"postgresql": "postgres", "mysql": "mariadb"}.get(backend, backend)
        raise ConfigurationError(
            [f"DATABASE_URL: the driver {error.name} is not installed; pip install 'crun-template-sync[{extra}]'."]
        ) from None
    except exc.SQLAlchemyError:
        raise ConfigurationError(["DATABASE_URL: this driver cannot be used."]) from None
    except (TypeError, ValueError):
        raise ConfigurationError(["DATABASE_URL: its driver does not take the options behind the ?."]) from None
    except OSError as error:  # SQLite's file is named from the working directory
        raise DatabaseError(f"The working directory is gone: {error.strerror}.", hint="Change to one that exists.") from None
    if backend == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    elif backend == "postgresql":
        event.listen(engine, "begin", partial(_on_postgresql_begin, patience=patience))
    return engine


def _url(database_url: str) -> sa.URL:
    try:
        url = sa.make_url(database_url)
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(["DATABASE_URL: not a database URL; an example is postgresql://user@host/name."]) from None
    if url.host and "@" in url.host:
        raise ConfigurationError(["DATABASE_URL: the password holds an @; write it as %40."])
    if url.drivername in _DRIVERS:
        url = url.set(drivername=_DRIVERS[url.drivername])
    if url.get_backend_name() == "mariadb":
        url = url.set(drivername=url.drivername.replace("mariadb", "mysql", 1))
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            ["DATABASE_URL: a SQLite database in memory would be gone at exit; name a file, sqlite:///templates.db."]
        )
    if url.get_backend_name() != "sqlite" and not url.database:
        raise ConfigurationError(["DATABASE_URL: it names a server but no database."])
    return url


def _connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    """Connect. What a driver says of options, hosts or file names that it does not take is a slip in the settings."""
    try:
        return dialect.connect(*arguments, **options)
    except (TypeError, ValueError) as error:  # never its message: it may quote the password
        raise ConfigurationError(
            [f"DATABASE_URL: its driver does not take this host, name or option ({type(error).__name__})."]
        ) from None
    except dialect.dbapi.ProgrammingError as error:
        if "connection option" not in str(error):  # psycopg's words for an option that it does not know
            raise
        raise ConfigurationError(["DATABASE_URL: its driver knows no such option behind the ?."]) from None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # as text, it can be read and searched in SQL, too


def _sqlite(patience: float) -> dict[str, Any]:
    return {"connect_args": {"timeout": patience}}


# A network that swallows everything would be waited on for ever: the time-outs of the server cannot reach us then.
_NETWORK = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": IDLE_SECONDS * 1000}


def _postgresql(_patience: float) -> dict[str, Any]:
    # prepare_threshold=None: a transaction-pooling PgBouncer hands each transaction another connection.
    return {
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": 10, "prepare_threshold": None, "client_encoding": "utf8", **_NETWORK},
    }


def _mysql(patience: float) -> dict[str, Any]:
    session = (
        "SET SESSION sql_mode='STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', "
        "sql_safe_updates=0, "  # else an UPDATE without a key in its WHERE is refused
        f"innodb_lock_wait_timeout={math.ceil(patience)} "
        f"/*M!100300 , idle_transaction_timeout={IDLE_SECONDS} */"  # MySQL has none
    )
    # PyMySQL waits for ever by default.
    limits = {"connect_timeout": 10, "read_timeout": IDLE_SECONDS, "write_timeout": IDLE_SECONDS}
    return {"pool_pre_ping": True, "connect_args": {**limits, "charset": "utf8mb4", "init_command": session}}


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred and leaves DDL outside; with it off, `_on_sqlite_begin` begins every transaction.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")  # NORMAL could lose the last commits when the power fails
    cursor.close()


def _on_sqlite_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _on_postgresql_begin(connection: sa.Connection, patience: float) -> None:
    # SET LOCAL, not connection options: a pooler refuses those or hands them to somebody else's transaction.
    connection.exec_driver_sql(
        f"SET LOCAL statement_timeout='{IDLE_SECONDS}s'; SET LOCAL lock_timeout={math.ceil(patience * 1000)}; "
        f"SET LOCAL idle_in_transaction_session_timeout='{IDLE_SECONDS}s'; SET LOCAL timezone='UTC'; "
        "SET LOCAL datestyle='ISO'"  # in another one the driver cannot read times
    )


_FOR_WRITING: dict[str, dict[str, Any]] = {
    "sqlite": {"sqlite_begin": "BEGIN IMMEDIATE"},
    "postgresql": {"isolation_level": "READ COMMITTED"},
    "mysql": {"isolation_level": "REPEATABLE READ"},
}
"""Each server's own default, in case an administrator chose another one: a rival that waits for the lease's row must then see who
took it, and not be refused for having waited. MariaDB's READ COMMITTED cannot be written to a binary log of statements."""


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that writes.

    On SQLite it begins IMMEDIATE: one that began by reading would be refused at its first write, at once and whatever the
    busy time-out, if another process wrote meanwhile. Any error rolls all of it back: after a lock time-out MariaDB would
    otherwise keep the earlier statements.

    Raises:
        DatabaseError: in plain words.
    """
    require_file(engine)
    with plain_errors(engine), engine.execution_options(**_FOR_WRITING[engine.dialect.name]).begin() as connection:
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction in which all statements see the database at one moment.

    Raises:
        DatabaseError: in plain words.
        SchemaError: a SQLite file that does not exist; reading must not create it.
    """
    require_file(engine)
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with plain_errors(engine), engine.execution_options(**options).begin() as connection:
        yield connection


def keep_write_ahead(engine: sa.Engine) -> None:
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


def require_writable(engine: sa.Engine) -> None:
    """Refuse a database that can be read but not written: a file without the right, a standby; nothing is written.

    Raises:
        DatabaseError: saying so.
    """
    with plain_errors(engine), engine.execution_options(**_FOR_WRITING[engine.dialect.name]).connect() as connection:
        # SQLite takes BEGIN IMMEDIATE without a word where it cannot write.
        connection.exec_driver_sql("UPDATE sync_state SET last_seq = last_seq")
        connection.rollback()
        if engine.dialect.name == "mysql" and connection.exec_driver_sql("SELECT @@global.read_only").scalar():
            raise DatabaseError("The database is a replica that must only be read.", hint="Name its primary in DATABASE_URL.")


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
        raise DatabaseError("No file can have the name that DATABASE_URL gives.", hint="Check DATABASE_URL.") from None


def require_file(engine: sa.Engine) -> None:
    """Refuse a SQLite file that is not there.

    Raises:
        SchemaError: with the command that makes it.
    """
    file = sqlite_file(engine)
    if file is not None and not exists(file):
        raise SchemaError(f"There is no database at {file} yet.", hint="`template-sync run` makes it; or set DATABASE_URL.")


@contextmanager
def plain_errors(engine: sa.Engine) -> Iterator[None]:
    """Translate the database's errors into one sentence.

    Raises:
        DatabaseError: for every SQLAlchemy error of the block.
        SchemaError: one of the two rows that are always there is not.
    """
    try:
        yield
    except exc.NoResultFound as error:
        raise SchemaError(
            "The database has lost a row that its migration made, in sync_lease or sync_state.",
            hint="Restore a backup, or put the row back as docs/databases.md says.",
        ) from error
    except json.JSONDecodeError as error:
        raise DatabaseError(
            "The database holds JSON that is none, in template_versions perhaps.", hint="Restore a backup; nothing was applied."
        ) from error
    except exc.SQLAlchemyError as error:
        original = getattr(error, "orig", None) or error
        lines = str(original.args[-1] if original.args else original).strip().splitlines()
        reason = lines[0] if lines else type(original).__name__
        where = str(sqlite_file(engine) or f"{engine.url.host or 'local socket'}/{engine.url.database}")
        raise DatabaseError(f"The database ({where}) said: {reason}.".replace("..", "."), hint=_hint(engine, reason)) from error


def _hint(engine: sa.Engine, reason: str) -> str:
    text = reason.lower()
    if "readonly" in text or "unable to open" in text or "permission denied" in text:
        return "Check that this user may write there, and that the folder exists."
    if "full" in text:
        return "Free some space on the disk; nothing was lost, the next run goes on."
    if "locked" in text or "lock" in text:
        return "Another program holds the database; try again when it is done."
    if engine.dialect.name == "sqlite":
        return "Check DATABASE_URL and the file."
    return "Check DATABASE_URL and that the server runs; `template-sync doctor` tests each step."
