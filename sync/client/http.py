"""Decompress an answer's body within bounds, whatever it claims: 264 bytes of gzip in gzip can hold a gigabyte.

Send every outbound request: one deadline, a size limit, the trusted authorities, the proxy, a check of the address.

A request is httpx's, sent by a transport without httpx's client around it: so no redirect is followed, no cookie kept and no
proxy variable read. The transport differs from httpx's own in its network backend only, see `backend`.
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
"""Bytes of one body, as sent and after decompression. 50 documented records take 50 kB; 50 of the largest allowed, 13 MB."""
_GZIP = {"gzip", "x-gzip"}
_MAGIC = b"\x1f\x8b"
_MOST_MEMBERS = 1000  # 16 MiB from pigz have 130
_PIECE = 4096  # bytes: small, so that what precedes damage is read


def decompress(encoding: str, wire: bytes) -> tuple[bytes | bytearray, SyncError | None]:
    """Decompress a body as far as that goes.

    Args:
        encoding: Content-Encoding; empty if the answer has none.
        wire: the body as it was sent.

    Returns:
        What could be read, and an error if that is not the whole: InvalidResponse if it is larger than BODY_LIMIT or compressed
        in another way than gzip, once; Unreachable if its compression is damaged or breaks off.
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
        return body, error  # not copied: it may be as large as the limit
    return bytes(body), None


def _gunzip(wire: bytes, body: bytearray) -> None:
    """Decompress gzip members, one after another, as RFC 1952 permits them."""
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
"""The statuses of success. A redirect is none."""


class _Transport(httpx.BaseTransport):
    """Sends httpx's requests by httpcore's connection pool."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is read as the caller asks for it."""
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(
            request.method, target, headers=request.headers.raw, content=request.read(), extensions=request.extensions
        )
        answer = self._pool.handle_request(sent)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer.iter_stream())

    def close(self) -> None:
        self._answer.close()


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
            content: the body, sent as it is.
            timeouts: how long to wait.
            most: bytes to read of the body, by the answer's status.

        Raises:
            TransportFailure: there was no head of an answer.
            ConfigurationError: SYNC_CA_BUNDLE cannot be used.
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
        """Give up the request under way, and every later one. Safe from any thread."""
        self._cancelled = True
        if self._exchange is not None:
            self._exchange.cancel()

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
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
