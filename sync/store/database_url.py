"""A DATABASE_URL as people write it -> the URL that SQLAlchemy takes, and the hosts. Its password is never repeated."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import exc

from sync.config.options import DATABASE_ACCOUNT
from sync.errors import ConfigurationError

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "sqlite": "sqlite",
}


@dataclass(frozen=True, slots=True)
class Host:
    """One of a server's hosts; no port: the usual one."""

    name: str
    port: int | None

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


_HOST = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:\[\],]+))(?::(?P<port>[0-9]{1,5}))?")


def read_url(database_url: str | sa.URL) -> tuple[sa.URL, list[Host]]:
    """Read a URL, in which a server may be several hosts: `postgresql://user@host1:5432,host2:5432/name`.

    Returns:
        The URL with the first host, and all hosts; none if the URL names none.

    Raises:
        ConfigurationError: it cannot be one.
    """
    first, hosts = _first_of_several(database_url) if isinstance(database_url, str) else (database_url, [])
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
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            ["DATABASE_URL: an in-memory SQLite database is lost at exit; use a file, such as sqlite:///templates.db."]
        )
    if url.get_backend_name() != "sqlite" and not url.database:
        raise ConfigurationError(["DATABASE_URL: it has a server but no database name."])
    return url, hosts or ([Host(url.host, url.port)] if url.host else [])


def _first_of_several(database_url: str) -> tuple[str, list[Host]]:
    """Take all hosts but the first out of a URL: SQLAlchemy knows no such form."""
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
