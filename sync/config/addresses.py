"""PURE. An http address, as whoever writes settings may give one.

Whether a request to a server on loopback means it.

A web page can point a name of its own at 127.0.0.1 and have a browser read what answers there (DNS rebinding); it cannot
choose the Host header that the browser sends.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sync.catalog.sync_state import LOOPBACK_ORIGIN

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LOOPBACK_NETWORK = re.compile(r"127(\.[0-9]{1,3}){3}")
_USUAL_PORTS = {"http": 80, "https": 443}


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


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, written in one way; LOOPBACK_ORIGIN for every loopback address and port."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if host in LOOPBACK or _LOOPBACK_NETWORK.fullmatch(host):
        return LOOPBACK_ORIGIN
    port = "" if parts.port in {None, _USUAL_PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine to itself, with any port or none."""
    return _NAME.fullmatch(host) is not None
