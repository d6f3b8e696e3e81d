"""httpcore's network backend: names are resolved, addresses checked and sockets found here, within the deadline of a request.

httpcore is the engine of httpx; its network backend is public, and httpx's own transport does not take one.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx

from sync.client.deadline import BODY, CONNECTING, HEAD, LATE, PROXY, TLS, Attempt, resolve
from sync.client.network import AddressRefused, TransportFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNSENDABLE = (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, httpx.InvalidURL, ValueError)
_BROKEN = (httpcore.RemoteProtocolError, httpcore.NetworkError, OSError)


class Exchange(Attempt):
    """One request, and what came of it.

    Attributes:
        ended: whether the server closed the connection.
        stream: the connection that it uses.
        head: status and headers of the answer.
        body: what was read of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closed_by_server = False
        self.stream: _Stream | None = None
        self.head: tuple[int, Mapping[str, str]] | None = None
        self.body = bytearray()

    def receive(self, response: httpx.Response, most: Callable[[int], int]) -> None:
        """Read an answer, as much of it as is wanted."""
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
        """Say in words what was in the way; raise what no network does."""
        if failure is None or isinstance(failure, TransportFailure):
            return failure
        if isinstance(failure, httpcore.TimeoutException):
            return self.late()
        why = self._why_of_proxy(failure) if self.stage == PROXY else self._why(failure)
        if why is None:
            raise failure
        return TransportFailure(why)

    def _why_of_proxy(self, failure: Exception) -> str | None:
        if isinstance(failure, httpcore.ProxyError):
            asks = ": it requires a user name and a password" if str(failure).startswith("407") else ""
            return f"the proxy refused the connection ({str(failure)[:3]}{asks})"
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
    """Opens httpcore's connections: resolves names, checks addresses, and tells the exchange how far it is."""

    def __init__(self, is_permitted: Callable[[str], bool] | None, handshakes: int, *, tunnels: bool) -> None:
        self.exchange = Exchange()
        self._is_permitted = is_permitted
        self._handshakes = handshakes
        self._tunnels = tunnels
        self._inner = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        exchange, found = self.exchange, resolve(host, port)
        permitted = [address for address in found if self._is_permitted is None or self._is_permitted(address)]
        failure: TransportFailure = AddressRefused("its address is not permitted")
        exchange.stage = CONNECTING
        for address in permitted:
            exchange.check()
            try:
                # As bytes: for a text Python would load its tables of all letters, 2 ms.
                inner = self._inner.connect_tcp(cast("str", address.encode()), port, timeout)
            except httpcore.ConnectTimeout:
                failure = TransportFailure(LATE[CONNECTING], timed_out=True)
            except httpcore.ConnectError as error:
                refused = isinstance(error.__cause__, ConnectionRefusedError)
                failure = TransportFailure("the connection was refused" if refused else "the connection failed")
            else:
                return self.opened(_Stream(inner, self, self._handshakes, inner.get_extra_info("socket").dup()))
        raise failure

    def opened(self, stream: _Stream) -> _Stream:
        """Take note of a connection; TLS puts another one in the place of the first."""
        self.exchange.stream, self.exchange.shut_down = stream, stream.shut_down
        self.exchange.stage = PROXY if self._tunnels and stream.handshakes else HEAD
        try:
            self.exchange.check()
        except TransportFailure:
            stream.close()
            raise
        return stream


class _Stream(httpcore.NetworkStream):
    """A connection that can be shut down from another thread, and knows what was read over it.

    Args:
        inner: httpcore's.
        backend: what it belongs to.
        handshakes: of TLS, that are still to come.
        plain: a second descriptor of its socket: TLS puts another socket in the place of the first, once its handshake is done.
    """

    def __init__(self, inner: httpcore.NetworkStream, backend: Backend, handshakes: int, plain: socket.socket) -> None:
        self.handshakes = handshakes
        self._inner, self._backend, self._plain = inner, backend, plain
        self._first = self._last = b""
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what there is."""
        data = self._inner.read(max_bytes, timeout)
        self._backend.exchange.closed_by_server = not data
        self._first, self._last = self._first or data, data
        self._received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request, or a part of it."""
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
        """Wake whatever waits on this connection."""
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
        """Return what httpcore's own stream knows."""
        return self._inner.get_extra_info(info)

    def ends_with(self, headers: Mapping[str, str]) -> bool:
        """Tell whether nothing was read beyond an answer: the rest would be taken for the answer to the next request."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._last.partition(_LAST_CHUNK)[1:] == (_LAST_CHUNK, b"")
        head = self._first.find(_BLANK_LINE) + len(_BLANK_LINE)
        return str(self._received - head) == headers.get("content-length")


_BLANK_LINE, _LAST_CHUNK = b"\r\n\r\n", b"\r\n0\r\n\r\n"
