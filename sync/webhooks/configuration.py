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
from sync.config.load_settings import dotenv_file
from sync.errors import ConfigurationError
from sync.webhooks import endpoints
from sync.webhooks.endpoints import KINDS, PREFIX, Endpoint, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

VARIABLE = "SYNC_WEBHOOKS_FILE"
MAX_ENDPOINTS = 20
"""Each endpoint has two threads, for delivery and for its timeout, so that a slow one does not delay others; the unit files allow
64 threads.
"""
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
    """Read the file, and the secrets of each enabled endpoint; raise ConfigurationError with all problems.

    A relative `secret_file` is relative to the folder of the file. `dotenv` has the variables that are not set in `environ`;
    `warnings` gets a sentence for each secret file that other users can read.
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
    """Read the file, without the secrets; raise ConfigurationError with all problems."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise ConfigurationError([f"{VARIABLE}: expected a file of at most 1 MiB ({path})."])
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigurationError([f"{VARIABLE}: expected a readable file ({path}: {reason})."]) from None
    return read_endpoints(text)


def secret_files(path: str) -> list[str]:
    """Return the paths of the secrets that the file names; none if it is invalid, which the commands that use it report."""
    try:
        found = endpoints_in(path)
    except ConfigurationError:
        return []
    return [str(Path(path).parent / name) for each in found for kind, name in each.secrets if kind == "secret_file"]


def read_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Parse the text of the file; raise ConfigurationError with all problems."""
    problems: list[str] = []
    found: list[Endpoint] = []
    try:
        whole = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits raises ValueError
        place = re.search(r"\(at .*\)", str(error))  # only the position, because the text may contain a secret
        problems.append(f"not valid TOML {place[0] if place else ''}".rstrip() + ".")
    else:
        found = _endpoints(whole, problems)
    if problems:
        hint = "docs/changes.md lists every key; nothing was sent."
        raise ConfigurationError([f"{VARIABLE}: {problem}" for problem in problems], hint=hint)
    return tuple(found)


def _endpoints(whole: Mapping[str, Any], problems: list[str]) -> list[Endpoint]:
    problems += [f"{key}: no such key; expected [[endpoint]]." for key in whole if key != "endpoint"]
    tables = whole.get("endpoint", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        problems.append("endpoint: expected [[endpoint]], in two pairs of brackets.")
        return []
    if len(tables) > MAX_ENDPOINTS:
        problems.append(f"expected at most {MAX_ENDPOINTS} endpoints, not {len(tables)}.")
    found: list[Endpoint] = []
    for number, table in enumerate(tables[:MAX_ENDPOINTS], 1):
        endpoint, wrong = _endpoint(table)
        found.append(endpoint)
        problems += [f"endpoint {endpoint.name or f'number {number}'}: {problem}." for problem in wrong]
    names = [endpoint.name for endpoint in found if endpoint.name]
    problems += [f"endpoint {name}: name: given twice." for name in sorted({name for name in names if names.count(name) > 1})]
    return found


def _endpoint(table: Mapping[str, Any]) -> tuple[Endpoint, list[str]]:
    """Return the endpoint of a table, with the default of each key that is missing or invalid, and the problems of its keys."""
    values: dict[str, Any] = {"name": "", "url": ""}
    problems: list[str] = []
    allow_http = table.get("allow_http") is True
    for key, check in {**KEYS, "url": _text(lambda text: endpoints.check_url(text, allow_http=allow_http))}.items():
        if key in table:
            try:
                values[key] = check(table[key])
            except ValueError as error:
                problems.append(f"{key}: expected {error}")
        elif key in values:
            problems.append(f"{key}: missing")
        elif key == "secret_env" and "secret_file" not in table:
            problems.append("secret_env: missing, and no secret_file either")
    # A misspelt rule would match everything.
    problems += [f"{key}: no such key; expected one of {', '.join(KEYS)}" for key in table if key not in KEYS]
    sources = tuple((kind, name) for kind in ("secret_env", "secret_file") for name in values.pop(kind, ()))
    if len(sources) > 2:  # noqa: PLR2004 - the old and the new one
        problems.append(f"secret_env: expected one secret, or two while one is rotated, not {len(sources)}")
    rules = Rules(**{key: values.pop(key) for key in Rules.__slots__ if key in values})
    if why := endpoints.contradiction(rules):
        problems.append(f"kinds: {why}")
    start = {"start": values.pop("from")} if "from" in values else {}
    return Endpoint(**values, **start, secrets=sources, rules=rules), problems


# Checks of values; each returns the value, or raises ValueError with what was expected ----------------------------------


def _that(is_valid: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not is_valid(value):
            raise ValueError(expected.format(value))
        return value

    return check


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value) is not None


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
KEYS: dict[str, Callable[[Any], Any]] = {
    "name": _that(_is_name, "1 to 64 letters, digits, dots, dashes or underscores"),
    "url": _text(endpoints.check_url),
    "secret_env": _one_or_more(_variable),
    "secret_file": _one_or_more(_that(lambda text: not text.startswith(PREFIX), "the name of a file, not the secret itself")),
    "kinds": _set_of(_that(KINDS.__contains__, f"any of {', '.join(KINDS)}, not {{!r}}")),
    "fields": _set_of(_that(endpoints.is_field, "fields as `changes` shows them, such as title or consume_items.720p, not {!r}")),
    "tags": _set_of(_within_bound("Tags")),
    "ids": _set_of(_within_bound("TemplateId")),
    "types": _set_of(_within_bound("TemplateType")),
    "price_change": _text(endpoints.price_rule),
    "breaking": _boolean,
    "per": _that(("change", "run").__contains__, "one of change, run"),
    "from": _that(("end", "start").__contains__, "one of end, start"),
    "enabled": _boolean,
    "allow_http": _boolean,
}
"""The check of each key, in the order of the documentation."""
