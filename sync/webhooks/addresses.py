"""PURE. Check the addresses that messages may be sent to: https or loopback, no link-local address or metadata service.

Operators configure the addresses, so private networks are allowed.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus, urlsplit

from sync.config.addresses import LOOPBACK, http_url, is_metadata_service

EXAMPLE = "https://example.com/hooks/templates"


def check_url(text: str) -> str:
    """Return a URL that messages may be sent to; errors never contain it, because its path can be a secret.

    Raises:
        ValueError: with what was expected.
    """
    url = http_url(text, EXAMPLE)
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError("a URL without a fragment, which is never sent")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("an https:// URL: plain http is for loopback addresses only")
    if not is_allowed(parts.hostname or ""):
        raise ValueError("a URL to another host: this address is link-local or of a cloud's metadata service")
    return url


def is_allowed(host: str) -> bool:
    """Return whether messages may be sent to a host, by its IP address; a host name is allowed."""
    try:
        return not is_metadata_service(host)
    except ValueError:
        return True


def origin(url: str) -> str:
    """Return scheme and host of a URL, without path and query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def whole_parts(url: str) -> list[str]:
    """Return what follows the host of a URL, its path and its query, without empty ones."""
    rest = url.removeprefix(origin(url))
    path, _, query = rest.partition("?")
    return [part for part in dict.fromkeys((rest, path, query)) if part]


def secret_parts(url: str) -> list[str]:
    """Return every part of a URL after its host, as it is written and decoded.

    A receiver may quote any of them: the last part of its own path, or the value of `?token=`.
    """
    pieces = [piece for part in whole_parts(url) for piece in (part, *re.split(r"[/?&=;:,@]", part))]
    return list(dict.fromkeys(form for piece in pieces for form in (piece, unquote(piece), unquote_plus(piece)) if form))
