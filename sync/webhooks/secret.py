"""PURE. What may sign: the library takes any text for a secret, and makes eleven bytes of one that was pasted wrong."""

from __future__ import annotations

from base64 import b64decode, b64encode

PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def check_secret(text: str) -> str:
    """Refuse what is no secret of Standard Webhooks; it is never repeated.

    Raises:
        ValueError: saying what was expected.
    """
    written = text.removeprefix(PREFIX)
    try:
        key = b64decode(written, validate=True)
    except ValueError:
        key = b""
    exact = text.startswith(PREFIX) and b64encode(key).decode() == written  # the decoder lets some slips pass
    if not exact or not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"{PREFIX} and then {_SHORTEST} to {_LONGEST} random bytes in base64, with its = at the end")
    return text


def spellings(secret: str) -> list[str]:
    """Write a secret in every way in which whoever is told it may quote it: whole, bare, and the bytes that really sign."""
    written = secret.removeprefix(PREFIX)
    key = b64decode(written)
    text = key.decode("utf-8", "replace")
    return [secret, written, key.hex(), key.hex().upper(), *([text] if text.encode() == key else [])]
