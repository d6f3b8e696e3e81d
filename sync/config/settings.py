"""Every setting: its type, variable, default, parser and help text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints
from urllib.parse import urlsplit

from sync.config.addresses import LOOPBACK_ORIGIN, http_url, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_DURATION = 0.01
LONGEST_DURATION = 3650 * 86400
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: str, expected: str = "a duration above zero, such as 90s, 15m, 6h or 1d") -> float:
    """Parse a duration such as 90s, 15m, 6h or 1d, to seconds. As of every parser here, a ValueError says what is expected."""
    match = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smhd]?)\s*", value)
    if not match or not float(match[1]):
        raise ValueError(expected)
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds < SHORTEST_DURATION:
        raise ValueError("a duration of at least 0.01s")
    if seconds > LONGEST_DURATION:  # a longer one underflows dates and overflows timers
        raise ValueError("a duration of at most 3650d")
    return seconds


def parse_duration_or_zero(value: str) -> float:
    """Parse a duration as `parse_duration` does, or a zero."""
    if re.fullmatch(r"\s*0{1,9}(\.0{1,9})?\s*[smhd]?\s*", value):
        return 0.0
    return parse_duration(value, "a duration such as 0s, 90s, 15m, 6h or 1d")


def replaceable_file(value: str) -> str:
    """Check that a file can be replaced atomically: that it is no link, device or directory."""
    path = Path(value)
    try:
        plain = not path.is_symlink() and (path.is_file() or not path.exists())  # replacing /dev/null would create a file
    except OSError:
        raise ValueError("a valid file name") from None
    if not plain:
        raise ValueError("a regular file, or a new name: no link, device or directory")
    return value


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def _rate(value: str) -> float:
    if not re.fullmatch(r"\s*[0-9]{1,6}(\.[0-9]{1,6})?\s*", value):
        raise ValueError("requests per second, such as 10 or 0.5; 0 means no limit")
    return float(value)


def _share(value: str) -> Decimal:
    try:
        number = Decimal(value.strip().removesuffix("%"))
        share = number / 100 if value.strip().endswith("%") else number
    except ArithmeticError:  # also of the division: snan%, 1e999999999%
        share = Decimal(-1)
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError("a share such as 10% or 0.1")
    return share


def _flag(value: str) -> bool:
    if value.strip().lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return value.strip().lower() == "true"


def _choice(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.strip().lower() not in words:
            raise ValueError("one of " + ", ".join(words))
        return value.strip().lower()

    return parse


def _key(value: str) -> str:
    # HTTP libraries raise an error that contains the key if a header has a newline or space, so reject it here.
    if not re.fullmatch(r"[\x21-\x7e]+", value.strip()):
        raise ValueError("printable ASCII characters without spaces, as shown on the key management page")
    return value.strip()


def _base_url(value: str) -> str:
    url = http_url(value)
    if "?" in url or "#" in url:  # also an empty one: the path of the endpoint would become a part of it
        raise ValueError("a URL without a query or fragment, such as https://api.crun.ai")
    if urlsplit(url).scheme == "http" and origin_of(url) != LOOPBACK_ORIGIN:
        raise ValueError("an https:// URL: plain http is allowed for loopback addresses only, because it exposes the API key")
    return url.rstrip("/")


def _database_url(value: str) -> str:
    # No error repeats the value, because it may contain a password.
    url = value.strip()
    kind = re.match(r"(sqlite|postgres|postgresql|mysql|mariadb)(\+\w+)?://", url, re.IGNORECASE)
    if not kind:
        raise ValueError("a URL that begins with sqlite:///, postgresql:// or mariadb:// (postgres:// and mysql:// work too)")
    url = kind[0].lower() + url[kind.end() :]
    rest = url[kind.end() :]
    if kind[1].lower() == "sqlite":
        if rest.partition("?")[0] in {"", "/", "/:memory:"}:
            raise ValueError("a SQLite file, such as sqlite:///templates.db: an in-memory database is lost at exit")
        return url
    account = DATABASE_ACCOUNT.match(rest)
    place = rest[account.end() if account else 0 :]
    if "@" in place.partition("/")[0]:
        raise ValueError("a URL in which an @ of the password is written as %40")
    host = r"(\[[^\]]*\]|[^/?:\[,]*)(:[0-9]{1,5})?"
    if not re.fullmatch(rf"{host}(,{host})*/[^/?]+(\?.*)?", place):
        raise ValueError("a server and a database, such as postgresql://user@host:5432/name")
    return url


DATABASE_ACCOUNT = re.compile(r"(?:(?P<user>[^:/@]*)(?::(?P<password>[^@]*))?@)?")
"""User and password as SQLAlchemy parses them: the password ends at the next @."""


def _cron(value: str) -> str:
    from sync.config.cron import check

    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"a cron expression: {str(error).rstrip('.')}") from None
    return value


def _readable_file(value: str) -> str:
    try:
        if not Path(value).is_file():  # opening a pipe without a writer would block
            raise ValueError(f"a readable file ({value} is not one)")
        with Path(value).open("rb"):
            return value
    except OSError as error:
        raise ValueError(f"a readable file ({value}: {error.strerror})") from None


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value.strip())
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone's name, such as UTC or Asia/Shanghai") from None
    return value.strip()


@dataclass(frozen=True, slots=True)
class Option:
    """How a setting is given: variable, default as text, parser, metavar of its flag, help text; `field` is its attribute."""

    variable: str
    default: str | None
    parse: Callable[[str], Any]
    metavar: str
    help: str
    secret: bool = False
    file_twin: bool = False
    field: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The validated settings. Times in seconds, `max_removed` as a share from 0 to 1."""

    # fmt: off
    api_key: Annotated[str | None, Option("CRUN_API_KEY", None, _key, "KEY", "The Crun API key.", secret=True, file_twin=True)]
    base_url: Annotated[str, Option("CRUN_BASE_URL", "https://api.crun.ai", _base_url, "URL",
        "Origin of the API; https://api.crunai.com in mainland China.")]
    database_url: Annotated[str, Option("DATABASE_URL", "sqlite:///templates.db", _database_url, "URL",
        "The database: SQLite, PostgreSQL or MariaDB/MySQL.", secret=True, file_twin=True)]
    interval: Annotated[float, Option("SYNC_INTERVAL", "15m", parse_duration, "DURATION",
        "Interval between the daemon's runs.")]
    cron: Annotated[str | None, Option("SYNC_CRON", None, _cron, "EXPRESSION",
        "Cron expression of the daemon's runs, instead of an interval.")]
    timezone: Annotated[str, Option("SYNC_TIMEZONE", "UTC", _zone, "ZONE",
        "Time zone of the cron expression.")]
    page_size: Annotated[int, Option("SYNC_PAGE_SIZE", "50", _whole(1, 50), "N",
        "Templates per page, from 1 to 50.")]
    concurrency: Annotated[int, Option("SYNC_CONCURRENCY", "4", _whole(1, 64), "N",
        "Maximum number of concurrent page requests.")]
    rate: Annotated[float, Option("SYNC_RATE", "10", _rate, "N",
        "Maximum number of requests per second; 0 means no limit.")]
    deadline: Annotated[float, Option("SYNC_DEADLINE", "10m", parse_duration, "DURATION",
        "Maximum duration of a run; a longer one applies nothing.")]
    max_removed: Annotated[Decimal, Option("SYNC_MAX_REMOVED", "10%", _share, "SHARE",
        "If more than this share of the catalog, and more than 10 templates, are missing, their removals are held.")]
    hold: Annotated[float, Option("SYNC_HOLD", "1h", parse_duration_or_zero, "DURATION",
        "Time over which at least three consecutive runs must confirm a held removal.")]
    log_format: Annotated[str, Option("SYNC_LOG_FORMAT", "auto", _choice("auto", "console", "json"), "auto|console|json",
        "Log format; auto: console on a terminal, else JSON.")]
    log_level: Annotated[str, Option("SYNC_LOG_LEVEL", "info", _choice("debug", "info", "warning", "error"),
        "debug|info|warning|error", "Minimum severity of logged events.")]
    lease_ttl: Annotated[float, Option("SYNC_LEASE_TTL", "60s", parse_duration, "DURATION",
        "Time after which a run on a failed machine no longer blocks other runs.")]
    grace: Annotated[float, Option("SYNC_GRACE", "30s", parse_duration, "DURATION",
        "Maximum time that the daemon takes to stop.")]
    stale_after: Annotated[float | None, Option("SYNC_STALE_AFTER", None, parse_duration, "DURATION",
        "Age after which the last successful run is stale; default: three intervals, or one day with SYNC_CRON.")]
    http_host: Annotated[str, Option("SYNC_HTTP_HOST", "127.0.0.1", str, "HOST", "Address for the daemon's probes and metrics.")]
    http_port: Annotated[int | None, Option("SYNC_HTTP_PORT", None, _whole(0, 65535), "PORT",
        "Port of /livez, /readyz and /metrics; disabled if not set.")]
    metrics_file: Annotated[str | None, Option("SYNC_METRICS_FILE", None, replaceable_file, "FILE",
        "Metrics file for node_exporter's textfile collector, written by `run`, not by `daemon`.")]
    ping_url: Annotated[str | None, Option("SYNC_PING_URL", None, http_url, "URL",
        "Heartbeat URL; requested at the start, success and failure of each run.", secret=True)]
    proxy: Annotated[str | None, Option("SYNC_PROXY", None, http_url, "URL",
        "HTTP proxy, except for loopback addresses; HTTPS_PROXY and similar variables are ignored.")]
    webhooks_file: Annotated[str | None, Option("SYNC_WEBHOOKS_FILE", None, _readable_file, "FILE",
        "TOML file of webhook endpoints; see docs/changes.md.")]
    site_dir: Annotated[str | None, Option("SYNC_SITE_DIR", None, str, "DIR",
        "Directory of the gallery, which runs update; see docs/gallery.md.")]
    site_covers: Annotated[bool, Option("SYNC_SITE_COVERS", "false", _flag, "true|false", "Also store copies of the covers.")]
    ca_bundle: Annotated[str | None, Option("SYNC_CA_BUNDLE", None, _readable_file, "FILE",
        "CA bundle to trust instead of the built-in certificate authorities.")]
    # fmt: on

    @property
    def staleness_budget(self) -> float:
        """Seconds after which the last success counts as stale: SYNC_STALE_AFTER, else three intervals (a day under cron)."""
        if self.stale_after is not None:
            return self.stale_after
        return 86400.0 if self.cron else 3 * self.interval


OPTIONS: tuple[Option, ...] = tuple(
    replace(hint.__metadata__[0], field=name) for name, hint in get_type_hints(Settings, include_extras=True).items()
)
