"""A network backend for httpcore, the engine of httpx: it resolves names, checks addresses and exposes sockets.

The network backend is a public interface of httpcore, which the transport of httpx does not accept.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx

from sync.client.deadline import BODY, CONNECTING, HEAD, LATE, PROXY, TLS, Attempt, resolve
from sync.client.network import AddressRefused, TransportFailure, limit_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNSENDABLE = (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, httpx.InvalidURL, ValueError)
_BROKEN = (httpcore.RemoteProtocolError, httpcore.NetworkError, OSError)


class Exchange(Attempt):
    """One request and its response.

    Attributes:
        closed_by_server: whether the server closed the connection.
        stream: the connection in use.
        head: status and headers of the response.
        body: the part of the body read so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closed_by_server = False
        self.stream: _Stream | None = None
        self.head: tuple[int, Mapping[str, str]] | None = None
        self.body = bytearray()

    def receive(self, response: httpx.Response, most: Callable[[int], int]) -> None:
        """Read a response, at most `most(status)` bytes of its body."""
        try:
            headers: dict[str, str] = {}
            for raw_name, raw in response.headers.raw:
                name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            left = most(response.status_code)
            self.stage, self.head = BODY, (response.status_code, headers)
            if left:
                for chunk in response.iter_raw():
                    self.body += chunk[: left - len(self.body)]
                    if len(self.body) >= left:
                        break
                else:
                    if self.stream is not None and not self.stream.ends_with(headers):
                        self.stream.close()
        finally:
            response.close()

    def as_failure(self, failure: Exception | None) -> TransportFailure | None:
        """Convert an exception of httpx or httpcore; raise any other exception."""
        if failure is None or isinstance(failure, TransportFailure):
            return failure
        if isinstance(failure, httpcore.TimeoutException):
            return self.late()
        if limit := limit_failure(failure):
            return limit
        why = self._why_of_proxy(failure) if self.stage == PROXY else self._why(failure)
        if why is None:
            raise failure
        return TransportFailure(why)

    def _why_of_proxy(self, failure: Exception) -> str | None:
        if isinstance(failure, httpcore.ProxyError):
            detail = ": it requires a user name and a password" if str(failure).startswith("407") else ""
            return f"the proxy refused the connection ({str(failure)[:3]}{detail})"
        if isinstance(failure, httpcore.RemoteProtocolError) and not self.closed_by_server:
            return "the proxy's response is malformed: its status line or a header"
        return "the proxy closed the connection" if isinstance(failure, _BROKEN) else self._why(failure)

    def _why(self, failure: Exception) -> str | None:
        if isinstance(failure, httpcore.RemoteProtocolError):
            if self.closed_by_server:
                return "the connection was closed during a response"
            return f"its response is malformed: {'its body' if self.stage == BODY else 'its status line or a header'}"
        if isinstance(failure, _BROKEN):
            return "the connection was closed"
        return "its address or a header holds a character that HTTP does not permit" if isinstance(failure, _UNSENDABLE) else None


class Backend(httpcore.NetworkBackend):
    """Opens the connections of httpcore: resolves names, checks addresses, and sets the stage of the exchange."""

    def __init__(self, is_permitted: Callable[[str], bool] | None, handshakes: int, *, tunnels: bool) -> None:
        self.exchange = Exchange()
        self._is_permitted = is_permitted
        self._handshakes = handshakes
        self._tunnels = tunnels
        self._inner = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Connect to the first address that accepts."""
        exchange, found = self.exchange, resolve(host, port)
        permitted = [address for address in found if self._is_permitted is None or self._is_permitted(address)]
        failure: TransportFailure = AddressRefused("its address is not permitted")
        exchange.stage = CONNECTING
        for address in permitted:
            exchange.check()
            try:
                # As bytes, because for a str Python would import the idna codec, 2 ms.
                inner = self._inner.connect_tcp(cast("str", address.encode()), port, timeout)
            except httpcore.ConnectTimeout:
                failure = TransportFailure(LATE[CONNECTING], timed_out=True)
            except httpcore.ConnectError as error:
                refused = isinstance(error.__cause__, ConnectionRefusedError)
                usual = TransportFailure("the connection was refused" if refused else "the connection failed")
                failure = limit_failure(error.__cause__) or usual
            else:
                try:
                    plain = inner.get_extra_info("socket").dup()
                except OSError:
                    inner.close()
                    raise
                return self.opened(_Stream(inner, self, self._handshakes, plain))
        raise failure

    def opened(self, stream: _Stream) -> _Stream:
        """Register a connection; TLS replaces the first one."""
        self.exchange.stream, self.exchange.shut_down = stream, stream.shut_down
        self.exchange.stage = PROXY if self._tunnels and stream.handshakes else HEAD
        try:
            self.exchange.check()
        except TransportFailure:
            stream.close()
            raise
        return stream


class _Stream(httpcore.NetworkStream):
    """A connection that can be shut down from another thread, and counts the bytes read.

    Args:
        inner: the stream of httpcore.
        backend: the backend that opened it.
        handshakes: number of TLS handshakes that follow.
        plain: a duplicate of its socket, because TLS replaces the first socket after the handshake.
    """

    def __init__(self, inner: httpcore.NetworkStream, backend: Backend, handshakes: int, plain: socket.socket) -> None:
        self.handshakes = handshakes
        self._inner, self._backend, self._plain = inner, backend, plain
        self._first = self._last = b""
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read the available bytes."""
        data = self._inner.read(max_bytes, timeout)
        self._backend.exchange.closed_by_server = not data
        self._first, self._last = self._first or data, data
        self._received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request or a part of it."""
        exchange = self._backend.exchange
        if exchange.stream is not self:
            exchange.stage, exchange.stream, exchange.shut_down = HEAD, self, self.shut_down
            self._first, self._received = b"", 0
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()
        self._plain.close()

    def shut_down(self) -> None:
        """Shut down the socket, which wakes a thread that waits on it."""
        with suppress(OSError):  # it may be closed already
            self._plain.shutdown(socket.SHUT_RDWR)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Agree on TLS."""
        self._backend.exchange.stage = TLS
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, timeout)
        except httpcore.ConnectError as error:
            self._plain.close()
            if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise TransportFailure("a TLS protocol error occurred") from error
            reason = error.__cause__.verify_message
            raise TransportFailure(f"its TLS certificate could not be verified ({reason})") from error
        except BaseException:
            self._plain.close()
            raise
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


_BLANK_LINE, _LAST_CHUNK = b"\r\n\r\n", b"\r\n0\r\n\r\n"
