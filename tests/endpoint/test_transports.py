"""Two ways to a server: directly, and through a proxy. `tests/adversary/transport.py` has what a lying server does to them."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from sync.endpoint.direct import Direct
from sync.errors import Unreachable
from tests.endpoint.asking import GOOD, PAGE, WIRE, asking
from tests.hostile import Hostile, Reply, one_after_another

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.hostile import Script

TWICE = Reply(raw=GOOD.wire() * 2)
IN_TWO_CHUNKS = Reply(
    raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nab\r\n3 \r\ncde\r\n0\r\nx-late: 1\r\n\r\n"
)
TIMEOUTS = {"timeout": {"connect": 2.0, "read": 2.0, "write": 2.0, "pool": None}}


class OverTls(Hostile):
    """The same server behind TLS."""

    def __init__(self, script: Script, certificate: Path) -> None:
        super().__init__(script)
        self.url = self.url.replace("http://127.0.0.1", "https://localhost")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.set_alpn_protocols(["h2", "http/1.1"])
        self._tls.load_cert_chain(certificate)
        self.agreed: list[str | None] = []

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            wrapped = self._tls.wrap_socket(connection, server_side=True)
            self.agreed.append(wrapped.selected_alpn_protocol())
            super()._serve(wrapped)


def get(transport: Direct, url: str, **headers: str) -> tuple[int, bytes]:
    response = transport.handle_request(httpx.Request("GET", url, headers=headers, extensions=dict(TIMEOUTS)))
    assert isinstance(response.stream, httpx.SyncByteStream)
    try:
        return response.status_code, b"".join(response.stream)
    finally:
        response.close()


def test_over_tls_a_connection_is_kept_and_http_2_is_not_agreed_on(certificate: Path) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server:
        with asking(server.url, ca_bundle=str(certificate)) as endpoint:
            assert [endpoint.ask(PAGE).records for _ in range(3)] == [[WIRE]] * 3
        assert (server.agreed, len(server.requests)) == (["http/1.1"], 3)


@pytest.mark.parametrize("fault", ["authority", "name"])
def test_a_certificate_that_proves_nothing_is_refused_before_the_key_is_sent(certificate: Path, fault: str) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server:
        url = server.url if fault == "authority" else server.url.replace("localhost", "127.0.0.1")
        trusted = {} if fault == "authority" else {"ca_bundle": str(certificate)}
        with asking(url, **trusted) as endpoint, pytest.raises(Unreachable, match="its TLS certificate could not be verified"):
            endpoint.ask(PAGE)
        assert server.requests == []


@pytest.mark.parametrize("way", ["directly", "through a proxy"])
@pytest.mark.parametrize(("reply", "connections"), [(GOOD, 1), (TWICE, 3)], ids=["kept", "left over"])
def test_a_connection_is_kept_unless_more_came_than_the_answer(reply: Reply, connections: int, way: str) -> None:
    with Hostile(one_after_another(reply)) as server:
        url, proxy = (server.url, None) if way == "directly" else ("http://127.0.0.1:9", server.url)
        with asking(url, proxy=proxy) as endpoint:
            for _ in range(3):
                assert endpoint.ask(PAGE).records == [WIRE]
        assert server.connections == connections


def test_chunks_with_extensions_and_trailers_are_put_together_and_the_connection_kept() -> None:
    transport = Direct(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), lambda _: None)
    with Hostile(one_after_another(IN_TWO_CHUNKS)) as server:
        assert [get(transport, server.url), get(transport, server.url)] == [(200, b"abcde")] * 2
        transport.close()
        assert server.connections == 1


def test_an_answer_that_is_not_read_to_its_end_is_no_beginning_of_the_next() -> None:
    transport = Direct(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), lambda _: None)
    with Hostile(one_after_another(Reply(b"x" * 300_000), Reply(b"next"))) as server:
        request = httpx.Request("GET", server.url, extensions=dict(TIMEOUTS))
        transport.handle_request(request).close()
        assert get(transport, server.url) == (200, b"next")
        transport.close()
        assert server.connections == 2


def test_no_header_can_bring_another() -> None:
    transport = Direct(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), lambda _: None)
    with Hostile(one_after_another(GOOD)) as server:
        with pytest.raises(httpx.LocalProtocolError):
            get(transport, server.url, key="a\r\nanother: b")
        assert server.requests == []
