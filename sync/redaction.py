"""PURE. Secrets are hidden wherever a text, a body or a value leaves or enters: the key, a password, whoever quotes them."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST_SECRET = 6
"""Characters. A password of fewer is part of any line: replacing it would only spoil the text."""
HIDDEN = "[secret]"
_BYTES = "surrogateescape"
"""How the environment gives a byte that is no UTF-8: such a password is hidden as well."""
_BEGINNING = 6
"""Characters of a secret at the end of a text that was cut: fewer are nobody's secret."""
_ZEROS, _NO_CHARACTER = re.compile(r"(&#)0+(?=[0-9])"), re.compile(r"&#[0-9]{8,};?")
_HALF_AN_ESCAPE = r"(?:%[0-9a-fA-F]?|\\(?:[ux][0-9a-fA-F]{0,3})?|&(?:#(?:[xX]?[0-9a-fA-F]*))?)?"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


class Redactor:
    """Replace known secrets: as they are, in base64 or hexadecimal, or with characters escaped for a URL, JSON or HTML.

    A secret whose parts are spread over several values, or that is written twice over in such a way, is not found.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        self._forms = sorted({form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True)
        self._shortest = min(map(len, self._secrets), default=2**63)
        chars = {*"".join(self._secrets).encode("utf-8", _BYTES)}
        harmless = rb"0026(?!#)|(?!00)" if b"&"[0] not in chars else rb"(?!00)"
        percent = b"|".join(b"%02x" % char for char in sorted(chars)) or rb"(?!)"
        self._percent = re.compile(rb"%%(?i:%b)" % percent)
        self._escape = re.compile(rb"\\(?!u(?:%b))|&#" % harmless)
        self._byte_forms = [(form.encode("utf-8", _BYTES), HIDDEN.encode()) for form in self._forms]

    def __call__(self, text: str) -> str:
        """Replace every secret in a text."""
        if len(text) < self._shortest:  # most of a catalog's strings are
            return text
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        if any(secret in read for read in _readings(text) for secret in self._secrets):
            for secret in self._secrets:
                text = re.sub("".join(map(_spellings, secret)), HIDDEN, text)
        return text

    def of_a_part(self, text: str) -> str:
        """Replace every secret in a text that may have been cut: also the beginning of one, where it ends."""
        text = self(text)
        for form in self._forms:
            places = range(max(0, len(text) - len(form) + 1), len(text) - _BEGINNING + 1)
            at = next((place for place in places if form.startswith(text[place:])), len(text))
            text = text[:at] + HIDDEN if at < len(text) else text
        for secret in self._secrets if any(sign in text for sign in ("%", "&", "\\")) else ():
            spelled = [*map(_spellings, secret)]
            rest = "".join(f"(?:{each}" for each in spelled[_BEGINNING:]) + ")?" * len(spelled[_BEGINNING:])
            text = re.sub("".join(spelled[:_BEGINNING]) + rest + _HALF_AN_ESCAPE + r"\Z", HIDDEN, text)
        return text

    def body(self, body: bytes) -> bytes:
        """Replace in bytes every secret that needs no reading of escapes: those are for `value`, when they have been read."""
        for form, hidden in self._byte_forms:
            body = body.replace(form, hidden)
        return body

    def may_spell(self, written: bytes) -> bool:
        """Tell whether JSON, in whose bytes nothing is left to replace, may spell a secret once its escapes are read.

        Never wrong in saying no. Of percent signs only those that stand for a character of a secret count; and an escaped `&`,
        as Go writes those of a URL, does not, unless a number sign follows.
        """
        if b"%" in written and self._percent.search(written):
            return True
        return (b"\\" in written or b"&#" in written) and self._escape.search(written) is not None

    def value(self, value: Any) -> Any:
        """Replace every secret in a decoded JSON value, names included; in place where it can."""
        if isinstance(value, str):
            return self(value) if len(value) >= self._shortest else value
        if isinstance(value, list):
            value[:] = [self.value(inner) for inner in value]
        elif isinstance(value, dict):
            items = [(self(name), self.value(inner)) for name, inner in value.items()]
            value.clear()  # and not a new one: its class may say that it is ambiguous
            value.update(items)
        return value


def _forms(secret: str) -> Iterator[str]:
    """Write a secret in every way that can be searched for as it stands."""
    yield from (secret, json.dumps(secret)[1:-1], quote(secret, safe="", errors=_BYTES), quote(secret, errors=_BYTES))
    raw = secret.encode("utf-8", _BYTES)
    yield from (raw.hex(), raw.hex().upper())
    # Where it stands in what was encoded decides about the letters, and those at the edges hold neighbours' bits, too.
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode().rstrip("=")
            yield text[(before * 8 + 5) // 6 : len(text) - bool((before + len(raw)) % 3)]


def _readings(text: str) -> Iterator[str]:
    """Read a text as whoever unescapes it would."""
    if "%" in text:
        yield unquote(text)
    if "&#" in text:
        from html import unescape  # with its table of names it takes 0.01 s, and hardly any text needs it

        # A number of thousands of digits is no character, and for Python no number.
        yield unescape(_NO_CHARACTER.sub("\ufffd", _ZEROS.sub(r"\1", text)))
    if "\\" in text:
        yield _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def _spellings(char: str) -> str:
    """Match one character in all its spellings."""
    number = ord(char)
    escapes = rf"%{number:02x}|\\u{number:04x}|\\x{number:02x}|&#0*{number};|&#x0*{number:x};"
    return f"(?:{re.escape(char)}|(?i:{escapes}))"
