"""One POST to an operator's address, one GET of a stranger's: bounded in time and size, never redirected, past no proxy."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

OK = range(200, 300)
"""The status of an answer that says yes. A redirect is none: nobody was told."""


class Answer(NamedTuple):
    """What came back: the status, the headers, and where it was asked for the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    limit: float,
    trust: ssl.SSLContext | None = None,
    allowed: Callable[[str], bool] = lambda _address: True,
    read: int = 0,
) -> Answer:
    """Send one request and give the answer.

    Args:
        url: http or https.
        content: the body, sent as it is.
        headers: besides those that HTTP itself needs.
        limit: seconds for all of it. Only a name that resolves slowly can take longer; then nothing is sent any more.
        trust: the certificate authorities; httpx's own if not given.
        allowed: asked with the address that a connection led to, before anything is sent over it.
        read: at most so many bytes of the body of an answer that says no; of one that says yes nothing is read, as the status is
            all that counts, and a body may hang.

    Raises:
        TimeoutError: it took too long.
        PermissionError: the address is not allowed.
        Exception: whatever httpx raises. Its text may quote what was sent; see `transport_failure`.
    """
    return _ask(
        "POST", url, content, headers, limit=limit, trust=trust, allowed=allowed, most=lambda status: 0 if status in OK else read
    )


def get(
    url: str, headers: Mapping[str, str], *, limit: float, trust: ssl.SSLContext | None, allowed: Callable[[str], bool], read: int
) -> Answer:
    """Ask for something and give the answer: at most so many bytes of the body of one that says yes, nothing of another.

    Raises:
        TimeoutError: it took too long.
        PermissionError: the address is not allowed.
        Exception: whatever httpx raises.
    """
    return _ask(
        "GET", url, b"", headers, limit=limit, trust=trust, allowed=allowed, most=lambda status: read if status in OK else 0
    )


def _ask(
    method: str,
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    limit: float,
    trust: ssl.SSLContext | None,
    allowed: Callable[[str], bool],
    most: Callable[[int], int],
) -> Answer:
    import httpx

    with _Deadline(limit, allowed) as deadline, httpx.HTTPTransport(verify=trust or True, trust_env=False) as transport:
        # The bare transport: a Client would log the address, follow the environment's proxies and keep cookies.
        request = httpx.Request(
            method,
            url,
            headers={"User-Agent": "template-sync", "Accept-Encoding": "identity", **headers},
            content=content,
            extensions={"timeout": httpx.Timeout(limit).as_dict(), "trace": deadline.trace},
        )
        try:
            response = transport.handle_request(request)
        except Exception as failure:
            if deadline.over:
                raise TimeoutError from failure
            raise
        try:
            body = _beginning(response, most(response.status_code))
        finally:
            response.close()
    if method == "GET" and deadline.over:
        raise TimeoutError
    return Answer(response.status_code, response.headers, body)


def _beginning(response: Any, most: int) -> bytes:
    """Read the beginning of a body; whatever it lies about, the status was told, so that what came of it is enough."""
    found = b""
    with suppress(Exception):
        for chunk in response.iter_raw() if most else ():
            found += chunk
            if len(found) >= most:
                break
    return found[:most]


class _Deadline:
    """Ends a request that is not over in time.

    The timeouts of httpx are for each read, so a server that sends one byte every four seconds would keep the thread for
    days. Once the time is over the socket is shut down, which wakes a read that waits on it.
    """

    def __init__(self, limit: float, allowed: Callable[[str], bool]) -> None:
        self.over = False
        self._allowed = allowed
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(limit, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn the connection's socket; TLS puts another one in the place of the first."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            connection = info["return_value"]
            reached: socket.socket = connection.get_extra_info("socket")
            self._socket = reached
            if self.over or not self._allowed(reached.getpeername()[0]):
                connection.close()  # httpcore does not know it yet, and would lose it
                raise TimeoutError if self.over else PermissionError

    def _cut(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed already
                # Not SSLSocket's own, which first takes the TLS object from under the thread that reads with it.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
