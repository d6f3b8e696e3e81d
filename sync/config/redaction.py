"""PURE. Replace known secrets, such as the API key or a password, in text that is printed, logged or stored."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST_SECRET = 6
"""Characters of a secret that is replaced; a shorter one is part of too many words."""
HIDDEN = "[secret]"
_SHORTEST_BEGINNING = 6
"""Characters of a secret that are replaced at the end of a truncated text."""
_BYTES = "surrogateescape"
"""The error handler of the environment for bytes that are not UTF-8."""


class Redactor:
    """Replace secrets of at least `shortest` characters, written literally, percent-encoded or with the escapes of JSON."""

    def __init__(self, secrets: Iterable[str], *, shortest: int = SHORTEST_SECRET) -> None:
        self._secrets = tuple(sorted((each for each in secrets if len(each) >= shortest), key=len, reverse=True))
        self._written = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in self._secrets]
        spelled = [[_spellings(char) for char in secret] for secret in self._secrets]
        self._pattern = re.compile("|".join(map("".join, spelled)) or "(?!)")
        self._beginning = re.compile("|".join(map(_beginning, spelled)) or "(?!)")
        forms = sorted({form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True)
        self._bytes = [(form.encode("utf-8", _BYTES), HIDDEN.encode()) for form in forms]

    def __call__(self, text: str) -> str:
        """Replace every secret in a text."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return self._pattern.sub(HIDDEN, text) if "%" in text or "\\" in text else text

    def of_a_part(self, text: str) -> str:
        """Replace every secret in a truncated text, and the beginning of a secret at its end."""
        return self._beginning.sub(HIDDEN, self(text))

    def body(self, body: bytes) -> bytes:
        """Replace every secret in bytes of JSON that are not decoded yet, where all its characters are written in one way."""
        for form, hidden in self._bytes:
            body = body.replace(form, hidden)
        return body

    def value(self, value: Any) -> Any:
        """Replace every secret in a decoded JSON value, keys included; return the same object if it has none."""
        from sync.catalog.json_values import encode_json  # it imports msgspec, which `--help` does not need

        # One text is searched, not each string, because every decoded record comes here.
        written = encode_json(value)
        # `written` has each backslash twice, so the pattern does not match an escape of JSON in it.
        may_be_escaped = "%" in written and ("\\" in written or self._pattern.search(written))
        if not may_be_escaped and not any(secret in written for secret in self._written):
            return value
        replaced = self._replaced(value)
        return value if replaced == value else replaced  # equal if only a number looks like a secret

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self._replaced(inner) for inner in value]
        if isinstance(value, dict):
            return {self(name): self._replaced(inner) for name, inner in value.items()}
        return value


def _forms(secret: str) -> Iterable[str]:
    """Return the usual ways to write a whole secret."""
    return secret, json.dumps(secret)[1:-1], quote(secret, safe="", errors=_BYTES), quote(secret, errors=_BYTES)


def _spellings(char: str) -> str:
    """Return a pattern of one character, literal or escaped."""
    percent = "".join(f"%{_any_case(f'{byte:02x}')}" for byte in char.encode("utf-8", _BYTES))
    escaped = "".join(rf"\\u{_any_case(unit)}" for unit in re.findall("....", char.encode("utf-16-be", "surrogatepass").hex()))
    return f"(?:{'|'.join((re.escape(json.dumps(char)[1:-1]), re.escape(char), percent, escaped))})"


def _any_case(digits: str) -> str:
    # An inline flag would disable the search for the first character.
    return re.sub("[a-f]", lambda found: f"[{found[0]}{found[0].upper()}]", digits)


def _beginning(spelled: list[str]) -> str:
    """Return a pattern of a secret's beginning where the text ends."""
    rest = spelled[_SHORTEST_BEGINNING:]
    return "".join(spelled[:_SHORTEST_BEGINNING]) + "".join(f"(?:{each}" for each in rest) + ")?" * len(rest) + r"\Z"
