"""Every outbound HTTP request: deadline, size limit, trusted authorities, proxy, address check.

Requests use a transport of httpx without its client, so redirects, cookies and proxy variables have no effect. The transport
differs from that of httpx in its network backend only, see `backend`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpcore
import httpx

from sync.client.backend import BODY, PROXY, Backend, Exchange
from sync.client.network import Network, Timeouts, TransportFailure, authorities, limit_failure

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence

OK = range(200, 300)
"""HTTP statuses of success, without redirects."""
_BROKEN = (httpcore.RemoteProtocolError, httpcore.NetworkError, OSError)
_UNSENDABLE = (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, httpx.InvalidURL, ValueError)


class Response(NamedTuple):
    """A response whose head was received.

    Attributes:
        headers: values by lower-case name; repeated headers are joined by commas.
        body: as transferred, still compressed; at most the size limit of the request.
        failure: why the body is incomplete; None if it is complete or was cut at the size limit.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    failure: TransportFailure | None


class _Transport(httpx.BaseTransport):
    """Sends httpx requests through a connection pool of httpcore, to one URL, which is parsed once."""

    def __init__(self, pool: httpcore.ConnectionPool, url: str) -> None:
        self.url = httpx.URL(url)  # this takes a sixth of the CPU time of a request
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the response is read later, as a stream."""
        # Removed from the extensions, because httpcore would use it for the CONNECT request to a proxy, too.
        url, target = request.url, request.extensions.pop("target")
        address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target)
        sent = httpcore.Request(
            request.method, address, headers=request.headers.raw, content=request.read(), extensions=request.extensions
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
    """A persistent connection for requests to one URL, for one thread at a time; only `cancel` is safe from any thread.

    Args:
        url: the URL.
        network: proxy and certificate authorities.
        is_permitted: whether an IP address may be connected to. It is not called behind a proxy, which resolves the name.
    """

    def __init__(self, url: str, network: Network, is_permitted: Callable[[str], bool] | None = None) -> None:
        try:
            parts, self._url = urlsplit(url), url
            self._host = (parts.netloc.rpartition("@")[2]).encode("ascii")
            proxy = network.proxy_for(parts.hostname or "")
            schemes = [parts.scheme, urlsplit(proxy or "").scheme]
        except ValueError:
            raise TransportFailure("its address is not valid") from None
        self._trust = authorities(network.ca_bundle) if "https" in schemes else None
        self._proxy = proxy and httpcore.Proxy(proxy, ssl_context=self._trust if schemes[1] == "https" else None)
        self._handshakes = schemes.count("https") if proxy and parts.scheme == "https" else 0
        self._backend = Backend(None if proxy else is_permitted, self._handshakes)
        self._transport: _Transport | None = None
        self.cancelled = False

    def request(
        self,
        method: str,
        headers: Sequence[tuple[bytes, bytes]],
        content: bytes = b"",
        *,
        query: bytes = b"",
        timeouts: Timeouts,
        most: Callable[[int], int],
    ) -> Response:
        """Send one request.

        Args:
            method: GET or POST.
            headers: besides Host and Content-Length.
            content: the body.
            query: appended to the URL, with its question mark.
            timeouts: the timeouts.
            most: maximum number of bytes to read of the body, by the status of the response.

        Raises:
            TransportFailure: no head of a response was received.
        """
        exchange = self._backend.exchange = Exchange(timeouts.request)
        if self.cancelled:
            exchange.cancel()
        framing = [(b"host", self._host), *([(b"content-length", b"%d" % len(content))] if content or method == "POST" else ())]
        limits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read}
        # httpcore reads several times under one timeout for TLS within TLS, so that only a timer ends these reads.
        timer = threading.Timer(timeouts.request, exchange.shut_down) if self._handshakes > 1 else None
        try:
            if timer is not None:
                timer.daemon = True
                timer.start()
            if self._transport is None:
                pool = httpcore.ConnectionPool(self._trust, self._proxy or None, max_connections=1, network_backend=self._backend)
                self._transport = _Transport(pool, self._url)
            url = self._transport.url
            extensions = {"timeout": limits, "target": url.raw_path + query}
            request = httpx.Request(method, url, headers=[*framing, *headers], content=content, extensions=extensions)
            return _receive(self._transport.handle_request(request), exchange, most)
        except Exception as error:  # noqa: BLE001 - `_as_failure` raises what is no failure of the transport
            raise _as_failure(error, exchange) from None
        finally:
            if timer is not None:
                timer.cancel()

    def cancel(self) -> None:
        """Cancel the current request and every later one. Safe from any thread."""
        self.cancelled = True
        self._backend.exchange.cancel()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        # Otherwise a cycle of references keeps the socket and the buffers of TLS until the garbage collector runs.
        self._backend.exchange.stream = None


def _receive(response: httpx.Response, exchange: Exchange, most: Callable[[int], int]) -> Response:
    """Read a response. Close a connection on which more bytes follow than those of the response."""
    response.headers.encoding = "latin-1"
    headers, body, limit = dict(response.headers.items()), bytearray(), most(response.status_code)
    failure = None
    exchange.stage = BODY
    try:
        for chunk in response.iter_raw() if limit else ():
            body += chunk[: limit - len(body)]
            if len(body) >= limit:
                break
        else:
            if limit and exchange.stream is not None and not exchange.stream.ends_with(headers):
                exchange.stream.close()
    except Exception as error:  # noqa: BLE001 - as above
        failure = _as_failure(error, exchange)
    finally:
        response.close()
    return Response(response.status_code, headers, bytes(body), failure)


def _as_failure(error: Exception, exchange: Exchange) -> TransportFailure:
    """Convert an exception of httpx or httpcore; raise any other exception."""
    if failure := exchange.ended():
        return failure
    if isinstance(error, TransportFailure):
        return error
    if isinstance(error, httpcore.TimeoutException):
        return exchange.failure()
    if limit := limit_failure(error):
        return limit
    tunnel = exchange.stage == PROXY
    if tunnel and isinstance(error, httpcore.ProxyError):
        detail = ": it requires a user name and a password" if str(error).startswith("407") else ""
        why = f"the proxy refused the connection ({str(error)[:3]}{detail})"
    elif isinstance(error, httpcore.RemoteProtocolError) and not exchange.closed_by_server:
        where = "its body" if exchange.stage == BODY else "its status line or a header"
        whose = "the proxy's" if tunnel else "its"
        why = f"{whose} response is malformed: {where}"
    elif isinstance(error, _BROKEN):
        during = " during a response" if isinstance(error, httpcore.RemoteProtocolError) else ""
        why = "the proxy closed the connection" if tunnel else f"the connection was closed{during}"
    elif isinstance(error, _UNSENDABLE):
        why = "its address or a header holds a character that HTTP does not permit"
    else:
        raise error
    return TransportFailure(why)


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
        ConfigurationError: SYNC_CA_BUNDLE has no usable certificates.
    """
    given = {"user-agent": "template-sync", "accept-encoding": "identity", "connection": "close", **headers}
    fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in given.items()]
    connection = Connection(url, network, is_permitted)
    try:
        return connection.request(method, fields, content, timeouts=Timeouts(limit, limit, limit), most=most)
    finally:
        connection.close()


def certificate(url: str, network: Network, limit: float) -> dict[str, Any]:
    """Return a server's verified certificate, within `limit` seconds, or raise a TransportFailure.

    Raises:
        ConfigurationError: SYNC_CA_BUNDLE has no usable certificates.
    """
    parts, trust = urlsplit(url), authorities(network.ca_bundle)
    host, backend = parts.hostname or "", Backend()
    backend.exchange = Exchange(limit)
    try:
        stream = backend.connect_tcp(host, parts.port or 443).start_tls(trust, host)
    except Exception as error:  # noqa: BLE001 - as above
        raise _as_failure(error, backend.exchange) from None
    found: ssl.SSLSocket = stream.get_extra_info("socket")
    try:
        return dict(found.getpeercert() or {})
    finally:
        stream.close()
