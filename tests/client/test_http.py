"""Every outbound request uses the configured certificate authorities and proxy, and ends at its deadline."""

from __future__ import annotations

import gc
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from unittest.mock import patch
from urllib.parse import urlsplit

import httpcore
import pytest
from structlog.testing import capture_logs

from sync.client.http import Connection
from sync.client.network import Network, Timeouts, TransportFailure
from sync.commands.doctor import checks_of
from sync.config.load_settings import load
from sync.errors import DeadlineExceeded, SyncError, Unreachable
from sync.monitoring.heartbeat import Ping
from sync.site.covers import CoverUnavailable, Fetch
from sync.store.engine import open_engine
from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.endpoints import Endpoint as WebhookEndpoint
from sync.webhooks.endpoints import Rules
from sync.webhooks.sign_and_send import Message, send
from tests.builders import HASTY
from tests.client.sending import GOOD, PAGE, WIRE, endpoint_threads, open_client
from tests.hostile import Hostile, Reply, chunked, one_after_another
from tests.https import OverTls, Tunnels
from tests.webhooks.receiver import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sync.client.api_client import Params

    class SendBy(Protocol):
        def __call__(self, url: str, network: Network, limit: float = ...) -> str: ...


NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE = Message("tsc_0123456789ab-1-00", "template.added", "template 1", b"{}")
LIMIT = Timeouts(2.0, 2.0, 2.0)
SOON = 12.0
"""Seconds, also on a busy machine; without the limit, these requests would take twenty or more."""


# Every kind of request; the result is its error within a limit, "" for success ----------------------------------------------


def page(url: str, network: Network, limit: float = SOON) -> str:
    return request(url, network, PAGE, limit)


def look_up(url: str, network: Network, limit: float = SOON) -> str:
    return request(url, network, {"template_id": "1"}, limit)


def request(url: str, network: Network, params: Params, limit: float) -> str:
    how = {"timeouts": Timeouts(limit, limit, limit), "retry_policy": replace(HASTY, attempts=1)}
    with open_client(url, ca_bundle=network.ca_bundle, proxy=network.proxy, **how) as endpoint:
        try:
            endpoint.get(params)
        except SyncError as error:
            return str(error)
    return ""


def webhook(url: str, network: Network, limit: float = SOON) -> str:
    endpoint = WebhookEndpoint("shop", f"{url}/hooks", (), Rules())
    reply = send(SignedEndpoint(endpoint, (SECRET,)), MESSAGE, NOW, network=network, limit=limit)
    return "" if reply.accepted else reply.summary


def ping(url: str, network: Network, limit: float = SOON) -> str:
    with capture_logs() as logs:
        pings = Ping(f"{url}/secret-uuid", network, limit=limit)
        pings.success("done")
        pings.close(SOON)
    return " ".join(entry["reason"] for entry in logs)


def cover(url: str, network: Network, limit: float = SOON) -> str:
    try:
        with patch("sync.site.covers.LIMIT", limit):
            Fetch(network, allowed=lambda _address: True).ask(f"{url}/cover.png")
    except CoverUnavailable as error:
        return str(error)
    return ""


def doctor(url: str, network: Network, limit: float = SOON) -> str:
    given = {"CRUN_API_KEY": "ak_0", "CRUN_BASE_URL": url, "SYNC_CA_BUNDLE": network.ca_bundle, "SYNC_PROXY": network.proxy}
    loaded = load({}, {name: value for name, value in given.items() if value}, None)
    engine = open_engine("sqlite:////of-no-use/templates.db")
    with patch("sync.commands.doctor.SECONDS", limit):
        checks = list(checks_of(loaded, engine, lambda: datetime.now(UTC)))
    engine.dispose()
    return " ".join(each.seen for each in checks if each.name in {"name", "tls", "catalog"} and each.exit_code)


KINDS = [page, look_up, webhook, ping, cover, doctor]
every_kind = pytest.mark.parametrize("send_by", KINDS, ids=lambda send_by: send_by.__name__)


@every_kind
def test_only_the_configured_certificate_authorities_are_trusted(send_by: SendBy, certificate: Path) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server:
        assert send_by(server.url, Network(ca_bundle=str(certificate))) == ""
        before = len(server.requests)
        assert "its TLS certificate could not be verified" in send_by(server.url, Network())
        assert (before > 0, len(server.requests)) == (True, before)


@pytest.mark.parametrize(
    "send_by", [page, look_up, webhook, ping, cover], ids=lambda send_by: send_by.__name__
)  # those of a daemon
def test_a_closed_connection_is_freed_without_the_garbage_collector(send_by: SendBy, certificate: Path) -> None:
    def streams() -> int:
        return sum(isinstance(each, httpcore.NetworkStream) for each in gc.get_objects())

    with OverTls(one_after_another(GOOD), certificate) as server:
        network = Network(ca_bundle=str(certificate))
        send_by(server.url, network)
        gc.collect()
        gc.disable()
        try:
            before = streams()
            assert send_by(server.url, network) == ""
            assert streams() == before
        finally:
            gc.enable()


@every_kind
def test_the_proxy_of_the_settings_opens_a_tunnel_to_the_server(send_by: SendBy, certificate: Path) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server, Tunnels(port_of(server)) as proxy:
        network = Network(str(certificate), proxy.url)
        assert send_by("https://catalog.test", network) == ""
        assert {head.splitlines()[0] for head in proxy.heads} == {"CONNECT catalog.test:443 HTTP/1.1"}
        assert "ak_" not in "".join(proxy.heads)
        assert server.requests[0].headers["host"] == "catalog.test"


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_an_https_proxy_opens_a_tunnel(scheme: str, certificate: Path) -> None:
    with (
        OverTls(one_after_another(GOOD), certificate) as server,
        Tunnels(port_of(server), certificate=certificate) as proxy,
        open_client("https://catalog.test", proxy=proxy.url.replace("https", scheme), ca_bundle=str(certificate)) as endpoint,
    ):
        assert [endpoint.get(PAGE).records for _ in range(2)] == [[WIRE]] * 2
        assert (proxy.connections, server.connections) == (1, 1)


def test_a_slow_handshake_through_an_https_proxy_ends_at_the_limit(certificate: Path) -> None:
    with Tunnels(9, b"HTTP/1.1 200 Connection established\r\n\r\n", certificate=certificate, drips=True) as proxy:
        began = time.monotonic()
        assert "no connection within the deadline" in page("https://catalog.test", Network(str(certificate), proxy.url), 0.5)
        assert time.monotonic() - began < SOON


@every_kind
def test_a_request_to_loopback_does_not_use_the_proxy(send_by: SendBy, certificate: Path) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server, Tunnels(port_of(server)) as proxy:
        assert send_by(server.url, Network(str(certificate), proxy.url)) == ""
        assert proxy.connections == 0


@every_kind
def test_a_proxy_of_the_environment_is_not_used(send_by: SendBy, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server, Hostile(one_after_another(GOOD)) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert send_by(server.url, Network(str(certificate))) == ""
        assert (proxy.connections, len(server.requests) > 0) == (0, True)


def test_a_ping_over_plain_http_is_sent_to_the_proxy_without_a_tunnel() -> None:
    with Hostile(one_after_another(GOOD)) as proxy:
        assert ping("http://catalog.test", Network(proxy=proxy.url)) == ""
        assert [request.path for request in proxy.requests] == ["http://catalog.test/secret-uuid"]


@every_kind
@pytest.mark.parametrize(
    ("answer", "closes", "why"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            True,
            "the proxy refused the connection (407: it requires a user name and a password)",
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", True, "the proxy refused the connection (502)"),
        (b"", True, "the proxy closed the connection"),
        (b"SSH-2.0\r\n\r\n", True, "the proxy's response is malformed"),
        (b"", False, "the proxy did not respond within the deadline"),
    ],
    ids=["407", "502", "closed", "no HTTP", "no response"],
)
def test_a_proxy_that_opens_no_tunnel_is_reported_with_the_reason(
    send_by: SendBy,
    answer: bytes,
    closes: bool,  # noqa: FBT001
    why: str,
) -> None:
    with Tunnels(9, answer, closes=closes) as proxy:
        assert why in send_by("https://catalog.test", Network(proxy=proxy.url), SOON if closes else 0.3)


@every_kind
def test_a_slow_name_resolution_ends_at_the_limit_and_is_reported(send_by: SendBy, slow_dns: None) -> None:
    began = time.monotonic()
    assert "its name did not resolve within the deadline" in send_by("https://catalog.test", Network(), 0.1)
    assert time.monotonic() - began < SOON


def test_a_slow_name_resolution_ends_at_the_deadline_of_the_run(slow_dns: None) -> None:
    with open_client("https://catalog.test", deadline=0.3) as endpoint, pytest.raises(DeadlineExceeded):
        endpoint.get(PAGE)
    assert endpoint_threads() == []


def test_a_connection_that_opens_after_the_deadline_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    over, connect = threading.Event(), httpcore.SyncBackend.connect_tcp
    opened: list[httpcore.NetworkStream] = []

    def connect_late(*arguments: Any, **options: Any) -> httpcore.NetworkStream:
        over.wait(60)
        opened.append(connect(*arguments, **options))
        return opened[0]

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_late)
    with Hostile(one_after_another(GOOD)) as server:
        assert "no connection within the deadline" in page(server.url, Network(), 0.2)
        over.set()
        for thread in threading.enumerate():
            if thread.name == "http":
                thread.join(SOON)
    assert opened[0].get_extra_info("socket").fileno() == -1


@pytest.mark.parametrize("send_by", [page, webhook, ping, cover], ids=lambda send_by: send_by.__name__)
def test_an_address_that_does_not_respond_leaves_time_for_the_next_one(send_by: SendBy, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = httpcore.SyncBackend.connect_tcp

    def connect_except_the_first(self: Any, host: Any, port: int, timeout: float, *rest: Any, **options: Any) -> Any:
        if host == b"10.0.0.1":
            threading.Event().wait(timeout)
            raise httpcore.ConnectTimeout
        return connect(self, host, port, timeout, *rest, **options)

    monkeypatch.setattr("sync.client.backend._resolve", lambda _host, _port: ["10.0.0.1", "127.0.0.1"])
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_except_the_first)
    with Hostile(one_after_another(GOOD)) as server:
        assert send_by(server.url, Network(), 2.0) == ""


@pytest.fixture
def slow_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A resolver that returns at the end of the test."""
    over, resolve = threading.Event(), socket.getaddrinfo
    before = set(threading.enumerate())

    def wait(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in {b"catalog.test", "catalog.test"}:
            over.wait(60)
            raise socket.gaierror
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield
    over.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()


def port_of(server: Hostile) -> int:
    return urlsplit(server.url).port or 0


# Connections ---------------------------------------------------------------------------------------------------------------


def test_a_tls_connection_is_reused_with_http_1_1(certificate: Path) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server:
        with open_client(server.url, ca_bundle=str(certificate)) as endpoint:
            assert [endpoint.get(PAGE).records for _ in range(3)] == [[WIRE]] * 3
        assert (server.agreed, len(server.requests)) == (["http/1.1"], 3)


def test_a_certificate_for_another_name_is_refused_before_the_key_is_sent(certificate: Path) -> None:
    with OverTls(one_after_another(GOOD), certificate) as server:
        url = server.url.replace("localhost", "127.0.0.1")
        with open_client(url, ca_bundle=str(certificate)) as endpoint, pytest.raises(Unreachable, match="could not be verified"):
            endpoint.get(PAGE)
        assert server.requests == []


IN_CHUNKS = chunked(GOOD.body)
WITH_TRAILERS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nab\r\n3 \r\ncde\r\n0\r\nx-late: 1\r\n\r\n"


@pytest.mark.parametrize("way", ["directly", "through a proxy"])
@pytest.mark.parametrize(("raw", "connections"), [
    (GOOD.wire(), 1), (GOOD.wire() * 2, 3), (GOOD.wire() + b"H", 3), (IN_CHUNKS.wire(), 1), (IN_CHUNKS.wire() * 2, 3),
    (IN_CHUNKS.wire() + b"H", 3),
], ids=["kept", "an answer left over", "a byte left over", "chunks", "chunks left over", "a byte after chunks"])  # fmt: skip
def test_a_connection_is_reused_unless_more_bytes_follow(raw: bytes, connections: int, way: str, certificate: Path) -> None:
    with OverTls(one_after_another(Reply(raw=raw)), certificate) as server, Tunnels(port_of(server)) as proxy:
        url, through = (server.url, None) if way == "directly" else ("https://catalog.test", proxy.url)
        with open_client(url, proxy=through, ca_bundle=str(certificate)) as endpoint:
            for _ in range(3):
                assert endpoint.get(PAGE).records == [WIRE]
        assert server.connections == connections


def test_a_connection_is_reused_after_a_last_chunk_that_was_sent_by_itself() -> None:
    last = len(IN_CHUNKS.wire()) - len(b"0\r\n\r\n")
    with Hostile(one_after_another(Reply(raw=IN_CHUNKS.wire(), pause=0.02, drip_from=last))) as server:
        with open_client(server.url) as endpoint:
            assert [endpoint.get(PAGE).records for _ in range(3)] == [[WIRE]] * 3
        assert server.connections == 1


def get(connection: Connection, most: int = 2**20) -> tuple[int, bytes]:
    response = connection.request("GET", [], timeouts=LIMIT, most=lambda _status: most)
    assert response.failure is None
    return response.status, response.body


def test_chunks_with_extensions_and_trailers_are_joined() -> None:
    with Hostile(one_after_another(Reply(raw=WITH_TRAILERS))) as server:
        connection = Connection(server.url, Network())
        assert [get(connection), get(connection)] == [(200, b"abcde")] * 2
        connection.close()


def test_after_a_response_that_is_not_read_to_its_end_a_new_connection_is_used() -> None:
    with Hostile(one_after_another(Reply(b"x" * 300_000), Reply(b"next"))) as server:
        connection = Connection(server.url, Network())
        assert get(connection, 10) == (200, b"x" * 10)
        assert get(connection) == (200, b"next")
        connection.close()
        assert server.connections == 2


def test_an_address_that_httpx_refuses_is_an_unreachable_server() -> None:
    with open_client("https://999.1.1.1") as endpoint, pytest.raises(Unreachable, match="a character that HTTP does not permit"):
        endpoint.get(PAGE)


def test_a_header_cannot_inject_another() -> None:
    with Hostile(one_after_another(GOOD)) as server:
        connection = Connection(server.url, Network())
        with pytest.raises(TransportFailure, match="a character that HTTP does not permit"):
            connection.request("GET", [(b"key", b"a\r\nanother: b")], timeouts=LIMIT, most=lambda _status: 0)
        connection.close()
        assert server.requests == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "its response is malformed: its status line or a header"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "its response is malformed: its status line or a header"),
        (b"HTTP/1.1 200 OK\r\nconte", "the connection was closed during a response"),
    ],
)
def test_a_malformed_head_is_reported_as_such(raw: bytes, why: str) -> None:
    with Hostile(one_after_another(Reply(raw=raw, end="close"))) as server:
        assert why in page(server.url, Network())


def test_no_connection_is_made_to_an_address_that_is_not_permitted() -> None:
    with Hostile(one_after_another(GOOD)) as server:
        connection = Connection(server.url, Network(), is_permitted=lambda _address: False)
        with pytest.raises(TransportFailure, match="not permitted"):
            get(connection)
        assert server.connections == 0
