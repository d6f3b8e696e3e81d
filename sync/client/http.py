"""Every outbound HTTP request: deadline, size limit, trusted authorities, proxy, address check, bounded decompression.

Requests use a transport of httpx without its client, so redirects, cookies and proxy variables have no effect. The transport
differs from that of httpx in its network backend only, see `backend`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpcore
import httpx

from sync.client.backend import Backend, Exchange
from sync.client.network import Cancelled, Network, Response, Timeouts, TransportFailure, authorities
from sync.errors import InvalidResponse, SyncError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


BODY_LIMIT = 16 * 2**20
"""Bytes of one body, as sent and after decompression. A page of 50 records takes 50 kB, of the largest ones 13 MB."""
_GZIP = {"gzip", "x-gzip"}
_MAGIC = b"\x1f\x8b"
_MOST_MEMBERS = 1000  # pigz writes 130 for 16 MiB
_PIECE = 4096  # bytes; small, so that the data before damage is read


def decompress(encoding: str, wire: bytes) -> tuple[bytes | bytearray, SyncError | None]:
    """Decompress a body as far as possible.

    Args:
        encoding: Content-Encoding; empty if there is none.
        wire: the body as transferred.

    Returns:
        The decompressed data, and an error if it is incomplete: InvalidResponse if it is larger than BODY_LIMIT or not compressed
        by one gzip; Unreachable if the compressed data is damaged or truncated.
    """
    coding = encoding.strip().lower()
    if coding not in {"identity", ""} | _GZIP:
        return wire, InvalidResponse("The response has a content encoding that was not requested.", code="encoding")
    if len(wire) > BODY_LIMIT:
        return wire, _too_large()
    if coding not in _GZIP:
        return wire, None
    body = bytearray()
    try:
        _gunzip(wire, body)
    except SyncError as error:
        return body, error  # not copied, because it may be large
    return bytes(body), None


def _gunzip(wire: bytes, body: bytearray) -> None:
    """Decompress the gzip members of a body (RFC 1952); append the data to `body`."""
    place = 0
    for _ in range(_MOST_MEMBERS):
        unzip = zlib.decompressobj(31)
        while not unzip.eof:
            if place >= len(wire):
                raise Unreachable("The response was incomplete.", code="gzip")
            piece = wire[place : place + _PIECE]
            try:
                body += unzip.decompress(piece, BODY_LIMIT + 1 - len(body))
            except zlib.error:
                raise Unreachable("The compressed response is corrupt.", code="gzip") from None
            if len(body) > BODY_LIMIT:
                raise _too_large()
            place += len(piece) - len(unzip.unused_data)
        if place >= len(wire):
            return
        if not wire.startswith(_MAGIC, place):
            raise InvalidResponse("The compressed response has trailing data.", code="encoding")
    raise _too_large()


def _too_large() -> InvalidResponse:
    return InvalidResponse(f"The response is larger than {BODY_LIMIT // 2**20} MiB.", code="too-large")


OK = range(200, 300)
"""HTTP statuses of success, without redirects."""


class _Transport(httpx.BaseTransport):
    """Sends httpx requests through a connection pool of httpcore."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the response is read later, as a stream."""
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(
            request.method, target, headers=request.headers.raw, content=request.read(), extensions=request.extensions
        )
        response = self._pool.handle_request(sent)
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response.iter_stream())

    def close(self) -> None:
        self._response.close()


class Connection:
    """A persistent connection to one origin, for one thread at a time; only `cancel` is safe from any thread.

    Args:
        url: any URL of the origin.
        network: proxy and certificate authorities.
        is_permitted: whether an IP address may be connected to. It is not called behind a proxy, which resolves the name.
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
        self._backend: Backend | None = None
        self._transport: _Transport | None = None
        self._exchange: Exchange | None = None
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
            content: the body.
            timeouts: the timeouts.
            most: maximum number of bytes to read of the body, by the status of the response.

        Raises:
            TransportFailure: no head of a response was received.
            ConfigurationError: SYNC_CA_BUNDLE has no usable certificates.
        """
        exchange = self._exchange = Exchange()
        if self._cancelled:
            raise Cancelled("it was cancelled")
        if self._transport is None or self._backend is None:
            self._backend = Backend(self._is_permitted, self._handshakes, tunnels=self._tunnels)
            proxy = self._proxy and httpcore.Proxy(self._proxy, ssl_context=self._trust if "https:" in self._proxy else None)
            pool = httpcore.ConnectionPool(self._trust, proxy or None, max_connections=1, network_backend=self._backend)
            self._transport = _Transport(pool)
        transport, self._backend.exchange = self._transport, exchange
        framing = [(b"host", self._host), *([(b"content-length", b"%d" % len(content))] if content or method == "POST" else ())]
        limits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read}

        def work() -> None:
            fields = [*framing, *headers]
            request = httpx.Request(method, url, headers=fields, content=content, extensions={"timeout": limits})
            exchange.receive(transport.handle_request(request), most)

        try:
            failure = exchange.as_failure(exchange.run(work, timeouts.request, release=transport.close))
        finally:
            if exchange.left_behind:
                self._transport = None
        if exchange.head is not None:
            return Response(*exchange.head, bytes(exchange.body), failure)
        raise failure or TransportFailure("there was no response")

    def cancel(self) -> None:
        """Cancel the current request and every later one. Safe from any thread."""
        self._cancelled = True
        if self._exchange is not None:
            self._exchange.cancel()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()


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
    """Send one request over a new connection, within `limit` seconds; the arguments are those of `Connection.request`.

    Raises:
        TransportFailure: no head of a response was received.
        AddressRefused: the name resolves to no permitted address.
    """
    given = {"user-agent": "template-sync", "accept-encoding": "identity", "connection": "close", **headers}
    fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in given.items()]
    connection = Connection(url, network, is_permitted)
    try:
        return connection.request(method, url, fields, content, timeouts=Timeouts(limit, limit, limit), most=most)
    finally:
        connection.close()


def certificate(url: str, network: Network, limit: float) -> dict[str, Any]:
    """Return a server's verified certificate, within `limit` seconds, or raise a TransportFailure."""
    found: dict[str, Any] = {}
    parts = urlsplit(url)
    host, trust = parts.hostname or "", authorities(network.ca_bundle)
    backend = Backend(None, 1, tunnels=False)
    backend.exchange = exchange = Exchange()

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
