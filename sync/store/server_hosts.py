"""Connect to the first host that accepts writes, with a timeout for each read; detect standbys and replicas.

If no host accepts writes, the first one that answers is used, so that readers work during a failover.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.errors import DatabaseAway
from sync.store.database_url import refused_options

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    import sqlalchemy as sa

    from sync.store.database_url import Host

BUSY_SECONDS = 30
"""Lock timeout; an apply of 280 templates holds its locks for milliseconds."""

CONNECT_SECONDS = 10
"""Connect timeout of one host, before the next host is tried."""

IDLE_SECONDS = 60
"""Timeout of an idle transaction, so that a paused process does not hold locks."""

ANSWER_MARGIN_SECONDS = 15
"""Additional wait for an answer after the server's own timeout, before the connection is closed."""


def is_standby(connection: sa.Connection) -> bool:
    """Return whether the server is a PostgreSQL standby, or a MariaDB server with read_only on."""
    query = {"postgresql": "SELECT pg_is_in_recovery()", "mysql": "SELECT @@global.read_only"}.get(connection.dialect.name)
    return query is not None and not is_off(connection.exec_driver_sql(query).scalar())


class Standby(NamedTuple):
    """A server that replicates another one.

    `seconds` is the age of the newest replayed transaction: an upper bound of the replication lag, which grows while the primary
    is idle. None if the server does not report it; MariaDB reports the lag to administrators only.
    """

    seconds: float | None


def standby(connection: sa.Connection) -> Standby | None:
    """Return the replication lag of a standby; None for a primary."""
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


def connect(
    dialect: Any, _record: Any, arguments: Any, options: dict[str, Any], hosts: Sequence[Host], query: Mapping[str, Any]
) -> Any:
    """Connect, for SQLAlchemy's event `do_connect`; `hosts` is empty for SQLite, and if the URL has the driver's form.

    Raises:
        ConfigurationError: the driver refuses an option, a host or a file name of the URL.
    """
    socket = query.get("unix_socket")
    if socket is not None and not Path(socket).exists():  # PyMySQL would name the host in its place
        raise DatabaseAway(f"No server listens on unix_socket {socket}.", hint="Check DATABASE_URL and that the server runs.")
    opened: Callable[..., Any] = {"psycopg": _psycopg, "pymysql": _pymysql}.get(dialect.driver, dialect.connect)
    try:
        raw = _first_writable(dialect, opened, options, hosts) if len(hosts) > 1 else opened(*arguments, **options)
    except Exception as error:  # drivers raise whatever their libraries do
        if isinstance(error, dialect.dbapi.Error) and "connection option" not in str(error):  # psycopg's, for an unknown option
            raise
        raise refused_options(error, query) from None
    if dialect.driver in {"psycopg", "pymysql"}:
        limit_reads(raw, IDLE_SECONDS + ANSWER_MARGIN_SECONDS)
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


def limit_reads(raw: Any, seconds: float | None) -> None:
    """Set the read timeout of a connection of psycopg or PyMySQL; None: no limit."""
    setattr(raw, "limit" if hasattr(raw, "limit") else "_read_timeout", seconds)  # PyMySQL applies it before each read


def _psycopg(**options: Any) -> Any:
    raw = _psycopg_class().connect(**options)
    limit_reads(raw, None if (seconds := options.get("connect_timeout")) is None else float(seconds))  # a URL's is text
    return raw


@cache
def _psycopg_class() -> Any:
    """Return a class of psycopg's connections with a read timeout.

    psycopg has none, and the timeouts of the server do not cover a frozen pooler or proxy, nor a COMMIT that waits for a
    synchronous standby.
    """
    import psycopg

    class TimeoutConnection(psycopg.Connection[Any]):
        """A connection that is closed if a response takes longer than `limit` seconds."""

        limit: float | None = None

        def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
            """Wait as psycopg does, and check the clock each time it wakes, ten times a second."""
            return super().wait(gen if self.limit is None else self._limited(gen, self.limit), *arguments, **options)

        def _limited(self, gen: Generator[Any, Any, Any], limit: float) -> Generator[Any, Any, Any]:
            answer, ends = None, time.monotonic() + limit
            while True:
                try:
                    wanted = gen.send(answer)
                except StopIteration as done:
                    return done.value
                answer = yield wanted
                if not answer and time.monotonic() > ends:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no response for {limit:g} s; the connection was closed")

    return TimeoutConnection


def _pymysql(**options: Any) -> Any:
    """Connect; on a Galera cluster, read what this program wrote through another node."""
    import pymysql

    # The connect timeout covers the handshake too: PyMySQL applies it to TCP only.
    raw: Any = pymysql.connect(**{**options, "read_timeout": options["connect_timeout"]})
    raw.in_a_cluster = False
    with suppress(pymysql.Error), raw.cursor() as cursor:  # servers without Galera do not know this variable
        cursor.execute("SELECT @@wsrep_on")
        raw.in_a_cluster = bool(cursor.fetchone()[0])
        if raw.in_a_cluster:
            cursor.execute("SET SESSION wsrep_sync_wait = @@wsrep_sync_wait | 1")
    return raw
