"""Monitoring of the daemon: metrics, systemd notifications, heartbeat."""

from __future__ import annotations

import gc
import signal
import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from sync.catalog.run_record import Run, Status
from sync.commands.base import now
from sync.commands.run import heartbeat_for_run
from sync.daemon.service import Service
from sync.errors import SyncError
from sync.monitoring.heartbeat import Ping
from sync.monitoring.metrics import Metrics
from sync.sandbox.server import SANDBOX_KEY
from sync.synchronise import Outcome
from tests.builders import make_settings, records
from tests.command_line import template_sync
from tests.daemons import DaemonProcess, Upstream, rows, statuses, until
from tests.faults import Snapshot
from tests.hostile import Reply
from tests.monitoring.figures import overview
from tests.monitoring.monitor import OK, Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sync.config.settings import Settings
    from tests.builders import Database


@pytest.mark.ci_slice
def test_the_metrics_after_runs(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0")) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        upstream.catalog = [*records(4)[1:]]
        daemon.wait_for("run_finished", added=1, removed=1)
        upstream.refuse(401)
        daemon.wait_for("run_finished", error_code="401")
        upstream.hold_a_run()
        shown = daemon.metrics()
        runs = daemon.events("run_finished")
        upstream.gate.set()
        assert daemon.stop() == 0
    finished = {status: sum(run["status"] == status for run in runs) for status in ("succeeded", "failed", "skipped")}
    for status, count in finished.items():
        assert shown[f'template_sync_runs_total{{status="{status}"}}'] == count
    assert shown['template_sync_last_run_status{status="failed"}'] == 1
    assert shown['template_sync_last_run_status{status="succeeded"}'] == 0
    changes = {kind: shown[f'template_sync_changes_total{{kind="{kind}"}}'] for kind in ("added", "removed", "changed")}
    assert changes == {"added": 4, "removed": 1, "changed": 0}
    assert shown["template_sync_templates"] == 3
    assert (shown["template_sync_held_removals"], shown["template_sync_rejected_records"]) == (0, 0)
    assert shown["template_sync_run_duration_seconds_count"] == len(runs)
    answers = {name: value for name, value in shown.items() if name.startswith("template_sync_upstream_requests_total")}
    assert answers['template_sync_upstream_requests_total{code="401"}'] == finished["failed"]
    assert sum(answers.values()) == sum(run["requests"] for run in runs)
    (newest,) = rows(tmp_path, "SELECT finished_at FROM sync_runs WHERE status = 'succeeded' ORDER BY run_id DESC LIMIT 1")[0]
    expected = datetime.fromisoformat(newest).replace(tzinfo=UTC).timestamp()
    assert shown["template_sync_last_success_timestamp_seconds"] == pytest.approx(expected, abs=0.001)
    assert shown["template_sync_last_attempt_timestamp_seconds"] > expected


@pytest.mark.ci_slice
def test_the_metrics_of_an_idle_daemon_include_the_runs_of_other_processes(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_HTTP_PORT="0", SYNC_STALE_AFTER="20m")
    upstream.refuse(455, Retry_After="7200")

    def run(count: int) -> None:
        upstream.reply, upstream.catalog = None, records(count)
        assert template_sync("run", folder=tmp_path, variables=variables).code == 0

    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="deferred")
        assert daemon.metrics()['template_sync_last_run_status{status="deferred"}'] == 1
        run(3)
        until(lambda: daemon.metrics()['template_sync_last_run_status{status="succeeded"}'] == 1, "the manual run")
        first = daemon.metrics()
        run(5)
        until(lambda: daemon.metrics()["template_sync_templates"] == 5, "the next run")
        second = daemon.metrics()
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path, variables) as daemon:  # a new process shows the facts of the database
        daemon.wait_for("daemon_started")
        again = daemon.metrics()
        assert daemon.stop() == 0
    assert [each["template_sync_templates"] for each in (first, second, again)] == [3, 5, 5]
    ended = [each["template_sync_last_success_timestamp_seconds"] for each in (first, second, again)]
    assert time.time() - 600 < ended[0] < ended[1] == ended[2]
    assert again['template_sync_runs_total{status="succeeded"}'] == 0
    assert again["template_sync_stale_after_seconds"] == 1200


@pytest.mark.ci_slice
def test_systemd_is_notified_of_start_watchdog_status_and_stop(upstream: Upstream, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(25)
        variables = upstream.settings(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        messages: list[str] = []
        with DaemonProcess(tmp_path, variables) as daemon:
            while messages.count("WATCHDOG=1") < 3:
                messages.append(line.recv(4096).decode())
            daemon.send(signal.SIGTERM)
            while not messages[-1].startswith("STOPPING=1"):
                messages.append(line.recv(4096).decode())
            assert daemon.end() == 0
    assert messages.index("READY=1") < messages.index("WATCHDOG=1")
    assert "STATUS=A run is active." in messages
    assert any(text.startswith("STATUS=The next run is due at ") for text in messages)
    assert messages[-1] == "STOPPING=1\nSTATUS=Stopping."


@contextmanager
def monitor(reply: Reply = OK) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve pings; yield their address, and those that were received."""
    with Monitor(reply) as server:
        yield f"{server.url}/beat", server.pings


def test_the_heartbeat_is_pinged_at_start_success_maintenance_and_failure(upstream: Upstream, sqlite: Database) -> None:
    with monitor() as (url, pings):
        ping = Ping(url)
        service = service_of(make_settings(upstream.url), sqlite, ping=ping)
        assert service.run().status is Status.SUCCEEDED
        for code, status in ((455, Status.DEFERRED), (401, Status.FAILED)):
            upstream.refuse(code)
            assert service.run().status is status
        ping.close(10)
    assert [path for path, _ in pings] == ["/beat/start", "/beat", "/beat/start", "/beat", "/beat/start", "/beat/fail"]
    assert pings[1][1] == "run 1: succeeded"
    assert pings[3][1].startswith("run 2: deferred, ")  # not a failure while the catalog is fresh
    assert (pings[5][1].startswith("run 3: failed, "), "(401)" in pings[5][1]) == (True, True)


@pytest.mark.ci_slice
def test_a_heartbeat_server_that_hangs_delays_neither_runs_nor_a_stop(upstream: Upstream, tmp_path: Path) -> None:
    with monitor(Reply(hold=60)) as (url, pings):
        variables = upstream.settings(SYNC_INTERVAL="0.2s", SYNC_PING_URL=url, SYNC_GRACE="2s")
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", 5, status="succeeded")
            upstream.hold_a_run()  # so that the stop interrupts this run and no other
            stopped_at = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - stopped_at < 5
        assert pings
    assert statuses(tmp_path)[-1] == "interrupted"
    assert set(statuses(tmp_path)[:-1]) == {"succeeded"}


def service_of(settings: Settings, database: Database, **given: Any) -> Service:
    parts = {"key": lambda: SANDBOX_KEY, "metrics": Metrics("1", 2700.0), "ping": Ping(None), "clock": now, **given}
    return Service(settings, database.engine, **parts)


def test_an_unexpected_error_of_a_run_reaches_the_metrics_and_the_heartbeat(sqlite: Database) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    with monitor() as (url, pings), structlog.testing.capture_logs() as logs:
        metrics, ping = Metrics("1", 2700.0), Ping(url)
        service = service_of(make_settings(), sqlite, key=broken, metrics=metrics, ping=ping)
        assert service.run().status is Status.FAILED
        ping.close(10)
    assert pings == [("/beat/start", ""), ("/beat/fail", "run: failed, Unexpected error: ZeroDivisionError.")]
    assert b'template_sync_runs_total{status="failed"} 1.0' in metrics.text()
    assert [entry["event"] for entry in logs] == ["run_crashed", "run_finished"]


def test_a_run_ends_with_a_garbage_collection(upstream: Upstream, sqlite: Database) -> None:
    collected: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        collected.extend([info["generation"]] if phase == "stop" else [])

    service = service_of(make_settings(upstream.url), sqlite)
    gc.callbacks.append(note)
    try:
        service.run()
    finally:
        gc.callbacks.remove(note)
    assert 2 in collected


def test_a_daemon_warns_once_that_its_database_lost_changes(upstream: Upstream, sqlite: Database) -> None:
    before = Snapshot(sqlite.engine)
    service = service_of(make_settings(upstream.url), sqlite)

    def events_of_a_run() -> list[str]:
        with structlog.testing.capture_logs() as logs:
            assert service.run().status is Status.SUCCEEDED
        return [entry["event"] for entry in logs]

    assert events_of_a_run() == ["run_finished"]
    before.restore()
    assert events_of_a_run() == ["history_went_back", "run_finished"]
    assert events_of_a_run() == ["run_finished"]


def test_an_error_after_the_start_of_a_run_is_pinged_as_a_failure(sqlite: Database) -> None:
    class BrokenMetrics(Metrics):
        def observe(self, _outcome: Outcome, _found: object) -> None:
            raise ZeroDivisionError

    def no_key() -> str:
        raise SyncError("No key.")

    with monitor() as (url, pings):
        ping = Ping(url)
        service = service_of(make_settings(), sqlite, key=no_key, metrics=BrokenMetrics("1", 2700.0), ping=ping)
        with pytest.raises(ZeroDivisionError):
            service.run()
        ping.close(10)
    assert [(row["status"], row["error"]) for row in sqlite.rows("sync_runs")] == [("failed", "No key.")]
    assert pings == [("/beat/start", ""), ("/beat/fail", "run: failed, Unexpected error: ZeroDivisionError.")]


def test_an_error_of_a_one_shot_run_is_pinged_as_a_failure(sqlite: Database) -> None:
    with monitor() as (url, pings):
        with pytest.raises(KeyboardInterrupt), heartbeat_for_run(make_settings(ping_url=url), sqlite.engine):
            raise KeyboardInterrupt
        until(lambda: len(pings) == 2, "both pings")
    assert pings == [("/beat/start", ""), ("/beat/fail", "run: failed, Unexpected error: KeyboardInterrupt.")]


@pytest.mark.parametrize(("ended", "path"), [
    (now() - timedelta(minutes=10), "/beat"), (now() - timedelta(hours=2), "/beat/fail"),
    (now() + timedelta(hours=2), "/beat/fail"),  # dated by a clock that was ahead
    (None, "/beat/fail"),
])  # fmt: skip
def test_maintenance_is_a_failure_unless_the_last_success_is_fresh(ended: datetime | None, path: str) -> None:
    run = Run(None, "daemon", Status.DEFERRED, now(), now(), error_code="455", error="Maintenance.")
    with monitor() as (url, pings):
        ping = Ping(url)
        ping.report(Outcome(run), None if ended is None else overview(replace(run, finished_at=ended)), 3600.0, now())
        ping.close(10)
    assert pings == [(path, "run: deferred, Maintenance.")]
