"""Sockets within a deadline: a network backend for httpcore, the engine of httpx.

Every operation on a socket gets a timeout that ends at the deadline. getaddrinfo() has none, and a socket that connects cannot be
shut down, so both run in a thread of each new connection. A thread that is blocked there exits when that call returns; no other
thread waits for it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpcore

from sync.client.network import AddressRefused, TransportFailure, limit_failure
from sync.config.resource_limits import open_files_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


T = TypeVar("T")

RESOLVING, CONNECTING, PROXY, TLS, HEAD, BODY = range(6)
_LATE = {
    RESOLVING: "its name did not resolve within the deadline",
    CONNECTING: "no connection within the deadline",
    PROXY: "the proxy did not respond within the deadline",
    TLS: "no connection within the deadline",
    HEAD: "no response within the deadline",
    BODY: "no complete response within the deadline",
}
_BLANK_LINE, _LAST_CHUNK = b"\r\n\r\n", b"\r\n0\r\n\r\n"
_INSTANT = 0.001
_PIECE = 16_384
"""Bytes of one write, so that a server that reads slowly is noticed at the deadline."""


class Exchange:
    """One request and its response, within a deadline. Only `cancel` and `shut_down` are safe from any thread.

    Attributes:
        stage: the current stage, one of the constants above.
        closed_by_server: whether the server closed the connection.
        stream: the connection in use.
    """

    def __init__(self, limit: float) -> None:
        self.stage = RESOLVING
        self.closed_by_server = False
        self.stream: _Stream | None = None
        self._ends = time.monotonic() + limit
        self._opening: Future[Any] = Future()
        self._cancelled = False

    def left(self, timeout: float | None = None) -> float:
        """Return the seconds that the next operation may take; raise a TransportFailure if there are none."""
        if failure := self.ended():
            raise failure
        left = max(self._ends - time.monotonic(), _INSTANT)
        return left if timeout is None else min(timeout, left)

    def open(self, work: Callable[[], T], discard: Callable[[T], object]) -> T:
        """Do work in a thread and wait for it until the deadline; a later result is discarded."""
        opening: Future[T] = Future()
        self._opening = opening
        limit = self.left()  # after the assignment, so that a cancellation is not missed

        def run() -> None:
            try:
                result = work()
            except Exception as failure:  # noqa: BLE001 - it is raised in the caller's thread
                with suppress(InvalidStateError):
                    opening.set_exception(failure)
                return
            try:
                opening.set_result(result)
            except InvalidStateError:  # the caller does not wait any more
                discard(result)

        try:
            threading.Thread(target=run, name="http", daemon=True).start()
        except RuntimeError as error:
            raise limit_failure(error) or TransportFailure("no thread could be started") from error
        with suppress(TimeoutError, CancelledError):
            return opening.result(limit)
        if opening.cancel():
            raise self.failure()
        return opening.result()  # it arrived at the last moment

    def cancel(self) -> None:
        """Make the exchange fail at once."""
        self._cancelled = True
        self._opening.cancel()
        self.shut_down()

    def shut_down(self) -> None:
        """Shut down the socket, which wakes a thread that waits on it."""
        stream = self.stream  # another thread may close the connection meanwhile
        if stream is not None:
            stream.shut_down()

    def ended(self) -> TransportFailure | None:
        """Return the failure if the exchange was cancelled or its deadline has passed; None before."""
        return self.failure() if self._cancelled or time.monotonic() >= self._ends else None

    def failure(self) -> TransportFailure:
        """Return the failure of an exchange that was cancelled, or whose current stage timed out."""
        return TransportFailure("it was cancelled" if self._cancelled else _LATE[self.stage], timed_out=not self._cancelled)


def addresses(host: str, limit: float) -> list[str]:
    """Resolve a name to IP addresses within `limit` seconds, or raise a TransportFailure."""
    return Exchange(limit).open(lambda: _resolve(host, 0), lambda _: None)


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise limit_failure(open_files_error()) or TransportFailure("its name does not resolve") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Backend(httpcore.NetworkBackend):
    """Opens the connections of httpcore: resolves names, checks addresses, and sets the stage of the exchange.

    Args:
        is_permitted: whether an IP address may be connected to; None: any.
        handshakes: number of TLS handshakes until a tunnel through a proxy is open; 0 without a tunnel.
    """

    def __init__(self, is_permitted: Callable[[str], bool] | None = None, handshakes: int = 0) -> None:
        self.exchange = Exchange(0)
        self._is_permitted = is_permitted
        self._handshakes = handshakes
        self._inner = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> _Stream:
        """Connect to the first address that accepts; each gets an equal share of the remaining time, at most `timeout`."""
        exchange = self.exchange
        inner = exchange.open(lambda: self._connect(exchange, host, port, timeout), lambda late: late.close())
        try:
            plain = inner.get_extra_info("socket").dup()
        except OSError:
            inner.close()
            raise
        return self.opened(_Stream(inner, self, self._handshakes, plain))

    def _connect(self, exchange: Exchange, host: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
        found = _resolve(host, port)
        failure: TransportFailure = AddressRefused("its address is not permitted")
        exchange.stage = CONNECTING
        permitted = [each for each in found if self._is_permitted is None or self._is_permitted(each)]
        for remaining, address in zip(range(len(permitted), 0, -1), permitted, strict=True):
            share = exchange.left() / remaining  # otherwise the first address could take all of the time
            try:
                # As bytes, because for a str Python would import the idna codec, 2 ms.
                limit = share if timeout is None else min(timeout, share)
                return self._inner.connect_tcp(cast("str", address.encode()), port, limit)
            except httpcore.ConnectTimeout:
                failure = TransportFailure(_LATE[CONNECTING], timed_out=True)
            except httpcore.ConnectError as error:
                refused = isinstance(error.__cause__, ConnectionRefusedError)
                usual = TransportFailure("the connection was refused" if refused else "the connection failed")
                failure = limit_failure(error.__cause__) or usual
        raise failure

    def opened(self, stream: _Stream) -> _Stream:
        """Register a connection; TLS replaces the first one."""
        self.exchange.stream = stream
        self.exchange.stage = PROXY if stream.handshakes > 0 else HEAD
        try:
            self.exchange.left()
        except TransportFailure:
            stream.close()
            raise
        return stream


class _Stream(httpcore.NetworkStream):
    """A connection that can be shut down from another thread, and counts the bytes read.

    Args:
        inner: the stream of httpcore.
        backend: the backend that opened it.
        handshakes: as of the backend, without those that were made.
        plain: a duplicate of its socket, because TLS replaces the first socket after the handshake.
    """

    def __init__(self, inner: httpcore.NetworkStream, backend: Backend, handshakes: int, plain: socket.socket) -> None:
        self.handshakes = handshakes
        self._inner, self._backend, self._plain = inner, backend, plain
        self._first = self._last = b""
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read the available bytes."""
        exchange = self._backend.exchange
        data = self._inner.read(max_bytes, exchange.left(timeout))
        exchange.closed_by_server = not data
        # With the end of the previous data, because a server may send the last chunk by itself.
        self._first, self._last = self._first or data, self._last[1 - len(_LAST_CHUNK) :] + data
        self._received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request or a part of it."""
        exchange = self._backend.exchange
        if exchange.stream is not self:
            exchange.stage, exchange.stream = HEAD, self
            self._first, self._last, self._received = b"", b"", 0
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], exchange.left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()
        self._plain.close()

    def shut_down(self) -> None:
        """Shut down the socket."""
        with suppress(OSError):  # it may be closed already
            self._plain.shutdown(socket.SHUT_RDWR)

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        """Agree on TLS."""
        exchange = self._backend.exchange
        exchange.stage = TLS
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, exchange.left(timeout))
        except BaseException as error:
            self._plain.close()
            if not isinstance(error, httpcore.ConnectError):
                raise
            if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise TransportFailure("a TLS protocol error occurred") from error
            reason = error.__cause__.verify_message
            raise TransportFailure(f"its TLS certificate could not be verified ({reason})") from error
        return self._backend.opened(_Stream(inner, self._backend, self.handshakes - 1, self._plain))

    def get_extra_info(self, info: str) -> Any:
        """Return the information of the inner stream."""
        return self._inner.get_extra_info(info)

    def ends_with(self, headers: Mapping[str, str]) -> bool:
        """Return whether no bytes follow the response; they would be mistaken for the next response."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._last.partition(_LAST_CHUNK)[1:] == (_LAST_CHUNK, b"")
        head = self._first.find(_BLANK_LINE) + len(_BLANK_LINE)
        return str(self._received - head) == headers.get("content-length")
