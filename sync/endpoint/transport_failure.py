"""A transport's failure in plain words. httpx's own text is left out: it may quote what was sent."""

from __future__ import annotations

import httpx

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection within the time allowed"),
    (httpx.TimeoutException, "no answer within the time allowed"),
    (TimeoutError, "no complete answer within the time allowed"),
    (httpx.ProxyError, "the proxy refused"),
    (httpx.RemoteProtocolError, "the connection broke off in the middle of an answer"),
    (httpx.ReadError, "the connection broke off"),
    (httpx.WriteError, "the connection broke off"),
)


def in_plain_words(failure: Exception) -> str:
    """Say why there was no answer, one phrase."""
    for kind, words in _KINDS:
        if isinstance(failure, kind):
            return words
    text = str(failure).lower()
    if "certificate" in text:
        return "its TLS certificate could not be verified"
    if "ssl" in text:
        return "it does not speak TLS as it should"
    if "name or service" in text or "getaddrinfo" in text or "name resolution" in text or "nodename" in text:
        return "its name does not resolve"
    return "the connection was refused" if isinstance(failure, httpx.ConnectError) else "the connection failed"
