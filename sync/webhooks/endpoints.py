"""PURE. Parse the file of endpoints; check addresses and secrets. All problems are reported at once, by endpoint and key.

Operators configure the addresses, so private networks are allowed.
"""

from __future__ import annotations

import re
import tomllib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, unquote_plus, urlsplit

from sync.catalog.fields import BOUNDS
from sync.config.addresses import LOOPBACK, http_url, is_metadata_service, is_private
from sync.errors import ConfigurationError
from sync.webhooks.rules import KINDS, Rules, contradiction, is_field, price_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "SYNC_WEBHOOKS_FILE"
EXAMPLE = "https://example.com/hooks/templates"
PREFIX = "whsec_"
MAX_ENDPOINTS = 20
"""Each endpoint has two threads, for delivery and for its timeout, so that a slow one does not delay others; the unit files allow
64 threads.
"""
KEYS = (
    "name", "url", "secret_env", "secret_file", "kinds", "fields", "tags", "ids", "types", "price_change", "breaking", "per",
    "from", "enabled", "allow_http",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HINT = "docs/changes.md lists every key; nothing was sent."
_MIN_BYTES, _MAX_BYTES = 24, 64
_EVERYTHING = Rules()


class SecretSource(NamedTuple):
    """The source of a secret: `kind` is `secret_env` or `secret_file`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of the file.

    Attributes:
        secrets: the sources of its secret, or of two during a rotation.
        rules: which changes it gets.
        per: one message per `change` or per `run`.
        start: its first position: the `end` or the `start` of the feed.
        enabled: whether it gets messages; its position is kept.
        allow_http: whether the URL may be http to an address of a private network.
    """

    name: str
    url: str
    secrets: tuple[SecretSource, ...]
    rules: Rules = _EVERYTHING
    per: str = "change"
    start: str = "end"
    enabled: bool = True
    allow_http: bool = False

    @property
    def origin(self) -> str:
        """Scheme and host of the URL, without path and query, which may be secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def is_permitted(self, address: str) -> bool:
        """Return whether messages may be sent to an IP address; plain http reaches private networks and loopback only."""
        return not is_metadata_service(address) and (not self.url.lower().startswith("http:") or is_private(address))

    @property
    def secret_parts(self) -> list[str]:
        """What follows the host of the URL, its path and its query, without empty ones."""
        rest = self.url.removeprefix(self.origin)
        path, _, query = rest.partition("?")
        return [part for part in dict.fromkeys((rest, path, query)) if part]

    @property
    def quotable_parts(self) -> list[str]:
        """Every part of the URL after its host that a receiver may quote, such as the value of `?token=`: written and decoded."""
        pieces = [piece for part in self.secret_parts for piece in (part, *re.split(r"[/?&=;:,@]", part))]
        return list(dict.fromkeys(form for each in pieces for form in (each, unquote(each), unquote_plus(each)) if form))


def check_url(text: str, *, allow_http: bool = False) -> str:
    """Return a URL that messages may be sent to; errors never contain it, because its path can be a secret.

    Args:
        text: the URL.
        allow_http: whether it may be http to a private network; a host name is checked when it is resolved.

    Raises:
        ValueError: with what was expected.
    """
    url = http_url(text, EXAMPLE)
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError("a URL without a fragment, which is never sent")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        if not allow_http:
            raise ValueError("an https:// URL; allow_http = true permits plain http to an address of a private network")
        if not _each_address(str(parts.hostname), is_private):
            raise ValueError("an https:// URL: with allow_http, plain http is for private networks only")
    if not _each_address(str(parts.hostname), lambda host: not is_metadata_service(host)):
        raise ValueError("a URL to another host: this address is link-local or of a cloud's metadata service")
    return url


def _each_address(host: str, check: Callable[[str], bool]) -> bool:
    """Return whether a host passes a check of IP addresses; a host name does, because its addresses are not known yet."""
    try:
        return check(host)
    except ValueError:
        return True


def check_secret(text: str) -> str:
    """Return a valid secret of Standard Webhooks; errors never contain it. The library would accept any text.

    Raises:
        ValueError: with what was expected.
    """
    written = text.removeprefix(PREFIX)
    try:
        key = b64decode(written)
    except ValueError:
        key = b""
    exact = text.startswith(PREFIX) and b64encode(key).decode() == written  # the decoder accepts some malformed input
    if not exact or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"{PREFIX} and then {_MIN_BYTES} to {_MAX_BYTES} random bytes in base64, with its = at the end")
    return text


def secret_forms(secret: str) -> list[str]:
    """Return the forms of a secret in which a receiver may quote it: complete, without prefix, and its bytes."""
    written = secret.removeprefix(PREFIX)
    key = b64decode(written)
    text = key.decode("utf-8", "replace")
    return [secret, written, key.hex(), key.hex().upper(), *([text] if text.encode() == key else [])]


def read_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Parse the text of the file.

    Raises:
        ConfigurationError: with all problems.
    """
    try:
        whole = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits raises ValueError
        place = re.search(r"\(at .*\)", str(error))  # only the position, because the text may contain a secret
        raise ConfigurationError([f"{VARIABLE}: no TOML {place[0] if place else ''}".rstrip() + "."], hint=_HINT) from None
    problems = [f"{VARIABLE}: {key}: no such key; expected [[endpoint]]." for key in whole if key != "endpoint"]
    tables = whole.get("endpoint", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        problems.append(f"{VARIABLE}: endpoint: expected [[endpoint]], in two pairs of brackets.")
        tables = []
    if len(tables) > MAX_ENDPOINTS:
        problems.append(f"{VARIABLE}: expected at most {MAX_ENDPOINTS} endpoints, not {len(tables)}.")
    endpoints = [_endpoint(_Table(table, number, problems)) for number, table in enumerate(tables[:MAX_ENDPOINTS], 1)]
    names = [endpoint.name for endpoint in endpoints if endpoint.name]
    problems += [f"{VARIABLE}: endpoint {name}: name: given twice." for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise ConfigurationError(problems, hint=_HINT)
    return tuple(endpoints)


class _Table:
    """The keys of one endpoint; the problems of each are collected, and its default is used instead."""

    def __init__(self, table: Mapping[str, Any], number: int, problems: list[str]) -> None:
        self.remaining = dict(table)
        self._problems = problems
        name = table.get("name")
        self._where = f"endpoint {name}" if isinstance(name, str) and _NAME.fullmatch(name) else f"endpoint number {number}"

    def pop(self, key: str, check: Callable[[Any], Any], default: Any = None, *, needed: bool = False) -> Any:
        """Remove a key, and return its checked value."""
        if key not in self.remaining:
            if needed:
                self.problem(key, "missing")
            return default
        try:
            return check(self.remaining.pop(key))
        except ValueError as error:
            self.problem(key, f"expected {error}")
            return default

    def problem(self, key: str, what: str) -> None:
        self._problems.append(f"{VARIABLE}: {self._where}: {key}: {what}.")


def _endpoint(table: _Table) -> Endpoint:
    name = table.pop("name", _name, "", needed=True)
    allow_http = table.pop("allow_http", _boolean, default=False)
    url = table.pop("url", _text(lambda text: check_url(text, allow_http=allow_http)), "", needed=True)
    sources = _secrets(table)
    rules = Rules(
        kinds=table.pop("kinds", _set_of(_kind), frozenset()),
        fields=table.pop("fields", _set_of(_field), frozenset()),
        tags=table.pop("tags", _set_of(_within_bound("Tags")), frozenset()),
        ids=table.pop("ids", _set_of(_within_bound("TemplateId")), frozenset()),
        types=table.pop("types", _set_of(_within_bound("TemplateType")), frozenset()),
        price_change=table.pop("price_change", _text(price_rule)),
        breaking=table.pop("breaking", _boolean, default=False),
    )
    if why := contradiction(rules):
        table.problem("kinds", why)
    per = table.pop("per", _enum("change", "run"), "change")
    start = table.pop("from", _enum("end", "start"), "end")
    enabled = table.pop("enabled", _boolean, default=True)
    for key in table.remaining:  # a misspelt rule would match everything
        table.problem(key, f"no such key; expected one of {', '.join(KEYS)}")
    return Endpoint(name, url, sources, rules, per=per, start=start, enabled=enabled, allow_http=allow_http)


def _secrets(table: _Table) -> tuple[SecretSource, ...]:
    """Return one source of a secret, or two during a rotation."""
    if not table.remaining.keys() & {"secret_env", "secret_file"}:
        table.problem("secret_env", "missing, and no secret_file either")
    checks = {"secret_env": _variable, "secret_file": _path}
    found = [SecretSource(kind, each) for kind, check in checks.items() for each in table.pop(kind, _one_or_more(check), ())]
    if len(found) > 2:  # noqa: PLR2004 - the old and the new one
        table.problem("secret_env", f"expected one secret, or two while one is rotated, not {len(found)}")
    return tuple(found)


# Checks of values; each raises ValueError with what was expected --------------------------------------------------------


def _text(check: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: check(_texts([value], "a text in quotes")[0])


def _set_of(check: Callable[[str], str]) -> Callable[[Any], frozenset[str]]:
    expected = "a list of texts with at least one in it: an empty one could never match"
    return lambda value: frozenset(map(check, _texts(value, expected)))


def _one_or_more(check: Callable[[str], str]) -> Callable[[Any], list[str]]:
    expected = "a text in quotes, or a list of two while one is rotated"
    return lambda value: list(map(check, _texts(value if isinstance(value, list) else [value], expected)))


def _texts(value: Any, expected: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise ValueError(expected)
    return value


def _enum(*words: str) -> Callable[[Any], str]:
    def checked(value: Any) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return checked


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false, without quotes")  # noqa: TRY004 - ValueError for every problem
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("1 to 64 letters, digits, dots, dashes or underscores")
    return value


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"any of {', '.join(KINDS)}, not {value!r}")
    return value


def _field(value: str) -> str:
    if not is_field(value):
        raise ValueError(f"fields as `changes` shows them, such as title or consume_items.720p, not {value!r}")
    return value


def _within_bound(name: str) -> Callable[[str], str]:
    """Refuse values that no template can have, because records with longer ones are rejected."""

    def checked(value: str) -> str:
        if len(value) > BOUNDS[name]:
            raise ValueError(f"texts of at most {BOUNDS[name]} characters: a longer one could never match")
        return value

    return checked


def _variable(value: str) -> str:
    if value.startswith(PREFIX) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("the name of an environment variable, not the secret itself")
    return value


def _path(value: str) -> str:
    if value.startswith(PREFIX):
        raise ValueError("the name of a file, not the secret itself")
    return value
