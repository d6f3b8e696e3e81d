"""Parse a DATABASE_URL into a SQLAlchemy URL and its hosts, and name a database; messages never contain the password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from sync.config.addresses import sqlite_path
from sync.config.settings import DATABASE_ACCOUNT
from sync.errors import ConfigurationError, DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "sqlite": "sqlite",
}
_SQLITE_URI_OPTIONS = {"uri", "mode", "cache", "immutable", "nolock", "psow", "vfs"}
"""Options of SQLite's `file:` URIs; the driver ignores them without `uri=true`."""
_OPTIONS = {
    "pysqlite": {"timeout", "check_same_thread", "cached_statements", *_SQLITE_URI_OPTIONS},
    "pymysql": {
        "host", "port", "user", "password", "database", "unix_socket", "charset", "collation", "sql_mode", "read_default_file",
        "read_default_group", "connect_timeout", "read_timeout", "write_timeout", "local_infile", "max_allowed_packet",
        "bind_address", "program_name", "server_public_key", "ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password", "ssl_disabled",
        "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname", "init_command", "autocommit",
    },
}  # fmt: skip
"""Options that a URL may set. The drivers have more: objects, and what this program sets itself."""
_NOT_FOR_PSYCOPG = {"autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"}
"""libpq refuses unknown options by name; these are psycopg's own."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host of a server; port None is the default port."""

    name: str
    port: int | None

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


_FILE_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key", "read_default_file")
_HOST = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:\[\],]+))(?::(?P<port>[0-9]{1,5}))?")


def read_url(database_url: str) -> tuple[sa.URL, list[Host]]:
    """Return a URL with its first host, and all its hosts: `postgresql://user@host1:5432,host2:5432/name` names two.

    Raises:
        ConfigurationError: the URL is invalid.
    """
    first, hosts = _first_of_several(database_url)
    try:
        url = sa.make_url(first)
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(["DATABASE_URL: not a database URL; an example is postgresql://user@host/name."]) from None
    if url.host and "@" in url.host:
        raise ConfigurationError(["DATABASE_URL: the password contains an @; write it as %40."])
    if url.drivername in _DRIVERS:
        url = url.set(drivername=_DRIVERS[url.drivername])
    if url.get_backend_name() == "mariadb":
        url = url.set(drivername=url.drivername.replace("mariadb", "mysql", 1))
    if url.get_backend_name() == "sqlite" and sqlite_path(url.database or "") in {"", ":memory:"}:
        memory = "an in-memory SQLite database is lost at exit; use a file, such as sqlite:///templates.db."
        raise ConfigurationError([f"DATABASE_URL: {memory}"])
    if url.get_backend_name() != "sqlite" and not url.database:
        raise ConfigurationError(["DATABASE_URL: it has a server but no database name."])
    url = _with_options(url)
    return url, hosts or ([Host(url.host, url.port)] if url.host else [])


def _with_options(url: sa.URL) -> sa.URL:
    """Check the driver, and by name the options after the ?; write those of SQLite in the form that its driver takes."""
    backend, _, driver = url.drivername.partition("+")
    driver = driver or "pysqlite"
    if driver not in {"pysqlite", "psycopg", "pymysql"}:
        raise ConfigurationError([f"DATABASE_URL: the driver {driver} cannot be used; write {backend}:// without a driver."])
    if forbidden := url.query.keys() & _NOT_FOR_PSYCOPG if driver == "psycopg" else url.query.keys() - _OPTIONS[driver]:
        raise ConfigurationError([f"DATABASE_URL: the option {name} cannot be used in a URL." for name in sorted(forbidden)])
    return _with_sqlite_options(url) if driver == "pysqlite" else url


def _with_sqlite_options(url: sa.URL) -> sa.URL:
    """Write the name as a `file:` URI, with `uri=true`, if it is one or an option requires one; otherwise leave it."""
    if url.query.get("mode", "ro") not in {"ro", "rw", "rwc"}:
        memory = "an in-memory SQLite database is lost at exit; " if url.query["mode"] == "memory" else ""
        raise ConfigurationError([f"DATABASE_URL: {memory}mode is ro, rw or rwc."])
    name = str(url.database)
    if not name.startswith("file:"):
        if not url.query.keys() & _SQLITE_URI_OPTIONS:
            return url
        name = f"file:{quote(name)}"
    elif re.search(r"[?#]|^file://[^/]", name):
        raise ConfigurationError(["DATABASE_URL: a file: name contains a host, a # or an encoded ?; write sqlite:///PATH."])
    return url.set(database=name).update_query_dict({"uri": "true"})


def _first_of_several(database_url: str) -> tuple[str, list[Host]]:
    """Return a URL with the first host only, and all hosts: SQLAlchemy does not support several."""
    scheme, separator, rest = database_url.partition("://")
    account = DATABASE_ACCOUNT.match(rest)
    before = account[0] if account else ""
    authority, slash, after = rest[len(before) :].partition("/")
    if "," not in authority:
        return database_url, []
    found = [_HOST.fullmatch(each) for each in authority.split(",")]
    if not all(found):
        raise ConfigurationError(["DATABASE_URL: several hosts are written as host1:5432,host2:5432."])
    hosts = [Host(each["v6"] or each["name"], int(each["port"]) if each["port"] else None) for each in found if each]
    return f"{scheme}{separator}{before}{hosts[0]}{slash}{after}", hosts


def refused_options(error: Exception, query: Mapping[str, Any]) -> ConfigurationError:
    """Return the error for what a driver does not accept, with the option, the file or the package.

    The message of the driver is not repeated, as it may quote the password.
    """
    if package := re.match(r"'(\w+)' package is required", str(error)):  # PyMySQL's words
        needed = f"DATABASE_URL: this account's authentication needs the package {package[1]}."
        return ConfigurationError([needed], hint=f"pip install {package[1]}")
    if isinstance(error, OSError):
        files = {name: value for name, value in query.items() if name in _FILE_OPTIONS}
        bad = {name: value for name, value in files.items() if not Path(value).is_file()} or files
        # OpenSSL's own errors concern what is in the files.
        where = ", ".join(bad) if getattr(error, "reason", None) else ", ".join(f"{name}: {value}" for name, value in bad.items())
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        return ConfigurationError([f"DATABASE_URL: {f'{where}: ' if where else ''}{reason}."])
    names = [name for name in query if re.search(rf"\b{re.escape(name)}\b", str(error))] or list(query)
    if not names:
        return ConfigurationError([f"DATABASE_URL: its driver does not accept this host or name ({type(error).__name__})."])
    plural = "one of the options" if len(names) > 1 else "the option"
    return ConfigurationError([f"DATABASE_URL: its driver refuses {plural} {', '.join(names)} ({type(error).__name__})."])


def sqlite_file(engine: sa.Engine) -> Path | None:
    """Return the file of a SQLite database, also from a URI; None for a server or an in-memory database."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name:
        return None
    return Path(sqlite_path(name))


def missing_file(engine: sa.Engine) -> Path | None:
    """Return the file of a SQLite database if it does not exist; refuse an invalid file name with a DatabaseError."""
    file = sqlite_file(engine)
    if file is None or str(file) == ":memory:" or engine.url.query.get("mode") == "memory":
        return None
    try:
        return None if file.exists() else file
    except (OSError, ValueError):
        raise DatabaseError("DATABASE_URL contains an invalid file name.", hint="Check DATABASE_URL.") from None


def database_name(engine: sa.Engine) -> str:
    """Return the file of a database, or its hosts and name, for messages."""
    hosts = engine.get_execution_options().get("hosts") or (engine.url.host or "local socket",)
    return str(sqlite_file(engine) or f"{','.join(hosts)}/{engine.url.database}")
