"""PURE. An http address, as whoever writes settings may give one.

Whether a request to a server on loopback means it.

A web page can point a name of its own at 127.0.0.1 and have a browser read what answers there (DNS rebinding); it cannot
choose the Host header that the browser sends.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def http_url(value: str, example: str = "https://api.crun.ai") -> str:
    """Read an address; it is never repeated in an error, as it may hold a secret.

    Raises:
        ValueError: saying what was expected.
    """
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
        host = (parts.hostname or "").encode("idna")
        if host.decode("idna").encode("idna") != host or not (parts.hostname or "").isascii():
            raise ValueError
    except ValueError:  # of names outside ASCII only the xn-- form is the same for every resolver and client
        raise ValueError(f"a URL such as {example}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not re.fullmatch(r"\S+", value.strip()):
        raise ValueError(f"a URL such as {example}")
    if parts.username or parts.password:
        raise ValueError("a URL without a user name or password in it")
    return value.strip()


_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine to itself, with any port or none."""
    return _NAME.fullmatch(host) is not None
