"""The settings: one table of options, one frozen value, where each came from.

Precedence: flag > environment > `.env` file > default. An empty variable counts as not set, as `docker -e NAME=` means it.
Hand-made rather than pydantic-settings: that costs 0.2 s at the start of every cron call, knows no `NAME_FILE` twin, and
does not say where a value came from.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MASK = "********"
_SECRET_FILE_LIMIT = 4096  # bytes; a key or a URL is shorter, a wrong path may be anything
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_KEY_SHAPE = re.compile(r"ak_[A-Za-z0-9]{32}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, validated. Times in seconds, `max_removed` a share from 0 to 1."""

    api_key: str | None
    base_url: str
    database_url: str
    interval: float
    cron: str | None
    timezone: str
    page_size: int
    concurrency: int
    rate: float
    deadline: float
    max_removed: Decimal
    log_format: str
    log_level: str
    lease_ttl: float
    grace: float
    stale_after: float | None
    http_host: str
    http_port: int | None
    metrics_file: str | None
    ping_url: str | None
    proxy: str | None
    ca_bundle: str | None

    @property
    def staleness_budget(self) -> float:
        """Seconds after which the last success counts as stale: SYNC_STALE_AFTER, else three intervals (a day under cron)."""
        if self.stale_after is not None:
            return self.stale_after
        return 86400.0 if self.cron else 3 * self.interval


def _text(value: str) -> str:
    return value


def parse_duration(value: str) -> float:
    """Read a duration such as 90s, 15m, 6h or 1d, as seconds.

    Raises:
        ValueError: saying what was expected.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", value)
    if not match or not float(match[1]):
        raise ValueError("a duration above zero, such as 90s, 15m, 6h or 1d")
    return float(match[1]) * _SECONDS[match[2]]


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"\s*\d{1,9}\s*", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def _rate(value: str) -> float:
    if not re.fullmatch(r"\s*\d{1,6}(\.\d+)?\s*", value):
        raise ValueError("requests per second, such as 10 or 0.5; 0 means no limit")
    return float(value)


def _share(value: str) -> Decimal:
    try:
        number = Decimal(value.strip().removesuffix("%"))
    except InvalidOperation:
        number = Decimal(-1)
    share = number / 100 if value.strip().endswith("%") else number
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError("a share such as 10% or 0.1")
    return share


def _choice(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.strip().lower() not in words:
            raise ValueError("one of " + ", ".join(words))
        return value.strip().lower()

    return parse


def _key(value: str) -> str:
    # A stray newline or space in a header makes httpx raise with the key inside the message: refuse it here, unseen.
    if not re.fullmatch(r"[\x21-\x7e]+", value.strip()):
        raise ValueError("printable ASCII without spaces, as the key management page shows it")
    return value.strip()


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
    except ValueError:
        raise ValueError("a URL such as https://api.crun.ai") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a URL such as https://api.crun.ai")
    if parts.username or parts.password:
        raise ValueError("a URL without a user name or password in it")
    return value.strip()


def _base_url(value: str) -> str:
    url = _http_url(value)
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError("a URL without a query or fragment, such as https://api.crun.ai")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("an https:// URL: plain http would show the key to the network, so it is for loopback addresses only")
    return url.rstrip("/")


def _database_url(value: str) -> str:
    if not re.match(r"(sqlite|postgres|postgresql|mysql|mariadb)(\+\w+)?://", value.strip()):
        # The value itself is not repeated: it may hold a password.
        raise ValueError("a URL that begins with sqlite:///, postgresql:// or mariadb:// (postgres:// and mysql:// work too)")
    return value.strip()


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value.strip())
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone's name, such as UTC or Asia/Shanghai") from None
    return value.strip()


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its field, its variable, its default as a user would write it, and why that default."""

    field: str
    variable: str
    default: str | None
    parse: Callable[[str], Any]
    help: str
    secret: bool = False
    file_twin: bool = False


OPTIONS: tuple[Option, ...] = (
    Option("api_key", "CRUN_API_KEY", None, _key, "The Crun API key.", secret=True, file_twin=True),
    Option(
        "base_url",
        "CRUN_BASE_URL",
        "https://api.crun.ai",
        _base_url,
        "The API's origin; https://api.crunai.com in mainland China.",
    ),
    Option(
        "database_url",
        "DATABASE_URL",
        "sqlite:///templates.db",
        _database_url,
        "SQLite, PostgreSQL or MariaDB/MySQL.",
        secret=True,
        file_twin=True,
    ),
    Option(
        "interval",
        "SYNC_INTERVAL",
        "15m",
        parse_duration,
        "The daemon's pause between runs; a catalog changes a few times a day.",
    ),
    Option("cron", "SYNC_CRON", None, _text, "A cron expression, instead of the interval."),
    Option("timezone", "SYNC_TIMEZONE", "UTC", _zone, "The zone that SYNC_CRON is read in; UTC knows no clock change."),
    Option("page_size", "SYNC_PAGE_SIZE", "50", _whole(1, 50), "Templates per page; 50 is the most that the endpoint gives."),
    Option("concurrency", "SYNC_CONCURRENCY", "4", _whole(1, 64), "Pages in flight at once."),
    Option("rate", "SYNC_RATE", "10", _rate, "Requests per second, all of them together; 0 means no limit."),
    Option("deadline", "SYNC_DEADLINE", "10m", parse_duration, "One run's whole time; past it nothing is applied."),
    Option("max_removed", "SYNC_MAX_REMOVED", "10%", _share, "More removals than this share (and than 10) wait for a person."),
    Option(
        "log_format", "SYNC_LOG_FORMAT", "auto", _choice("auto", "console", "json"), "auto: console on a terminal, else JSON."
    ),
    Option("log_level", "SYNC_LOG_LEVEL", "info", _choice("debug", "info", "warning", "error"), "The least severe event to log."),
    Option("lease_ttl", "SYNC_LEASE_TTL", "60s", parse_duration, "How long a run that fell silent keeps others out."),
    Option("grace", "SYNC_GRACE", "30s", parse_duration, "How long the daemon may take to stop when asked."),
    Option(
        "stale_after",
        "SYNC_STALE_AFTER",
        None,
        parse_duration,
        "Age at which the last success is stale; three intervals when not set.",
    ),
    Option("http_host", "SYNC_HTTP_HOST", "127.0.0.1", _text, "Where the daemon's probes and metrics listen."),
    Option("http_port", "SYNC_HTTP_PORT", None, _whole(0, 65535), "Port of /livez, /readyz and /metrics; none when not set."),
    Option("metrics_file", "SYNC_METRICS_FILE", None, _text, "A textfile for node_exporter, rewritten after every one-shot run."),
    Option(
        "ping_url", "SYNC_PING_URL", None, _http_url, "A dead-man's switch: pinged at start, success and failure.", secret=True
    ),
    Option("proxy", "SYNC_PROXY", None, _http_url, "A proxy for the requests; the usual proxy variables are not read."),
    Option(
        "ca_bundle", "SYNC_CA_BUNDLE", None, _text, "A file of certificate authorities to trust instead of the built-in ones."
    ),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one setting's value came from, and how to show it."""

    option: Option
    shown: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings with the origin of each, and warnings that do not stop anything."""

    settings: Settings
    origins: tuple[Origin, ...]
    warnings: tuple[str, ...]
    secrets: tuple[str, ...]

    def shown(self, field: str) -> str:
        """Show one setting's value, masked if it is a secret."""
        return next(origin.shown for origin in self.origins if origin.option.field == field)


def load(flags: Mapping[str, str | None], environ: Mapping[str, str], dotenv: Path | None) -> Loaded:
    """Read every setting.

    Args:
        flags: option field -> text given on the command line; None or absent means not given.
        environ: the process's environment.
        dotenv: a `.env` file to read if it exists.

    Raises:
        ConfigurationError: with every problem at once.
    """
    layers: list[tuple[str, Mapping[str, str | None]]] = [("environment", environ), (".env file", _dotenv(dotenv))]
    values: dict[str, Any] = {}
    origins: list[Origin] = []
    problems: list[str] = []
    warnings: list[str] = []
    secrets: list[str] = []
    for option in OPTIONS:
        try:
            text, source = _find(option, flags, layers, warnings)
            if text is None:
                values[option.field] = None
                origins.append(Origin(option, "", "not set"))
                continue
            values[option.field] = option.parse(text)
        except ValueError as error:
            problems.append(f"{option.variable}: expected {error}.")
            continue
        secrets += _secret_parts(option, text.strip())
        origins.append(Origin(option, _shown(option, text.strip()), source))
    if not problems:
        problems += _contradictions(values, origins)
    if problems:
        raise ConfigurationError(problems)
    if values["api_key"] and not _KEY_SHAPE.fullmatch(values["api_key"]):
        warnings.append("CRUN_API_KEY does not look like a Crun key (ak_ and 32 characters); trying it all the same.")
    return Loaded(Settings(**values), tuple(origins), tuple(warnings), tuple(secrets))


def _dotenv(path: Path | None) -> Mapping[str, str | None]:
    if path is None or not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError([f"{path}: could not be read as a UTF-8 file of NAME=value lines."]) from None


def _find(
    option: Option, flags: Mapping[str, str | None], layers: list[tuple[str, Mapping[str, str | None]]], warnings: list[str]
) -> tuple[str | None, str]:
    flag = flags.get(option.field)
    if flag is not None:
        return flag, "flag"
    for source, layer in layers:
        direct = layer.get(option.variable) or None
        path = (layer.get(f"{option.variable}_FILE") or None) if option.file_twin else None
        if direct is not None and path is not None:
            raise ValueError(f"either {option.variable} or {option.variable}_FILE, not both")
        if path is not None:
            return _secret_file(option, path, warnings), f"{source}, {option.variable}_FILE"
        if direct is not None:
            return direct, source
    return option.default, "default"


def _secret_file(option: Option, path: str, warnings: list[str]) -> str:
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_SECRET_FILE_LIMIT + 1)
        text = content.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"a readable file in {option.variable}_FILE ({path}: {reason})") from None
    if len(content) > _SECRET_FILE_LIMIT or not text:
        raise ValueError(f"{option.variable}_FILE to hold one line of at most {_SECRET_FILE_LIMIT} bytes ({path})")
    if stat.S_IMODE(mode) & stat.S_IROTH:
        warnings.append(f"{option.variable}_FILE ({path}) can be read by every user of this machine; chmod 600 it.")
    return text


def _shown(option: Option, text: str) -> str:
    if option.variable == "DATABASE_URL":
        return _masked_url(text)
    return MASK if option.secret else text


def _masked_url(url: str) -> str:
    """Show where a database is without what opens it: neither a password nor the query, which may hold one."""
    head, separator, rest = url.partition("://")
    rest = rest.partition("?")[0]
    account, at, place = rest.rpartition("@")
    user, colon, _password = account.partition(":")
    return f"{head}{separator}{user}{colon and ':' + MASK}{at}{place}"


def _secret_parts(option: Option, text: str) -> list[str]:
    """Name the strings that no log line may hold."""
    if option.variable != "DATABASE_URL":
        return [text] if option.secret else []
    account, at, _place = text.partition("://")[2].partition("?")[0].rpartition("@")
    password = account.partition(":")[2]
    if not (at and password):
        return []
    from urllib.parse import unquote

    return [password, unquote(password)]


def _contradictions(values: Mapping[str, Any], origins: list[Origin]) -> list[str]:
    problems = []
    sources = {origin.option.field: origin.source for origin in origins}
    if values["cron"] and sources["interval"] != "default":
        problems.append("SYNC_CRON: set either SYNC_INTERVAL or SYNC_CRON, not both.")
    if values["cron"]:
        from sync.cron import check

        try:
            check(values["cron"])
        except ValueError as error:
            problems.append(f"SYNC_CRON: {error}")
    return problems


def require_key(settings: Settings) -> str:
    """Give the key.

    Raises:
        ConfigurationError: there is none.
    """
    if settings.api_key is None:
        raise ConfigurationError(
            ["CRUN_API_KEY: not set. Set it, or CRUN_API_KEY_FILE to a file that holds it; `template-sync demo` needs none."]
        )
    return settings.api_key
