"""Httpx's own transport, for what goes through a proxy: tunnels, and the proxy's own password, are its business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator, Mapping

_CONNECTED = (".connect_tcp.complete", ".start_tls.complete")
"""Ends of the names that httpcore gives to these moments; the beginnings tell a direct connection from one through a proxy."""


class Proxied(httpx.HTTPTransport):
    """One connection at a time, through a proxy.

    Args:
        trust: the certificate authorities.
        opened: told of each new socket before anything is sent; it may raise to give up.
        proxy: its URL.
    """

    def __init__(self, trust: ssl.SSLContext, opened: Callable[[socket.socket], None], proxy: str) -> None:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        super().__init__(limits=limits, verify=trust, proxy=proxy, trust_env=False)
        self._opened = opened

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its answer."""
        request.extensions["trace"] = self._trace
        response = super().handle_request(request)
        response.stream = _Watched(response.stream, self)
        return response

    def has_left_over(self) -> bool:
        """Tell whether more came than the answer: h11 would give it as the answer to the next question on this connection.

        httpcore looks at the socket alone before it uses a connection again, and what came is in h11's buffer already.
        """
        layer: Any
        for layer in getattr(self._pool, "connections", ()):
            while layer is not None:  # a connection through a proxy is one within another
                state = getattr(layer, "_h11_state", None)
                if state is not None and state.trailing_data[0]:
                    return True
                layer = getattr(layer, "_connection", None)  # noqa: PLW2901 - it goes down
        return False

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn the connection's socket; TLS puts another one in the place of the first."""
        if event.endswith(_CONNECTED):
            connection = info["return_value"]
            try:
                self._opened(connection.get_extra_info("socket"))
            except BaseException:
                connection.close()  # httpcore does not know it yet, and would lose it
                raise


class _Watched(httpx.SyncByteStream):
    """A body at whose end the connection is looked at."""

    def __init__(self, stream: Any, transport: Proxied) -> None:
        self._stream, self._transport = stream, transport

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        left_over = self._transport.has_left_over()
        self._stream.close()
        if left_over:
            self._transport.close()
