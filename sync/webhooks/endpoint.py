"""PURE. Who is told of what, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sync.webhooks.rules import Rules

_EVERYTHING = Rules()


class SecretSource(NamedTuple):
    """Where a secret is found: `kind` is `secret_env` or `secret_file`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint, as the file describes it.

    Attributes:
        secrets: where the one secret is, or the two while one is rotated.
        rules: which changes it is told of.
        per: one message a `change`, or one a `run`.
        start: where its first position is: at the feed's `end`, or at its `start`.
        enabled: whether it is told anything; its position stays.
    """

    name: str
    url: str
    secrets: tuple[SecretSource, ...]
    rules: Rules = _EVERYTHING
    per: str = "change"
    start: str = "end"
    enabled: bool = True
