"""Load the file of endpoints and their secrets, anew for each delivery, so that a removed endpoint gets no more messages."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sync.config.secret_file import secret_file
from sync.config.settings import dotenv_file
from sync.errors import ConfigurationError
from sync.webhooks.endpoints import VARIABLE, check_secret, read_endpoints, secret_forms, whole_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.webhooks.endpoints import Endpoint, SecretSource

_LIMIT = 2**20
_HINT = "docs/changes.md describes each key; nothing was sent."


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """An endpoint with its signing secrets: one, or two during a rotation."""

    endpoint: Endpoint
    secrets: tuple[str, ...] = field(repr=False)


def endpoints_in(path: str) -> tuple[Endpoint, ...]:
    """Read the file, without the secrets.

    Raises:
        ConfigurationError: with all problems.
    """
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


def load_endpoints(
    path: str,
    environ: Mapping[str, str] = os.environ,
    dotenv: Path | None = Path(".env"),
    warnings: list[str] | None = None,
) -> list[SignedEndpoint]:
    """Read the file, and the secrets of each enabled endpoint.

    Args:
        path: the file; a relative `secret_file` is relative to its folder.
        environ: environment variables.
        dotenv: a `.env` file for variables that are not set.
        warnings: receives a sentence for each secret file that other users can read.

    Raises:
        ConfigurationError: with all problems.
    """
    enabled = [endpoint for endpoint in endpoints_in(path) if endpoint.enabled]
    variables = {**dotenv_file(dotenv), **{name: value for name, value in environ.items() if value}}
    problems: list[str] = []
    read = partial(_value, variables=variables, folder=Path(path).parent, warnings=[] if warnings is None else warnings)
    found = [SignedEndpoint(endpoint, tuple(_secrets(endpoint, read, problems))) for endpoint in enabled]
    if problems:
        raise ConfigurationError(problems, hint=_HINT)
    return found


def secrets_of(endpoints: Sequence[SignedEndpoint]) -> list[str]:
    """Return the texts to hide in all output: secrets, and addresses with and without the host.

    Parts of a path are hidden in responses only (`sync.webhooks.sign_and_send`), because some are ordinary words.
    """
    secrets = [form for each in endpoints for secret in each.secrets for form in secret_forms(secret)]
    return secrets + [part for each in endpoints for part in (each.endpoint.url, *whole_parts(each.endpoint.url))]


def _secrets(endpoint: Endpoint, read: Callable[[SecretSource], str], problems: list[str]) -> list[str]:
    found: list[str] = []
    for source in endpoint.secrets:
        try:
            secret = check_secret(read(source))
            if secret in found:
                raise ValueError("two different secrets: the second equals the first")
            found.append(secret)
        except ValueError as error:
            name = f" ({source.name})" if source.kind == "secret_env" else ""
            problems.append(f"{VARIABLE}: endpoint {endpoint.name}: {source.kind}{name}: expected {error}.")
    return found


def _value(source: SecretSource, variables: Mapping[str, str | None], folder: Path, warnings: list[str]) -> str:
    if source.kind == "secret_file":
        return secret_file("secret_file", folder / source.name, warnings)
    value = variables.get(source.name)
    if not value:
        raise ValueError("that variable to be set")
    return value.strip()
