"""Send every outbound request: one deadline, a size limit, the trusted authorities, the proxy, a check of the address.

httpcore speaks HTTP/1.1 and TLS and opens tunnels; it follows no redirects, keeps no cookies and reads no proxy variables. It is
used without httpx, whose transport takes no network backend: there names are resolved, addresses checked, and sockets found.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from string import punctuation
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

import httpcore

from sync.endpoint.deadline import BODY, CONNECTING, HEAD, LATE, PROXY, TLS, Attempt, resolve
from sync.endpoint.network import AddressRefused, Cancelled, Network, Response, Timeouts, TransportFailure, authorities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OK = range(200, 300)
"""The statuses of success. A redirect is none."""


class Connection:
    """A connection to one origin, kept between requests. Used by one thread at a time, but for `cancel`.

    Args:
        url: any URL of the origin.
        network: the settings.
        is_permitted: whether an IP address may be connected to. Behind a proxy it is not asked: the proxy resolves the name.
    """

    def __init__(self, url: str, network: Network, is_permitted: Callable[[str], bool] | None = None) -> None:
        try:
            parts = urlsplit(url)
            self._host = (parts.netloc.rpartition("@")[2]).encode("ascii")
            self._proxy = network.proxy_for(parts.hostname or "")
            schemes = [parts.scheme, urlsplit(self._proxy or "").scheme]
        except ValueError:
            raise TransportFailure("its address is not valid") from None
        self._trust = authorities(network.ca_bundle) if "https" in schemes else None
        self._is_permitted = None if self._proxy else is_permitted
        self._handshakes = schemes.count("https")
        self._tunnels = self._proxy is not None and parts.scheme == "https"
        self._backend: _Backend | None = None
        self._pool: httpcore.ConnectionPool | None = None
        self._exchange: _Exchange | None = None
        self._cancelled = False

    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[bytes, bytes]],
        content: bytes = b"",
        *,
        timeouts: Timeouts,
        most: Callable[[int], int],
    ) -> Response:
        """Send one request.

        Args:
            method: GET or POST.
            url: of this connection's origin.
            headers: besides Host and Content-Length.
            content: the body, sent as it is.
            timeouts: how long to wait.
            most: bytes to read of the body, by the answer's status.

        Raises:
            TransportFailure: there was no head of an answer.
            ConfigurationError: SYNC_CA_BUNDLE cannot be used.
        """
        exchange = self._exchange = _Exchange()
        if self._cancelled:
            raise Cancelled("it was cancelled")
        if self._pool is None or self._backend is None:
            self._backend = _Backend(self._is_permitted, self._handshakes, tunnels=self._tunnels)
            proxy = self._proxy and httpcore.Proxy(self._proxy, ssl_context=self._trust if "https:" in self._proxy else None)
            self._pool = httpcore.ConnectionPool(self._trust, proxy or None, max_connections=1, network_backend=self._backend)
        pool, self._backend.exchange = self._pool, exchange
        framing = [(b"host", self._host), *([(b"content-length", b"%d" % len(content))] if content or method == "POST" else ())]
        limits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read}

        def work() -> None:
            target = quote(url, safe=punctuation)
            request = httpcore.Request(
                method, target, headers=[*framing, *headers], content=content, extensions={"timeout": limits}
            )
            exchange.receive(pool.handle_request(request), most)

        try:
            failure = exchange.as_failure(exchange.run(work, timeouts.request, release=pool.close))
        finally:
            if exchange.left_behind:
                self._pool = None
        if exchange.head is not None:
            return Response(*exchange.head, bytes(exchange.body), failure)
        raise failure or TransportFailure("there was no answer")

    def cancel(self) -> None:
        """Give up the request under way, and every later one. Safe from any thread."""
        self._cancelled = True
        if self._exchange is not None:
            self._exchange.cancel()

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


def send(
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes = b"",
    *,
    network: Network,
    limit: float,
    most: Callable[[int], int],
    is_permitted: Callable[[str], bool] | None = None,
) -> Response:
    """Send one request over a connection of its own, within `limit` seconds. The rest is as for `Connection.request`.

    Raises:
        TransportFailure: there was no head of an answer.
        AddressRefused: the name leads to no address that is permitted.
    """
    given = {"user-agent": "template-sync", "accept-encoding": "identity", "connection": "close", **headers}
    fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in given.items()]
    connection = Connection(url, network, is_permitted)
    try:
        return connection.request(method, url, fields, content, timeouts=Timeouts(limit, limit, limit), most=most)
    finally:
        connection.close()


def certificate(url: str, network: Network, limit: float) -> dict[str, Any]:
    """Read a server's certificate, once it is verified, within `limit` seconds, or raise a TransportFailure."""
    found: dict[str, Any] = {}
    parts = urlsplit(url)
    host, trust = parts.hostname or "", authorities(network.ca_bundle)
    backend = _Backend(None, 1, tunnels=False)
    backend.exchange = exchange = _Exchange()

    def work() -> None:
        stream = backend.connect_tcp(host, parts.port or 443, limit)
        try:
            stream = stream.start_tls(trust, host, limit)
            found.update(stream.get_extra_info("socket").getpeercert() or {})
        finally:
            stream.close()

    if failure := exchange.as_failure(exchange.run(work, limit)):
        raise failure
    return found


_BROKEN = (httpcore.RemoteProtocolError, httpcore.NetworkError, OSError)


class _Exchange(Attempt):
    """One request, and what came of it.

    Attributes:
        ended: whether the server closed the connection.
        stream: the connection that it uses.
        head: status and headers of the answer.
        body: what was read of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended = False
        self.stream: _Stream | None = None
        self.head: tuple[int, Mapping[str, str]] | None = None
        self.body = bytearray()

    def receive(self, response: httpcore.Response, most: Callable[[int], int]) -> None:
        """Read an answer, as much of it as is wanted."""
        try:
            headers: dict[str, str] = {}
            for raw_name, raw in response.headers:
                name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            left = most(response.status)
            self.stage, self.head = BODY, (response.status, headers)
            if left:
                for chunk in response.iter_stream():
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
            asks = ": it asks for a user name and a password" if str(failure).startswith("407") else ""
            return f"the proxy refused the connection ({str(failure)[:3]}{asks})"
        if isinstance(failure, httpcore.RemoteProtocolError) and not self.ended:
            return "the proxy's answer is malformed: its status line or a header"
        return "the proxy closed the connection" if isinstance(failure, _BROKEN) else self._why(failure)

    def _why(self, failure: Exception) -> str | None:
        if isinstance(failure, httpcore.RemoteProtocolError):
            if self.ended:
                return "the connection broke off in the middle of an answer"
            return f"its answer is malformed: {'its body' if self.stage == BODY else 'its status line or a header'}"
        if isinstance(failure, _BROKEN):
            return "the connection broke off"
        unsendable = isinstance(failure, httpcore.LocalProtocolError | httpcore.UnsupportedProtocol | ValueError)
        return "its address or a header holds a character that HTTP does not permit" if unsendable else None


class _Backend(httpcore.NetworkBackend):
    """Opens httpcore's connections: resolves names, checks addresses, and tells the exchange how far it is."""

    def __init__(self, is_permitted: Callable[[str], bool] | None, handshakes: int, *, tunnels: bool) -> None:
        self.exchange = _Exchange()
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

    def __init__(self, inner: httpcore.NetworkStream, backend: _Backend, handshakes: int, plain: socket.socket) -> None:
        self.handshakes = handshakes
        self._inner, self._backend, self._plain = inner, backend, plain
        self._first = self._last = b""
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what there is."""
        data = self._inner.read(max_bytes, timeout)
        self._backend.exchange.ended = not data
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
                raise TransportFailure("it does not speak TLS as it should") from error
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
