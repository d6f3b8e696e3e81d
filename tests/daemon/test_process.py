"""The daemon as a process: its schedule, a second daemon, a missing key or database."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.server import SANDBOX_KEY
from tests.builders import records
from tests.command_line import template_sync
from tests.daemons import DaemonProcess, Upstream, next_run_at, rows, statuses, until
from tests.servers import postgresql
from tests.webhooks.receiver import SECRET, Receiver

if TYPE_CHECKING:
    from pathlib import Path


def key_in_a_file(upstream: Upstream, folder: Path, key: str = SANDBOX_KEY, **more: str) -> tuple[Path, dict[str, str]]:
    """Write the only valid key to a file; return the file, and settings that name it."""
    file = folder / "key"
    file.write_text(key)
    file.chmod(0o600)
    upstream.keys = {key}
    variables = upstream.settings(CRUN_API_KEY_FILE=str(file), **more)
    del variables["CRUN_API_KEY"]
    return file, variables


def stored_plan(folder: Path) -> datetime:
    """Return the stored time of the next run, or of the active one."""
    return datetime.fromisoformat(until(lambda: next_run_at(folder), "the stored plan")).replace(tzinfo=UTC)


@pytest.mark.ci_slice
def test_runs_start_at_the_start_and_then_at_the_interval(upstream: Upstream, tmp_path: Path) -> None:
    interval = timedelta(seconds=0.5)
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.5s")) as daemon:
        first = datetime.fromisoformat(daemon.wait_for("daemon_started")["first_run"])  # to the second
        daemon.wait_for("run_finished", status="succeeded")
        earlier = stored_plan(tmp_path)
        daemon.wait_for("run_finished", 4, status="succeeded")
        slot = stored_plan(tmp_path)
        upstream.hold_a_run()  # so that the stop interrupts this run and no other
        assert daemon.stop() == 0
    assert statuses(tmp_path)[-1] == "interrupted"
    assert set(statuses(tmp_path)[:-1]) == {"succeeded"}
    found = rows(tmp_path, "SELECT started_at FROM sync_runs ORDER BY run_id")
    starts = [datetime.fromisoformat(start).replace(tzinfo=UTC) for (start,) in found]
    assert first <= starts[0]
    # The scheduled times are a whole number of intervals apart, no run starts before its time, and no two share one.
    assert (slot - earlier) % interval == timedelta(0)
    taken = [(start - slot) // interval for start in starts]
    assert all(one < next_one for one, next_one in itertools.pairwise(taken))


@pytest.mark.ci_slice
def test_a_fresh_success_is_not_repeated_at_start(upstream: Upstream, tmp_path: Path) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        first = datetime.fromisoformat(daemon.wait_for("daemon_started")["first_run"])
        assert 3500 < (first - datetime.now(UTC)).total_seconds() <= 3600
        until(lambda: next_run_at(tmp_path), "the stored plan")
        assert daemon.stop() == 0
    assert statuses(tmp_path) == ["succeeded"]
    assert next_run_at(tmp_path) is None


@pytest.mark.ci_slice
def test_a_cron_expression_uses_its_time_zone_and_sunday_is_0(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_INTERVAL="", SYNC_CRON="0 3 * * 0", SYNC_TIMEZONE="Asia/Shanghai")
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        # The plan is stored after the run; before that it is the plan of the start.
        until(lambda: "19:00:00" in (next_run_at(tmp_path) or ""), "03:00 in Shanghai")
        planned = next_run_at(tmp_path)
        assert daemon.stop() == 0
    assert planned
    assert datetime.fromisoformat(planned).strftime("%A %H:%M") == "Saturday 19:00"


def test_a_port_in_use_is_an_error_and_warnings_of_settings_are_lines_of_the_log(upstream: Upstream, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = upstream.settings(SYNC_HTTP_PORT=port, SYNC_INTERVALL="5m")
        refused = template_sync("daemon", folder=tmp_path, variables=variables, in_process=True)
    warning, *_, error = (json.loads(line) for line in refused.err.splitlines())
    assert (warning["event"], warning["level"]) == ("warning", "warning")
    assert "did you mean SYNC_INTERVAL?" in warning["message"]
    assert f"SYNC_HTTP_PORT: cannot listen on 127.0.0.1 port {port}: Address already in use" in error["error"]
    assert (refused.code, len(upstream.requests)) == (78, 0)


@pytest.mark.ci_slice
def test_a_run_that_was_due_during_a_suspend_runs_once_afterwards(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.4s")) as daemon:
        daemon.wait_for("run_finished", 2)
        daemon.send(signal.SIGSTOP)
        time.sleep(2.1)  # five intervals in which nothing can run
        before = len(statuses(tmp_path))
        daemon.send(signal.SIGCONT)
        woken = time.monotonic()
        until(lambda: len(statuses(tmp_path)) > before, "the run that was due")
        until(lambda: len(statuses(tmp_path)) >= before + 3, "the runs after it")
        assert time.monotonic() - woken > 0.4  # at their times, not all at once
        assert daemon.stop() == 0


# A second daemon, and missing resources -------------------------------------------------------------------------------------


@pytest.mark.ci_slice
def test_of_two_daemons_on_one_database_one_is_skipped(upstream: Upstream, tmp_path: Path) -> None:
    upstream.gate.clear()
    with DaemonProcess(tmp_path, upstream.settings()) as one:
        until(lambda: upstream.requests, "a request")
        with DaemonProcess(tmp_path, upstream.settings()) as other:
            skipped = other.wait_for("run_finished", status="skipped")
            assert f"(pid {one.pid})" in skipped["error"]
            upstream.gate.set()
            one.wait_for("run_finished", status="succeeded")
            assert (one.stop(), other.stop()) == (0, 0)
    assert statuses(tmp_path) == ["succeeded", "skipped"]


@pytest.mark.ci_slice
def test_of_two_daemons_one_runs_and_the_other_takes_over_when_it_is_killed(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_INTERVAL="2s")
    with DaemonProcess(tmp_path, variables) as one, DaemonProcess(tmp_path, variables) as other:
        follower = until(
            lambda: next((each for each in (one, other) if each.events("run_made_elsewhere")), None), "one that follows"
        )
        leader = one if follower is other else other
        made = len(follower.events("run_finished", status="succeeded"))
        leader.send(signal.SIGKILL)
        follower.wait_for("run_finished", made + 1, status="succeeded")
        assert follower.stop() == 0
        looked = len(follower.events("run_made_elsewhere"))
    assert statuses(tmp_path).count("succeeded") > 1
    assert looked == 1


@pytest.mark.ci_slice
def test_a_daemon_stops_with_an_error_if_the_schema_is_newer(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.3s")) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        with closing(sqlite3.connect(tmp_path / "templates.db")) as database, database:
            database.execute("UPDATE sync_alembic_version SET version_num = '9999'")
        assert daemon.end() == 69
    assert "The database's schema (9999) is newer than this version knows" in daemon.output
    assert "Upgrade this program on this machine" in daemon.output
    assert daemon.events("daemon_stopped")


@pytest.mark.ci_slice
def test_a_key_rotated_in_its_file_needs_no_restart_and_no_key_is_printed(upstream: Upstream, tmp_path: Path) -> None:
    old, new = "ak_OldKeyOldKeyOldKeyOldKeyOldKey00", "ak_NewKeyNewKeyNewKeyNewKeyNewKey11"
    more = {"SYNC_INTERVAL": "0.2s", "SYNC_LOG_LEVEL": "debug", "SYNC_HTTP_PORT": "0"}
    key, variables = key_in_a_file(upstream, tmp_path, old, **more)
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        upstream.keys = {new}
        daemon.wait_for("run_finished", error_code="401")
        key.write_text(new)
        daemon.wait_for_more(1, "run_finished", status="succeeded")
        shown = daemon.probe("/metrics")[1] + daemon.probe("/readyz")[1]
        assert daemon.stop() == 0
    shown += daemon.output
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file != key)
    for secret in (old, new):
        assert secret in upstream.shown
        assert secret not in shown
        assert secret.encode() not in stored


@pytest.mark.ci_slice
def test_a_missing_key_file_is_a_failed_run_and_does_not_end_the_daemon(upstream: Upstream, tmp_path: Path) -> None:
    key, variables = key_in_a_file(upstream, tmp_path, SYNC_INTERVAL="0.2s", SYNC_STALE_AFTER="1h")
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        key.rename(tmp_path / "away")
        daemon.wait_for("run_finished", error_code="configuration")
        listed = template_sync("runs", folder=tmp_path, variables=variables)
        shown = template_sync("status", folder=tmp_path, variables=variables)
        healthy = template_sync("health", folder=tmp_path, variables=variables)
        (tmp_path / "away").rename(key)
        daemon.wait_for_more(2, "run_finished", status="succeeded")
        assert daemon.stop() == 0
    assert (listed.code, shown.code, healthy.code) == (0, 0, 0)
    assert "CRUN_API_KEY: expected a readable file in CRUN_API_KEY_FILE" in listed.out
    assert "the settings of the process that made the run" in shown.out


@pytest.mark.ci_slice
def test_sighup_reloads_the_files(upstream: Upstream, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks.toml"
    hooks.write_text("")
    key, variables = key_in_a_file(upstream, tmp_path, SYNC_WEBHOOKS_FILE=str(hooks), HOOK_SECRET=SECRET)
    with Receiver() as receiver, DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        hooks.write_text(f'[[endpoint]]\nname = "shop"\nurl = "{receiver.url}"\nsecret_env = "HOOK_SECRET"\nfrom = "start"\n')
        daemon.send(signal.SIGHUP)
        assert daemon.wait_for("reloaded")["webhook_endpoints"] == 1
        until(lambda: len(receiver.requests) >= 3, "the messages to the endpoint that was added")
        key.unlink()
        daemon.send(signal.SIGHUP)
        failed = daemon.wait_for("reload_failed")
        key.write_text("ak_NewKeyNewKeyNewKeyNewKeyNewKey11")
        key.chmod(0o600)
        daemon.send(signal.SIGHUP)
        daemon.wait_for("reloaded", 2)
        assert daemon.stop() == 0
    assert "CRUN_API_KEY_FILE" in failed["reason"]
    assert "ak_NewKey" not in daemon.output
    assert statuses(tmp_path) == ["succeeded"]  # a reload starts no run


@pytest.mark.ci_slice
def test_a_flag_still_overrides_an_invalid_variable(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_RATE="fast", SYNC_INTERVAL="soon")
    with DaemonProcess(tmp_path, variables, "--rate", "0", "--interval", "0.2s") as daemon:
        daemon.wait_for("run_finished", 2, status="succeeded")
        assert daemon.stop() == 0


@pytest.mark.long
def test_an_unreachable_database_server_does_not_end_the_daemon(upstream: Upstream, tmp_path: Path) -> None:
    with postgresql() as server:
        server.start()
        variables = upstream.settings(SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0", DATABASE_URL=server.url)
        assert template_sync("db", "upgrade", folder=tmp_path, variables=variables).code == 0
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", status="succeeded")
            server.kill()
            daemon.wait_for("run_finished", status="failed", error_code="database")
            status, why = daemon.probe("/readyz")
            assert (status, daemon.probe("/livez")[0]) == (503, 200)
            assert re.search(r"Database error \(127\.0\.0\.1:\d+/postgres\)", why)
            assert daemon.metrics()['template_sync_last_run_status{status="failed"}'] == 1
            server.start()
            daemon.wait_for_more(1, "run_finished", status="succeeded")
            assert daemon.probe("/readyz") == (200, "3 templates\n")
            assert daemon.stop() == 0


@pytest.mark.ci_slice
def test_after_a_kill_during_a_run_a_backup_can_be_restored_and_the_next_daemon_continues(
    upstream: Upstream, tmp_path: Path
) -> None:
    variables = upstream.settings(SYNC_INTERVAL="0.3s", DATABASE_URL="sqlite:///templates.db")
    present = "SELECT template_id FROM templates WHERE removed_at IS NULL"
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        assert template_sync("db", "backup", "backup.db", folder=tmp_path, variables=variables).code == 0
        upstream.catalog = records(5)
        daemon.wait_for("run_finished", status="succeeded", added=2)
        open_meanwhile = template_sync("db", "restore", "backup.db", folder=tmp_path, variables=variables)
        assert (open_meanwhile.code, "has the database open" in open_meanwhile.err) == (75, True)
        upstream.hold_a_run()
        assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    upstream.gate.set()
    assert (tmp_path / "templates.db-wal").exists()
    restored = template_sync("db", "restore", "backup.db", folder=tmp_path, variables=variables)
    assert (restored.code, "The database was restored from backup.db" in restored.err) == (0, True)
    assert len(rows(tmp_path, present)) == 3
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded", added=2)
        assert daemon.stop() == 0
    assert template_sync("db", "check", folder=tmp_path, variables=variables).code == 0
    assert len(rows(tmp_path, present)) == 5


def remove_database(folder: Path) -> None:
    for file in folder.glob("templates.db*"):
        file.unlink()


@pytest.mark.ci_slice
def test_a_daemon_whose_database_file_is_missing_fails_until_a_file_exists_again(upstream: Upstream, tmp_path: Path) -> None:
    # A short lease: a run whose file was deleted cannot release its lease.
    variables = upstream.settings(SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0", SYNC_LEASE_TTL="2s")
    file, away = tmp_path / "templates.db", tmp_path / "away.db"
    with DaemonProcess(tmp_path, variables) as daemon:

        def fails() -> None:
            daemon.wait_for_more(1, "run_finished", status="failed", error_code="schema")
            assert (daemon.probe("/readyz")[0], daemon.probe("/livez")) == (503, (200, "the scheduler is alive\n"))
            assert daemon.metrics()['template_sync_last_run_status{status="failed"}'] == 1
            assert not file.exists()  # no empty file was created

        def continues() -> None:
            daemon.wait_for_more(2, "run_finished", status="succeeded")
            assert daemon.probe("/readyz") == (200, "3 templates\n")

        continues()
        file.rename(away)
        fails()
        away.rename(file)
        continues()
        assert daemon.events("database_replaced") == []
        remove_database(tmp_path)
        fails()
        assert "There is no database at" in daemon.events("run_finished", status="failed")[-1]["error"]
        assert template_sync("run", folder=tmp_path, variables=variables).code == 0
        continues()
        assert "templates.db" in daemon.wait_for("database_replaced")["file"]
        assert "daemon" in {trigger for (trigger,) in rows(tmp_path, "SELECT DISTINCT trigger FROM sync_runs")}
        assert daemon.stop() == 0
    assert len(daemon.events("database_replaced")) == 1


@pytest.mark.ci_slice
def test_a_daemon_does_not_change_a_file_of_another_program(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0")) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        with closing(sqlite3.connect(tmp_path / "other.db")) as other:
            other.execute("CREATE TABLE theirs (a)")
        remove_database(tmp_path)
        (tmp_path / "other.db").rename(tmp_path / "templates.db")
        daemon.wait_for("run_finished", status="failed", error_code="schema")
        assert daemon.probe("/readyz")[0] == 503
        assert rows(tmp_path, "SELECT name FROM sqlite_master") == [("theirs",)]
        assert daemon.stop() == 0
    assert daemon.events("database_replaced") == []


@pytest.mark.parametrize(("arguments", "variables", "code", "event"), [
    ((), {"SYNC_INTERVAL": "0", "SYNC_INTERVALL": "5m"}, 78, "command_failed"),
    ((), {"CRUN_API_KEY": "short", "DATABASE_URL": "sqlite:////no/such/folder/templates.db"}, 69, "command_failed"),
    (("--no-such-flag",), {}, 2, "command_failed"),
    (("--log-format", "console"), {"SYNC_INTERVAL": "0"}, 78, None),
])  # fmt: skip
def test_a_failed_start_is_reported_in_the_format_of_the_log(
    arguments: tuple[str, ...], variables: dict[str, str], code: int, event: str | None, tmp_path: Path
) -> None:
    given = {"CRUN_API_KEY": SANDBOX_KEY, **variables}
    refused = template_sync("daemon", *arguments, folder=tmp_path, variables=given, in_process=True)
    assert refused.code == code
    if event is None:
        assert refused.err.startswith("error: ")
        return
    lines = [json.loads(line) for line in refused.err.splitlines()]
    assert (lines[-1]["event"], lines[-1]["exit_code"], lines[-1]["level"]) == (event, code, "error")
    assert lines[-1]["error"]
    assert lines[-1]["hint"]
