"""Notifications to systemd."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.daemon.signals import notify, watchdog_interval

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    # Not tmp_path: a socket's path holds about 100 characters.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(Path(folder) / "notify"))
        receiver.settimeout(5)
        yield receiver


def test_a_message_arrives_at_a_path(listener: socket.socket) -> None:
    notify("READY=1\nSTATUS=übersichtlich", address=listener.getsockname())
    assert listener.recv(1000) == "READY=1\nSTATUS=übersichtlich".encode()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an abstract namespace")
def test_a_message_arrives_in_the_abstract_namespace() -> None:
    name = f"template-sync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.settimeout(5)
        notify("WATCHDOG=1", address="@" + name)
        assert receiver.recv(1000) == b"WATCHDOG=1"


def test_two_messages_arrive_in_order(listener: socket.socket) -> None:
    notify("READY=1", address=listener.getsockname())
    notify("STOPPING=1", address=listener.getsockname())
    assert [listener.recv(1000), listener.recv(1000)] == [b"READY=1", b"STOPPING=1"]


@pytest.mark.parametrize(
    "address", [None, "", "/no/such/socket", "@no-listener", "vsock:2:1234", "relative", "/a\0b", "/" + "long" * 100]
)
def test_without_a_listener_notify_does_nothing(address: str | None) -> None:
    notify("READY=1", address=address)


def test_a_message_that_is_too_long_is_dropped(listener: socket.socket) -> None:
    notify("STATUS=" + "x" * 10_000_000, address=listener.getsockname())
    notify("STATUS=\ud800", address=listener.getsockname())
    assert listener.recv(1000) == b"STATUS=?"


def test_a_listener_that_does_not_read_does_not_block_notify(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
        sender.settimeout(0)
        while True:
            sender.sendto(b"full", listener.getsockname())
    notify("WATCHDOG=1", address=listener.getsockname())


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
