"""The probes: responses, limits, and the metrics of a scrape."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from sync.errors import ConfigurationError, DatabaseAway
from sync.monitoring.metrics import Metrics
from sync.monitoring.probes import Probes, Scrape
from tests.monitoring.figures import overview

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.reader.status import Overview

TIMEOUT = 10.0  # seconds; expected events occur at once


def good() -> tuple[bool, str]:
    return True, "ok"


def figures() -> bytes:
    return b"template_sync_templates 7\n"


class SlowCheck:
    """A check that waits for the event `leave`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.entered, self.leave, self.left = threading.Event(), threading.Event(), threading.Event()

    def __call__(self) -> tuple[bool, str]:
        self.entered.set()
        self.leave.wait(TIMEOUT)
        self.left.set()
        return True, self.text


@contextmanager
def client_of(server: Probes, sent: bytes = b"") -> Iterator[socket.socket]:
    """Connect to a server, and send the start of a request."""
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as client:
        client.sendall(sent)
        yield client


@contextmanager
def probes(host: str = "127.0.0.1", port: int = 0, **given: Any) -> Iterator[Probes]:
    """Serve with checks that succeed, unless others are given."""
    server = Probes(host, port, **{"live": good, "ready": good, "metrics": figures, "limit": 4.0, **given})
    try:
        yield server
    finally:
        server.stop()


def get(
    server: Probes, path: str, *, method: str = "GET", host: str | None = None, at: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(at, server.port, timeout=TIMEOUT)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_a_failed_check_is_503_with_the_reason_on_one_line() -> None:
    with probes(ready=lambda: (False, "schema 3\nof 4")) as server:
        assert get(server, "/readyz?verbose=1")[::2] == (503, b"schema 3 of 4\n")
        assert get(server, "/livez")[::2] == (200, b"ok\n")


def test_a_check_that_raises_is_503_with_the_type_of_the_error_only() -> None:
    def broken() -> tuple[bool, str]:
        raise RuntimeError("postgresql://user:secret@host")

    def broken_metrics() -> bytes:
        raise ValueError("secret")

    with probes(live=broken, metrics=broken_metrics) as server:
        assert get(server, "/livez")[::2] == (503, b"RuntimeError\n")
        assert get(server, "/metrics")[::2] == (503, b"ValueError\n")


def test_metrics_have_the_content_type_of_prometheus_and_head_is_get_without_the_body() -> None:
    with probes() as server:
        status, headers, body = get(server, "/metrics")
        assert (status, body) == (200, b"template_sync_templates 7\n")
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        for path in ("/livez", "/readyz", "/metrics", "/"):
            _, got, body = get(server, path)
            status, headers, nothing = get(server, path, method="HEAD")
            assert nothing == b""
            assert headers["Content-Length"] == got["Content-Length"] == str(len(body))
            assert status == (404 if path == "/" else 200)


def test_every_other_path_is_404() -> None:
    with probes() as server:
        for path in ("/", "/livez/", "/Livez", "/../etc/passwd", "/metrics.json", "/debug"):
            assert get(server, path)[::2] == (404, b"try /livez, /readyz or /metrics\n")


def test_no_response_may_be_cached_or_sniffed() -> None:
    with probes() as server:
        for method, path, status in (("GET", "/livez", 200), ("GET", "/no", 404), ("POST", "/livez", 501)):
            found, headers, _ = get(server, path, method=method)
            assert found == status
            assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
            assert headers["Content-Type"].startswith("text/plain")
            assert headers["Server"].strip() == "template-sync"


def test_on_loopback_only_names_of_loopback_are_served() -> None:
    with probes() as server:
        for host in ("localhost", "127.0.0.1", "LOCALHOST:9090", "[::1]:9090"):
            assert get(server, "/livez", host=host)[0] == 200
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", "", "127.0.0.1@evil.example"):
            assert get(server, "/metrics", host=host)[::2] == (421, b"not a name of this service\n")


def test_on_an_open_address_any_name_is_served() -> None:
    with probes(host="0.0.0.0") as server:  # noqa: S104 - the tested case
        assert get(server, "/metrics", host="template-sync.monitoring.svc:9090")[0] == 200


def test_a_client_without_a_host_header_is_served() -> None:
    with probes() as server, client_of(server, b"GET /livez HTTP/1.0\r\n\r\n") as client, client.makefile("rb") as answer:
        assert answer.read().endswith(b"\r\n\r\nok\n")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_the_probes_can_listen_on_ipv6_loopback() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with probes(host="::1") as server:
        assert get(server, "/livez", at="::1")[0] == 200


def test_a_port_in_use_is_an_error_of_sync_http_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError) as refusal, probes(port=port):
            pass
    assert refusal.value.problems == [f"SYNC_HTTP_PORT: cannot listen on 127.0.0.1 port {port}: Address already in use."]


def test_an_address_of_another_host_is_an_error_of_sync_http_host() -> None:
    refusal = pytest.raises(ConfigurationError, match=r"^SYNC_HTTP_HOST: cannot listen on 192\.0\.2\.1 port 0: ")
    with refusal, probes("192.0.2.1"):  # reserved for documentation
        pass


def test_idle_clients_are_disconnected_while_others_are_served() -> None:
    with probes(limit=0.2) as server, client_of(server) as idle, client_of(server, b"GET /livez HT") as halfway:
        assert get(server, "/livez")[0] == 200
        assert idle.recv(1000) == b""
        halfway.recv(1000)  # an error page or nothing


def test_a_client_that_sends_slowly_is_disconnected() -> None:
    with probes(limit=0.2) as server, client_of(server, b"GET /livez HTTP/1.1\r\n") as client:
        client.settimeout(0.02)
        cut = False
        for _ in range(500):
            try:
                client.sendall(b"X-More: 1\r\n")
                cut = client.recv(1000) is not None  # a response, or the end
                break
            except TimeoutError:
                continue
            except OSError:
                cut = True
                break
        assert cut


def test_a_slow_check_delays_no_other_request() -> None:
    slow = SlowCheck("at last")
    with probes(ready=slow) as server, client_of(server, b"GET /readyz HTTP/1.0\r\n\r\n") as waiting:
        assert slow.entered.wait(TIMEOUT)
        assert get(server, "/livez")[::2] == (200, b"ok\n")
        slow.leave.set()
        with waiting.makefile("rb") as answer:
            assert answer.read().endswith(b"at last\n")


def test_a_client_that_disconnects_early_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    slow = SlowCheck("x" * 10_000_000)
    with probes(ready=slow) as server:
        with client_of(server, b"GET /readyz HTTP/1.0\r\n\r\n"):
            assert slow.entered.wait(TIMEOUT)
        slow.leave.set()
        assert slow.left.wait(TIMEOUT)
        assert get(server, "/livez")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_requests_are_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    with probes() as server:
        get(server, "/livez")
        get(server, "/nonsense")
        get(server, "/livez", method="DELETE")
    assert capfd.readouterr() == ("", "")


def test_stop_frees_the_port_and_ends_the_thread() -> None:
    with probes() as server:
        assert server.port > 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
    assert "probes" not in [thread.name for thread in threading.enumerate()]


# Scrapes ----------------------------------------------------------------------------------------------------------------


def test_facts_are_read_at_a_scrape_if_they_are_older_than_3_seconds() -> None:
    moment, count = [0.0], [1]
    scrape = Scrape(
        Metrics("1", 2700.0), lambda: overview(present=count[0]), keep=3.0, limit=TIMEOUT, monotonic=lambda: moment[0]
    )
    assert b"template_sync_templates 1.0" in scrape.text()
    count[0] = 2
    moment[0] = 2.9
    assert b"template_sync_templates 1.0" in scrape.text()
    moment[0] = 3.0
    assert b"template_sync_templates 2.0" in scrape.text()


def test_a_database_that_hangs_delays_a_scrape_for_the_limit_and_gets_no_second_query() -> None:
    over, queries = threading.Event(), []

    def hang() -> Overview:
        queries.append(1)
        over.wait(TIMEOUT)
        return overview(present=7)

    metrics = Metrics("1", 2700.0)
    metrics.set_facts(overview(present=5))
    scrape = Scrape(metrics, hang, keep=0.0, limit=0.05)
    assert b"template_sync_templates 5.0" in scrape.text()
    assert b"template_sync_templates 5.0" in scrape.text()
    assert len(queries) == 1
    over.set()


def test_while_the_database_is_unreachable_the_last_facts_are_served() -> None:
    def away() -> Overview:
        raise DatabaseAway("The database restarts.")

    metrics = Metrics("1", 2700.0)
    metrics.set_facts(overview(present=5))
    assert b"template_sync_templates 5.0" in Scrape(metrics, away, limit=TIMEOUT).text()


def test_an_unexpected_error_of_the_query_is_one_warning() -> None:
    def broken() -> Overview:
        raise ZeroDivisionError

    with capture_logs() as logs:
        assert b"template_sync_templates NaN" in Scrape(Metrics("1", 2700.0), broken, limit=TIMEOUT).text()
    assert logs == [{"event": "metrics_not_updated", "reason": "ZeroDivisionError", "log_level": "warning"}]


def test_without_a_free_thread_the_last_facts_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert b"template_sync_templates NaN" in Scrape(Metrics("1", 2700.0), lambda: overview(present=1)).text()
