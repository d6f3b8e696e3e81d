"""The daemon stops at a signal in every state."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.command_line import environment, template_sync
from tests.daemons import DaemonProcess, Upstream, next_run_at, rows, statuses, until, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIGNALS = [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
"""Tests with SIGINT are long, except the one of an idle daemon."""


def assert_clean(folder: Path, *ends: str) -> None:
    """Check that the runs are stored, the lease is free, and no run is planned."""
    assert statuses(folder) == list(ends)
    assert rows(folder, "SELECT holder, expires FROM sync_lease") == [(None, 0)]
    assert next_run_at(folder) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.ci_slice)])
def test_a_signal_stops_an_idle_daemon(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        daemon.wait_for("run_finished")
        assert daemon.stop(number) == 0
    assert_clean(tmp_path, "succeeded")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_the_fetch(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    upstream.gate.clear()
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        until(lambda: upstream.requests, "a request")
        stopped_at = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() - stopped_at < 5
        assert daemon.events("run_finished", status="interrupted")
    assert_clean(tmp_path, "interrupted")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.ci_slice
def test_a_signal_interrupts_the_wait_of_a_retry(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    upstream.refuse(429, Retry_After="50")
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        until(lambda: upstream.requests, "a request")
        daemon.wait_until_still()
        assert daemon.stop(number, within=10) == 0
    assert_clean(tmp_path, "interrupted")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.ci_slice
def test_a_signal_stops_a_deferred_daemon(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    upstream.refuse(455, Retry_After="7200")
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        daemon.wait_for("run_finished", status="deferred")
        # Later than scheduled, with a jitter of up to a tenth.
        earliest = datetime.now(UTC) + timedelta(seconds=2 * 3600 - 60)
        until(lambda: (due := next_run_at(tmp_path)) and datetime.fromisoformat(due).replace(tzinfo=UTC) > earliest, "the plan")
        assert daemon.stop(number, within=10) == 0
    assert_clean(tmp_path, "deferred")


@pytest.mark.ci_slice
def test_a_full_log_pipe_blocks_neither_a_run_nor_a_stop(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_INTERVAL="0.2s", SYNC_LOG_LEVEL="debug")
    assert template_sync("run", folder=tmp_path, variables=variables).code == 0
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)  # full, and never read
    command = [sys.executable, "-m", "sync", "daemon"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(**variables), stderr=writer) as daemon:
        try:
            until(lambda: statuses(tmp_path).count("succeeded") >= 4, "runs without a reader of the log")
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(10) == 0
        finally:
            daemon.kill()
            os.close(reader)
            os.close(writer)
    assert next_run_at(tmp_path) is None


@contextmanager
def held_in_the_commit(upstream: Upstream, folder: Path, **variables: str) -> Iterator[tuple[DaemonProcess, Callable[[], None]]]:
    """Yield a daemon whose commit waits for a lock of another program, and the function that releases it."""
    upstream.gate.clear()
    with DaemonProcess(folder, upstream.settings(**variables)) as daemon:
        until(lambda: upstream.requests, "a request")
        with write_lock(folder) as release:
            upstream.gate.set()
            daemon.wait_until_still()
            yield daemon, release


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.ci_slice
def test_after_a_signal_a_commit_in_progress_finishes(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    with held_in_the_commit(upstream, tmp_path) as (daemon, release):
        daemon.send(number)
        daemon.wait_for("daemon_stopping")
        release()
        assert daemon.end() == 0
    assert_clean(tmp_path, "succeeded")
    assert rows(tmp_path, "SELECT count(*) FROM templates") == [(3,)]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.ci_slice
def test_a_second_signal_ends_the_process_at_once(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    with held_in_the_commit(upstream, tmp_path) as (daemon, _release):
        daemon.send(signal.SIGTERM)
        daemon.wait_for("daemon_stopping")
        assert daemon.stop(number, within=5) == 128 + number
    again = template_sync("run", folder=tmp_path, variables=upstream.settings())
    assert again.code == 0  # the lease of the killed process blocks no run
    assert statuses(tmp_path) == ["interrupted", "succeeded"]


@pytest.mark.ci_slice
def test_a_run_that_hangs_is_abandoned_after_the_grace_period(upstream: Upstream, tmp_path: Path) -> None:
    with held_in_the_commit(upstream, tmp_path, SYNC_GRACE="1s") as (daemon, _release):
        stopped_at = time.monotonic()
        assert daemon.stop(within=10) == 75
        assert 1 <= time.monotonic() - stopped_at < 5
        assert daemon.events("daemon_hung")
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0


@pytest.mark.ci_slice
def test_a_locked_database_does_not_delay_the_stop_of_an_idle_daemon(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_GRACE="1s")) as daemon:
        daemon.wait_for("run_finished")
        until(lambda: next_run_at(tmp_path), "the stored plan")
        with write_lock(tmp_path):
            stopped_at = time.monotonic()
            assert daemon.stop(within=10) == 0
            assert time.monotonic() - stopped_at < 5
    assert statuses(tmp_path) == ["succeeded"]
