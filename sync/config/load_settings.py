"""Load the settings, each with its source.

Precedence: flag > environment > `.env` file > default. An empty variable counts as not set, as with `docker -e NAME=`.
pydantic-settings is not used, because it adds 0.2 s to every start, has no `NAME_FILE` variables, and does not report sources.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.config.settings import DATABASE_ACCOUNT, OPTIONS, Option, Settings
from sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MASK = "********"
_KEY_SHAPE = re.compile(r"ak_[A-Za-z0-9]{32}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of one setting, and its value as printed."""

    option: Option
    shown: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, the origin of each field, warnings, and all secrets. `files`: a variable, or `.env`, -> the file it names."""

    settings: Settings
    flags: Mapping[str, str | None]
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]
    secrets: tuple[str, ...]
    files: Mapping[str, str]


def load(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    dotenv: Path | None,
    *,
    needs_key: bool = False,
    keyless: bool = False,
) -> Loaded:
    """Read every setting; raise ConfigurationError with all errors.

    Args:
        flags: option field -> text of the flag; None or absent: not given.
        environ: the environment.
        dotenv: a `.env` file, which is read if it exists.
        needs_key: whether a missing key is an error.
        keyless: whether to ignore the key.
    """
    warnings: list[str] = []
    layers: list[tuple[str, Mapping[str, str | None]]] = [("environment", environ), (".env file", dotenv_file(dotenv, warnings))]
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    problems: list[str] = []
    secrets: list[str] = []
    files = {".env": str(dotenv)} if dotenv is not None and dotenv.is_file() else {}
    twins = [f"{option.variable}_FILE" for option in OPTIONS if option.file_twin]
    files |= {name: path for name in twins for _, layer in reversed(layers) if (path := layer.get(name))}
    outranked = _outranked(flags, [layer for _, layer in layers])
    warnings += _misspelt(layers)
    possible_causes = tuple(warnings)
    for option in OPTIONS:
        text, source = None, ""
        try:
            if option.field == outranked:
                text, source = option.default, "default"
            elif not (keyless and option.field == "api_key"):
                text, source = _find(option, flags, layers, warnings)
            if text is None:
                values[option.field] = None
                origins[option.field] = Origin(option, "", "not set")
                continue
            values[option.field] = option.parse(text)
        except ValueError as error:
            problems.append(f"{option.variable}: expected {error}{_given(option, text, source)}.")
            continue
        if option.metavar == "FILE":
            files[option.variable] = text
        shown, hidden = _masked(option, text.strip())
        secrets += hidden
        origins[option.field] = Origin(option, shown, source)
    problems += _contradictions(values, origins) + _paths_in_use(values, files)
    if needs_key and "api_key" in values and values["api_key"] is None:
        problems.insert(0, _NO_KEY)
    if problems:
        raise ConfigurationError([*problems, *possible_causes])
    if values["api_key"] and not _KEY_SHAPE.fullmatch(values["api_key"]):
        warnings.append("CRUN_API_KEY does not look like a Crun key (ak_ and 32 characters); it is used anyway.")
    return Loaded(Settings(**values), flags, origins, tuple(warnings), tuple(secrets), files)


def _misspelt(layers: list[tuple[str, Mapping[str, str | None]]]) -> list[str]:
    """Return a warning for each variable that has no meaning, but nearly the name of one that has."""
    known = {option.variable for option in OPTIONS} | {f"{option.variable}_FILE" for option in OPTIONS if option.file_twin}
    found = {name: source for source, layer in reversed(layers) for name in layer if name.startswith(("SYNC_", "CRUN_"))}
    unknown = sorted(name for name in found.keys() - known if not name.startswith("SYNC_TEST_"))
    if not unknown:
        return []
    from difflib import get_close_matches

    near = {name: get_close_matches(name, sorted(known), n=1, cutoff=0.75) for name in unknown}
    return [f"{name} ({found[name]}) is not a setting; did you mean {meant[0]}?" for name, meant in near.items() if meant]


def dotenv_file(path: Path | None, warnings: list[str] | None = None) -> Mapping[str, str | None]:
    """Read a `.env` file if it exists; raise ConfigurationError if it cannot be read. `warnings` gets invalid lines."""
    try:
        if path is None or not path.is_file():
            return {}
        from dotenv.parser import parse_stream  # dotenv_values() logs invalid lines before logging is configured

        with path.open(encoding="utf-8-sig") as file:
            found = list(parse_stream(file))
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            [f"{path} in the working directory could not be read as a UTF-8 file of NAME=value lines."]
        ) from None
    if warnings is not None:
        warnings += [f"{path}, line {each.original.line}: not of the form NAME=value; ignored." for each in found if each.error]
    return {each.key: each.value for each in found if each.key is not None}


def _outranked(flags: Mapping[str, str | None], layers: list[Mapping[str, str | None]]) -> str | None:
    """Return which of interval and cron a source of higher precedence overrides; they are one setting, the schedule."""
    schedule = {option.field: option.variable for option in OPTIONS if option.field in {"interval", "cron"}}
    given = [{field for field in schedule if flags.get(field) is not None}]
    given += [{field for field, variable in schedule.items() if layer.get(variable)} for layer in layers]
    nearest = next((fields for fields in given if fields), set())
    return (schedule.keys() - nearest).pop() if len(nearest) == 1 else None


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
        if "\0" in (direct or path or ""):  # possible in a `.env` file
            raise ValueError("a text without a NUL character")
        if path is not None:
            from sync.config.files import secret_file

            return secret_file(f"{option.variable}_FILE", path, warnings), f"{source}, {option.variable}_FILE"
        if direct is not None:
            return direct, source
    return option.default, "default"


def _given(option: Option, text: str | None, source: str) -> str:
    """Describe the given value and its source, without the value if it may contain a secret."""
    if text is None or option.secret or option.metavar == "URL" or "://" in text:
        return f" ({source})" if source else ""
    return f"; {source} says {text[:60]!r}"


def _masked(option: Option, text: str) -> tuple[str, list[str]]:
    """Return the value of a setting as printed, and the strings of it that no log line may contain."""
    if option.variable != "DATABASE_URL":
        if not option.secret:
            return text, []
        # A server quotes the path of a URL by itself, such as in a redirect.
        path = re.fullmatch(r"https?://[^/]*(/.*[^/])/*", text, re.IGNORECASE)
        return MASK, [text, *([path[1]] if path else [])]
    from urllib.parse import parse_qsl, unquote

    head, separator, rest = text.partition("://")
    account = DATABASE_ACCOUNT.match(rest)
    password = account["password"] if account else None
    place, _, query = rest[account.end() if account else 0 :].partition("?")
    secrets = [password, unquote(password)] if password else []
    secrets += [value for name, value in parse_qsl(query) if "pass" in name.lower() or "pwd" in name.lower()]
    shown = f"{account['user']}{'' if password is None else f':{MASK}'}@" if account and account[0] else ""
    return f"{head}{separator}{shown}{place}", secrets  # not the query, which may contain a password


def _contradictions(values: Mapping[str, Any], origins: Mapping[str, Origin]) -> list[str]:
    problems = []
    if values.get("cron") and ("interval" not in origins or origins["interval"].source != "default"):
        problems.append("SYNC_CRON: set either SYNC_INTERVAL or SYNC_CRON, not both.")
    if values.get("proxy") and str(values.get("base_url")).startswith("http://"):
        problems.append("SYNC_PROXY: not allowed with a plain http base URL: the proxy would see the API key.")
    return problems


def _paths_in_use(values: Mapping[str, Any], files: Mapping[str, str]) -> list[str]:
    """Name each setting whose file is written although it is that of another one."""
    site = values.get("site_dir")
    if not files and not site:
        return []
    from sync.config.files import files_in_use, owner_of

    database_url, problems = values.get("database_url") or "", []
    others = {name: path for name, path in files.items() if name != "SYNC_METRICS_FILE"}
    if site and (owner := owner_of(site, files_in_use(database_url, files))):
        # A directory in place of a missing side file would make the database unusable.
        problems.append(f"SYNC_SITE_DIR: {site} is {owner}, not a directory for the gallery.")
    elif site and os.path.exists(site) and not os.path.isdir(site):  # noqa: PTH110, PTH112 - Path raises for a long name
        problems.append(f"SYNC_SITE_DIR: {site} is a file, not a directory for the gallery.")
    if (metrics := values.get("metrics_file")) and (owner := owner_of(metrics, files_in_use(database_url, others))):
        problems.append(f"SYNC_METRICS_FILE: {metrics} is {owner}, which every run would replace.")
    database = files_in_use(database_url, {})
    owners = {name: owner_of(path, database) for name, path in others.items()}
    return problems + [f"{name}: {others[name]} is {owner}, which every run writes." for name, owner in owners.items() if owner]


_NO_KEY = "CRUN_API_KEY: not set. Set it, or CRUN_API_KEY_FILE to a file that contains it; `template-sync demo` needs no key."


def require_key(settings: Settings) -> str:
    """Return the API key; raise ConfigurationError if it is not set."""
    if settings.api_key is None:
        raise ConfigurationError([_NO_KEY])
    return settings.api_key
