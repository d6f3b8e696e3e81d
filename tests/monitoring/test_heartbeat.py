"""The heartbeat reports each run and never delays or fails it."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from sync.errors import DatabaseError
from sync.monitoring.heartbeat import Ping, notify, watchdog_interval
from tests.hostile import Hostile, Reply, Request
from tests.monitoring.monitor import Monitor
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0  # seconds; expected events occur at once


HANG = Reply(hold=60)
DRIP = Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"X-More: 1\r\n" * 1000, pause=0.002)
"""The start of a head that never ends."""


def pinged(url: str | None, *calls: str, limit: float = 5.0) -> Ping:
    """Send pings: `start`, `fail` and a text, or the text of a success; return the closed object."""
    ping = Ping(url, limit=limit)
    for each in calls:
        if each == "start":
            ping.start()
        elif each.startswith("fail "):
            ping.fail(each.removeprefix("fail "))
        else:
            ping.success(each)
    ping.close(PATIENCE)
    return ping


def ping_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ping"]


@pytest.mark.parametrize(("path", "calls", "pings"), [
    ("/secret-uuid", ["start", "3 added: größer"], [("/secret-uuid/start", ""), ("/secret-uuid", "3 added: größer")]),
    ("/secret-uuid/", ["fail key refused"], [("/secret-uuid/fail", "key refused")]),
    ("/abc?create=1&tag=a%2Fb", ["start", ""], [("/abc/start?create=1&tag=a%2Fb", ""), ("/abc?create=1&tag=a%2Fb", "")]),
    ("", ["fail " + "x" * 1_000_000], [("/fail", "x" * 10_000)]),
    ("", ["a\ud800b"], [("/", "a?b")]),
], ids=["start and success", "failure", "query string", "a text of 1 MB", "half a surrogate pair"])  # fmt: skip
def test_each_ping_has_its_path_and_its_text_is_the_body(path: str, calls: list[str], pings: list[tuple[str, str]]) -> None:
    with Monitor() as server:
        pinged(server.url + path, *calls)
        assert server.pings == pings


@pytest.mark.parametrize(("error", "reason"), [
    (ZeroDivisionError("a secret"), "Unexpected error: ZeroDivisionError."),
    (SystemExit(3), "Unexpected error: SystemExit."),
    (DatabaseError("The database reported: no."), "The database reported: no."),
    (None, "The run ended without reporting a result."),
])  # fmt: skip
def test_a_run_that_raises_or_reports_no_result_is_pinged_as_a_failure(error: BaseException | None, reason: str) -> None:
    with Monitor() as server:
        ping = Ping(server.url)
        with pytest.raises(type(error)) if error else nullcontext(), ping.run():
            if error:
                raise error
        ping.close(PATIENCE)
        assert server.pings == [("/start", ""), ("/fail", f"run: failed, {reason}")]


def test_a_reported_result_is_the_only_one_even_if_the_run_then_raises() -> None:
    with Monitor() as server:
        ping = Ping(server.url)
        with suppress(ZeroDivisionError), ping.run():
            ping.success("3 added")
            raise ZeroDivisionError
        with ping.run():
            ping.fail("key refused")
        ping.close(PATIENCE)
        assert server.pings == [("/start", ""), ("/", "3 added"), ("/start", ""), ("/fail", "key refused")]


def test_without_a_url_no_thread_is_started() -> None:
    pinged(None, "start", "done", "fail not done")
    assert ping_threads() == []


def test_after_close_no_thread_remains_and_no_ping_is_sent() -> None:
    with Monitor() as server:
        ping = pinged(server.url, "start")
        ping.success("too late")
        ping.close(PATIENCE)
        assert server.pings == [("/start", "")]
        assert ping_threads() == []


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_a_redirect_or_an_error_status_is_one_warning_and_is_not_followed(status: int) -> None:
    with Monitor(Reply(b"OK", status, (("location", "/elsewhere"),))) as server, capture_logs() as logs:
        pinged(server.url + "/secret-uuid", "done")
        assert server.pings == [("/secret-uuid", "done")]
    assert logs == [{"event": "ping_failed", "reason": f"HTTP {status}", "log_level": "warning"}]


def test_neither_a_failed_nor_a_successful_ping_logs_its_url(caplog: pytest.LogCaptureFixture) -> None:
    with Monitor() as server, capture_logs() as logs, caplog.at_level("DEBUG"):
        pinged(f"http://127.0.0.1:{free_port()}/secret-uuid", "start")
        pinged(server.url + "/secret-uuid", "start")
        assert server.pings == [("/secret-uuid/start", "")]
    assert logs == [{"event": "ping_failed", "reason": "the connection was refused", "log_level": "warning"}]
    assert "secret-uuid" not in caplog.text


@pytest.mark.parametrize("url", ["http://[a-uuid", "http://127.0.0.1:99999999/a-uuid", "gopher://127.0.0.1/", "", "http://\x00/"])
def test_an_invalid_url_is_a_warning_without_it(url: str) -> None:
    with capture_logs() as logs:
        pinged(url, "start")
    assert ([entry["event"] for entry in logs], "a-uuid" in str(logs)) == (["ping_failed"], False)


def test_a_server_that_hangs_delays_neither_the_run_nor_its_end() -> None:
    with Monitor(HANG) as server:
        ping = Ping(server.url, limit=PATIENCE)
        began = time.monotonic()
        ping.start()
        ping.success("done")
        ping.close(0.1)
        assert time.monotonic() - began < PATIENCE / 2
    ping.close(PATIENCE)


@pytest.mark.parametrize("reply", [HANG, DRIP], ids=["hang", "drip"])
@pytest.mark.ci_slice
def test_a_ping_ends_at_its_timeout_and_the_next_one_is_sent(reply: Reply) -> None:
    with Monitor(reply) as server, capture_logs() as logs:
        pinged(server.url, "start", "done", limit=1.0)
        assert ping_threads() == []
        assert server.pings == [("/start", ""), ("/", "done")]
    assert [entry["event"] for entry in logs] == ["ping_failed", "ping_failed"]


def test_while_a_server_hangs_the_oldest_pings_are_dropped() -> None:
    reached, answer = threading.Event(), threading.Event()

    def wait_then_answer(_request: Request) -> Reply:
        reached.set()
        answer.wait(PATIENCE)
        return Reply()

    with Hostile(wait_then_answer) as server:
        ping = Ping(server.url, limit=PATIENCE)
        ping.start()
        assert reached.wait(PATIENCE)
        for _ in range(50):
            ping.fail("not done")
        ping.start()
        ping.success("done")
        answer.set()
        ping.close(PATIENCE)
        assert [(each.method, each.target) for each in server.requests] == [
            ("POST", target) for target in ("/start", "/fail", "/fail", "/start", "/")
        ]


# systemd ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    # Not tmp_path: a socket's path holds about 100 characters.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(Path(folder) / "notify"))
        receiver.settimeout(5)
        yield receiver


def test_messages_arrive_at_a_path_in_order(systemd: socket.socket) -> None:
    messages = ["READY=1\nSTATUS=übersichtlich", "STOPPING=1"]
    for message in messages:
        notify(message, address=systemd.getsockname())
    assert [systemd.recv(1000).decode() for _ in messages] == messages


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an abstract namespace")
def test_a_message_arrives_in_the_abstract_namespace() -> None:
    name = f"template-sync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.settimeout(5)
        notify("WATCHDOG=1", address="@" + name)
        assert receiver.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "address", [None, "", "/no/such/socket", "@no-listener", "vsock:2:1234", "relative", "/a\0b", "/" + "long" * 100]
)
def test_without_a_listener_notify_does_nothing(address: str | None) -> None:
    notify("READY=1", address=address)


def test_a_message_that_is_too_long_is_dropped(systemd: socket.socket) -> None:
    notify("STATUS=" + "x" * 10_000_000, address=systemd.getsockname())
    notify("STATUS=\ud800", address=systemd.getsockname())
    assert systemd.recv(1000) == b"STATUS=?"


def test_a_listener_that_does_not_read_does_not_block_notify(systemd: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
        sender.settimeout(0)
        while True:
            sender.sendto(b"full", systemd.getsockname())
    notify("WATCHDOG=1", address=systemd.getsockname())


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "4711"}, 15.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "4711"}, 0.25),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({}, None),
    ],
)
def test_the_watchdog_interval_is_half_of_its_timeout(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_interval(environ, 4711) == seconds
