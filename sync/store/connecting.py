"""Connect to the first host that accepts writes, with a timeout for each read; detect standbys and replicas.

If no host accepts writes, the first one that answers is used, so that readers work during a failover.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from sync.errors import ConfigurationError, DatabaseAway
from sync.store.database_errors import NAME_THE_PRIMARY, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    import sqlalchemy as sa
    from sqlalchemy.engine import ExceptionContext

    from sync.store.database_url import Host


BUSY_SECONDS = 30
"""Lock timeout; an apply of 280 templates holds its locks for milliseconds."""


CONNECT_SECONDS = 10
"""Connect timeout of one host, before the next host is tried."""


IDLE_SECONDS = 60
"""Timeout of an idle transaction, so that a paused process does not hold locks."""


ANSWER_MARGIN_SECONDS = 15
"""Additional wait for an answer after the server's own timeout, before the connection is closed."""


def refuse_replica(connection: sa.Connection) -> None:
    """Refuse to write to a MariaDB replica: a user with ALL privileges could, and would break its replication.

    Raises:
        DatabaseAway: the server is read-only.
    """
    if connection.dialect.name == "mysql" and is_standby(connection):
        raise DatabaseAway("The database is a read-only replica (read_only is on).", hint=NAME_THE_PRIMARY)


def is_standby(connection: sa.Connection) -> bool:
    """Return whether the server is a PostgreSQL standby, or a MariaDB server with read_only on."""
    asked = {"postgresql": "SELECT pg_is_in_recovery()", "mysql": "SELECT @@global.read_only"}.get(connection.dialect.name)
    return asked is not None and not is_off(connection.exec_driver_sql(asked).scalar())


@dataclass(frozen=True, slots=True)
class Standby:
    """A server that replicates another one.

    Attributes:
        seconds: age of the newest replayed transaction, which is an upper bound of the replication lag; it grows while the
            primary is idle. None if the server does not report it.
    """

    seconds: float | None


def standby(connection: sa.Connection) -> Standby | None:
    """Return the replication lag of a standby; None for a primary. MariaDB reports the lag to administrators only."""
    if not is_standby(connection):
        return None
    if connection.dialect.name != "postgresql":
        return Standby(None)
    age = "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
    seconds = connection.exec_driver_sql(age).scalar()
    return Standby(None if seconds is None else float(seconds))


def is_off(value: Any) -> bool:
    """Return whether the value of a server variable means off, in any of its spellings."""
    return str(value).upper() in {"0", "OFF", "FALSE", "NO"}


def install_connect(engine: sa.Engine, hosts: Sequence[Host]) -> None:
    """Make an engine open its connections with this module.

    Args:
        engine: the engine.
        hosts: hosts of the server; empty for SQLite, and if the URL names them in the driver's own form.
    """
    event.listen(engine, "do_connect", partial(_connect, hosts=hosts, query=engine.url.query))
    event.listen(engine, "handle_error", _invalidate)


def refused_options(error: Exception, query: Mapping[str, Any]) -> ConfigurationError:
    """Build the error for what a driver does not take: it names the option, the file or the package.

    Args:
        error: what it raised. Its message is not repeated, as it may quote the password.
        query: the options that the URL names.
    """
    if package := re.match(r"'(\w+)' package is required", str(error)):  # PyMySQL's words
        name = package[1]
        return ConfigurationError(
            [f"DATABASE_URL: this account's authentication needs the package {name}."], hint=f"pip install {name}"
        )
    if isinstance(error, OSError):
        files = {name: value for name, value in query.items() if name in _FILES}
        bad = {name: value for name, value in files.items() if not Path(value).is_file()} or files
        # OpenSSL's own errors concern what is in the files.
        where = ", ".join(bad) if getattr(error, "reason", None) else ", ".join(f"{name}: {value}" for name, value in bad.items())
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        return ConfigurationError([f"DATABASE_URL: {f'{where}: ' if where else ''}{reason}."])
    names = [name for name in query if re.search(rf"\b{re.escape(name)}\b", str(error))] or list(query)
    if not names:
        return ConfigurationError([f"DATABASE_URL: its driver does not take this host or name ({type(error).__name__})."])
    plural = "one of the options" if len(names) > 1 else "the option"
    return ConfigurationError([f"DATABASE_URL: its driver refuses {plural} {', '.join(names)} ({type(error).__name__})."])


_FILES = ("ssl_ca", "ssl_cert", "ssl_key", "read_default_file")


def _invalidate(context: ExceptionContext) -> None:
    """Discard a connection whose server is unreachable; SQLAlchemy would try a rollback that the server refuses."""
    if classify(context.original_exception) is DatabaseAway:
        context.is_disconnect = True


def _connect(
    dialect: Any, _record: Any, arguments: Any, options: dict[str, Any], hosts: Sequence[Host], query: Mapping[str, Any]
) -> Any:
    """Connect; report options, hosts or file names that the driver refuses as errors of the settings."""
    socket = query.get("unix_socket")
    if socket is not None and not Path(socket).exists():  # PyMySQL would name the host in its place
        raise DatabaseAway(f"No server listens on unix_socket {socket}.", hint="Check DATABASE_URL and that the server runs.")
    opened: Callable[..., Any] = {"psycopg": _psycopg, "pymysql": _pymysql}.get(dialect.driver, dialect.connect)
    try:
        raw = _first_writable(dialect, opened, options, hosts) if len(hosts) > 1 else opened(*arguments, **options)
    except dialect.dbapi.ProgrammingError as error:
        if "connection option" not in str(error):  # psycopg's message for an unknown option
            raise
        raise refused_options(error, query) from None
    except dialect.dbapi.Error:
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise whatever their libraries do
        raise refused_options(error, query) from None
    if hasattr(raw, "limit"):
        raw.limit = IDLE_SECONDS + ANSWER_MARGIN_SECONDS
    return raw


def _first_writable(dialect: Any, opened: Callable[..., Any], options: dict[str, Any], hosts: Sequence[Host]) -> Any:
    """Connect to the first host that accepts writes; if there is none, to the first that answers.

    If libpq's `target_session_attrs` is given, it decides for each host.
    """
    decided = "target_session_attrs" in options
    elsewhere = {name: value for name, value in options.items() if name not in {"host", "port"}}
    spare, problem = None, None
    for host in hosts:
        raw = None
        try:
            raw = opened(**elsewhere, host=host.name, **({} if host.port is None else {"port": host.port}))
            if decided or _is_writable(raw, dialect.driver):
                if spare is not None:
                    spare.close()
                return raw
        except dialect.dbapi.OperationalError as error:
            problem = error
            if raw is not None:
                raw.close()
        else:
            if spare is None:
                spare = raw
            else:
                raw.close()
    if spare is None and problem is not None:
        raise problem
    return spare


def _is_writable(raw: Any, driver: str) -> bool:
    with raw.cursor() as cursor:
        if driver == "psycopg":
            cursor.execute("SHOW transaction_read_only")
            (read_only,) = cursor.fetchone()
            raw.rollback()
            return is_off(read_only)
        if raw.in_a_cluster:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_ready'")
            if cursor.fetchone()[1] != "ON":
                return False
        cursor.execute("SELECT @@global.read_only")
        return is_off(cursor.fetchone()[0])


@cache
def _psycopg_class() -> Any:
    """Return a class of psycopg's connections with a read timeout.

    psycopg has none, and the timeouts of the server do not cover a frozen pooler or proxy, nor a COMMIT that waits for a
    synchronous standby.
    """
    import psycopg

    class TimeoutConnection(psycopg.Connection[Any]):
        """A psycopg connection that is closed if an answer takes longer than `limit` seconds; None: no limit."""

        limit: float | None = None

        def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
            """Wait as psycopg does, and check the clock each time it wakes, ten times a second.

            Raises:
                psycopg.OperationalError: no answer came within the limit.
            """
            if self.limit is None:
                return super().wait(gen, *arguments, **options)
            return super().wait(self._limited(gen, time.monotonic() + self.limit), *arguments, **options)

        def _limited(self, gen: Generator[Any, Any, Any], ends: float) -> Generator[Any, Any, Any]:
            answer = None
            while True:
                try:
                    wanted = gen.send(answer)
                except StopIteration as done:
                    return done.value
                answer = yield wanted
                if not answer and time.monotonic() > ends:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no response for {self.limit:g} s; the connection was closed")

    return TimeoutConnection


@cache
def _pymysql_class() -> Any:
    """Return a class of PyMySQL's connections; on a Galera cluster they read what this program wrote through another node."""
    import pymysql
    from pymysql.connections import Connection

    class TimeoutConnection(Connection):  # type: ignore[misc] # PyMySQL ships no types
        """A PyMySQL connection with a `limit`, in seconds, for each read; None: no limit.

        Attributes:
            in_a_cluster: whether the server is a node of a Galera cluster.
        """

        def __init__(self, **options: Any) -> None:
            """Connect, with the connect timeout for the handshake too: PyMySQL applies it to TCP only.

            Raises:
                pymysql.Error: the connection failed.
            """
            super().__init__(**{**options, "read_timeout": options["connect_timeout"]})
            self.in_a_cluster = False
            with suppress(pymysql.Error), self.cursor() as cursor:  # servers without Galera do not know this variable
                cursor.execute("SELECT @@wsrep_on")
                self.in_a_cluster = bool(cursor.fetchone()[0])
                if self.in_a_cluster:
                    cursor.execute("SET SESSION wsrep_sync_wait = @@wsrep_sync_wait | 1")

        @property
        def limit(self) -> float | None:
            """Return the read timeout in seconds."""
            found: float | None = self._read_timeout
            return found

        @limit.setter
        def limit(self, seconds: float | None) -> None:
            self._read_timeout = seconds  # PyMySQL applies it before each read

    return TimeoutConnection


def _psycopg(**options: Any) -> Any:
    raw = _psycopg_class().connect(**options)
    raw.limit = None if (limit := options.get("connect_timeout")) is None else float(limit)  # a URL's is text
    return raw


def _pymysql(**options: Any) -> Any:
    return _pymysql_class()(**options)
