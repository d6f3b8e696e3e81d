"""Load the file of endpoints and their secrets, anew for each delivery, so that a removed endpoint gets no more messages."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sync.config.files import secret_file
from sync.config.settings import dotenv_file
from sync.errors import ConfigurationError
from sync.webhooks.endpoints import VARIABLE, check_secret, read_endpoints, secret_forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.webhooks.endpoints import Endpoint

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
                if check_secret(text) in secrets:
                    raise ValueError("two different secrets: the second equals the first")
                secrets.append(text)
            except ValueError as error:
                where = f"secret_env ({name})" if kind == "secret_env" else kind
                problems.append(f"{VARIABLE}: endpoint {endpoint.name}: {where}: expected {error}.")
        loaded.append(SignedEndpoint(endpoint, tuple(secrets)))
    if problems:
        raise ConfigurationError(problems, hint=_HINT)
    return loaded


def secrets_of(endpoints: Sequence[SignedEndpoint]) -> list[str]:
    """Return the texts to hide in all output: secrets, and addresses with and without the host.

    Parts of a path are hidden in responses only (`sync.webhooks.sign_and_send`), because some are ordinary words.
    """
    secrets = [form for each in endpoints for secret in each.secrets for form in secret_forms(secret)]
    return secrets + [part for each in endpoints for part in (each.endpoint.url, *each.endpoint.secret_parts)]
