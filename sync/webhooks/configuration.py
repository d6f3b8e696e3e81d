"""Load the file of endpoints and their secrets, anew for each delivery, so that a removed endpoint gets no more messages.

All problems are reported at once, by endpoint and key.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.catalog.fields import BOUNDS
from sync.config.files import secret_file
from sync.config.settings import dotenv_file
from sync.errors import ConfigurationError
from sync.webhooks import endpoints
from sync.webhooks.endpoints import KINDS, PREFIX, Endpoint, Rules, SecretSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

VARIABLE = "SYNC_WEBHOOKS_FILE"
MAX_ENDPOINTS = 20
"""Each endpoint has two threads, for delivery and for its timeout, so that a slow one does not delay others; the unit files allow
64 threads.
"""
KEYS = (
    "name", "url", "secret_env", "secret_file", "kinds", "fields", "tags", "ids", "types", "price_change", "breaking", "per",
    "from", "enabled", "allow_http",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIMIT = 2**20


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """An endpoint with its signing secrets: one, or two during a rotation."""

    endpoint: Endpoint
    secrets: tuple[str, ...] = field(repr=False)


def load_endpoints(
    path: str,
    environ: Mapping[str, str] = os.environ,
    dotenv: Path | None = Path(".env"),
    warnings: list[str] | None = None,
) -> list[SignedEndpoint]:
    """Read the file, and the secrets of each enabled endpoint; a relative `secret_file` is relative to its folder.

    Args:
        path: the file.
        environ: environment variables.
        dotenv: a `.env` file for variables that are not set.
        warnings: receives a sentence for each secret file that other users can read.

    Raises:
        ConfigurationError: with all problems.
    """
    variables = {**dotenv_file(dotenv), **{name: value for name, value in environ.items() if value}}
    problems: list[str] = []
    loaded: list[SignedEndpoint] = []
    for endpoint in (each for each in endpoints_in(path) if each.enabled):
        secrets: list[str] = []
        for kind, name in endpoint.secrets:
            try:
                if kind == "secret_file":
                    text = secret_file(kind, Path(path).parent / name, [] if warnings is None else warnings)
                elif not (text := (variables.get(name) or "").strip()):
                    raise ValueError("that variable to be set")
                if endpoints.check_secret(text) in secrets:
                    raise ValueError("two different secrets: the second equals the first")
                secrets.append(text)
            except ValueError as error:
                where = f"secret_env ({name})" if kind == "secret_env" else kind
                problems.append(f"{VARIABLE}: endpoint {endpoint.name}: {where}: expected {error}.")
        loaded.append(SignedEndpoint(endpoint, tuple(secrets)))
    if problems:
        raise ConfigurationError(problems, hint="docs/changes.md describes each key; nothing was sent.")
    return loaded


def secrets_of(loaded: Sequence[SignedEndpoint]) -> list[str]:
    """Return the texts to hide in all output: secrets, and addresses with and without the host.

    Parts of a path are hidden in responses only (`sync.webhooks.sign_and_send`), because some are ordinary words.
    """
    secrets = [form for each in loaded for secret in each.secrets for form in endpoints.secret_forms(secret)]
    return secrets + [part for each in loaded for part in (each.endpoint.url, *each.endpoint.secret_parts)]


def endpoints_in(path: str) -> tuple[Endpoint, ...]:
    """Read the file, without the secrets.

    Raises:
        ConfigurationError: with all problems.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LIMIT + 1)
        text = content.decode("utf-8-sig") if len(content) <= _LIMIT else None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigurationError([f"{VARIABLE}: expected a readable file ({path}: {reason})."]) from None
    if text is None:
        raise ConfigurationError([f"{VARIABLE}: expected a file of at most 1 MiB ({path})."])
    return read_endpoints(text)


def read_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Parse the text of the file.

    Raises:
        ConfigurationError: with all problems.
    """
    problems: list[str] = []
    found: list[Endpoint] = []
    try:
        whole = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits raises ValueError
        place = re.search(r"\(at .*\)", str(error))  # only the position, because the text may contain a secret
        problems.append(f"{VARIABLE}: not valid TOML {place[0] if place else ''}".rstrip() + ".")
    else:
        found = _endpoints(whole, problems)
    if problems:
        raise ConfigurationError(problems, hint="docs/changes.md lists every key; nothing was sent.")
    return tuple(found)


def _endpoints(whole: Mapping[str, Any], problems: list[str]) -> list[Endpoint]:
    problems += [f"{VARIABLE}: {key}: no such key; expected [[endpoint]]." for key in whole if key != "endpoint"]
    tables = whole.get("endpoint", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        problems.append(f"{VARIABLE}: endpoint: expected [[endpoint]], in two pairs of brackets.")
        return []
    if len(tables) > MAX_ENDPOINTS:
        problems.append(f"{VARIABLE}: expected at most {MAX_ENDPOINTS} endpoints, not {len(tables)}.")
    found = [_endpoint(_Table(table, number, problems)) for number, table in enumerate(tables[:MAX_ENDPOINTS], 1)]
    names = [endpoint.name for endpoint in found if endpoint.name]
    problems += [f"{VARIABLE}: endpoint {name}: name: given twice." for name in sorted({n for n in names if names.count(n) > 1})]
    return found


class _Table:
    """The keys of one endpoint; the problems of each are collected, and its default is used instead."""

    def __init__(self, table: Mapping[str, Any], number: int, problems: list[str]) -> None:
        self.remaining = dict(table)
        self._problems = problems
        name = table.get("name")
        self._where = f"endpoint {name}" if _is_name(name) else f"endpoint number {number}"

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
    name = table.pop("name", _that(_is_name, "1 to 64 letters, digits, dots, dashes or underscores"), "", needed=True)
    allow_http = table.pop("allow_http", _boolean, default=False)
    url = table.pop("url", _text(lambda text: endpoints.check_url(text, allow_http=allow_http)), "", needed=True)
    sources = _secrets(table)
    rules = Rules(
        **{key: table.pop(key, _set_of(check), frozenset()) for key, check in _SETS.items()},
        price_change=table.pop("price_change", _text(endpoints.price_rule)),
        breaking=table.pop("breaking", _boolean, default=False),
    )
    if why := endpoints.contradiction(rules):
        table.problem("kinds", why)
    per = table.pop("per", _that(("change", "run").__contains__, "one of change, run"), "change")
    start = table.pop("from", _that(("end", "start").__contains__, "one of end, start"), "end")
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


# Checks of values; each returns the value, or raises ValueError with what was expected ----------------------------------


def _that(is_valid: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not is_valid(value):
            raise ValueError(expected.format(value))
        return value

    return check


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


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


def _within_bound(name: str) -> Callable[[str], str]:
    """Refuse values that no template can have, because records with longer ones are rejected."""
    expected = f"texts of at most {BOUNDS[name]} characters: a longer one could never match"
    return _that(lambda text: len(text) <= BOUNDS[name], expected)


_boolean = _that(lambda value: isinstance(value, bool), "true or false, without quotes")
_variable = _that(
    lambda text: not text.startswith(PREFIX) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text),
    "the name of an environment variable, not the secret itself",
)
_path = _that(lambda text: not text.startswith(PREFIX), "the name of a file, not the secret itself")
_SETS: dict[str, Callable[[str], str]] = {
    "kinds": _that(KINDS.__contains__, f"any of {', '.join(KINDS)}, not {{!r}}"),
    "fields": _that(endpoints.is_field, "fields as `changes` shows them, such as title or consume_items.720p, not {!r}"),
    "tags": _within_bound("Tags"),
    "ids": _within_bound("TemplateId"),
    "types": _within_bound("TemplateType"),
}
