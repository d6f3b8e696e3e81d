"""The daemon keeps its schedule whatever the clocks do, and stops when asked, whatever it is doing."""

from __future__ import annotations

import itertools
import signal
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from sync.cron import trigger
from sync.ops.daemon import Daemon
from sync.ops.metrics import Metrics
from sync.ops.ping import Ping
from sync.ops.plan import Ended
from sync.ops.service import Service
from sync.runs import Status
from sync.sandbox.server import SANDBOX_KEY
from tests.builders import make_settings, records
from tests.commands import template_sync
from tests.daemons import DaemonProcess, Upstream, next_run_at, rows, statuses, until, write_lock
from tests.servers import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.builders import Database

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(records(3)) as server:
        yield server


# With a clock and a job of the test's own -------------------------------------------------------------------------------


class Wall:
    """A wall clock that can be set, for the daemon and for APScheduler."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = timedelta(0)
        wall = self

        class Shifted(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.now(tz) + wall.offset

        monkeypatch.setattr("apscheduler.schedulers.base.datetime", Shifted)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class FakeJob:
    """Records what the daemon does with it."""

    def __init__(self, work: Callable[[], Ended] = lambda: Ended(Status.SUCCEEDED), last: datetime | None = None) -> None:
        self.work = work
        self.last = last
        self.runs = 0
        self.at_work = 0
        self.most_at_work = 0
        self.interrupted = False
        self.plans: list[datetime | None] = []

    def run(self) -> Ended:
        self.runs += 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            return self.work()
        finally:
            self.at_work -= 1

    def interrupt(self) -> None:
        self.interrupted = True

    def last_success(self) -> datetime | None:
        return self.last

    def planned(self, moment: datetime | None) -> None:
        self.plans.append(moment)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


@contextmanager
def serving(job: FakeJob, *, interval: float = 3600.0, **options: Any) -> Iterator[Daemon]:
    daemon = Daemon(job, interval=interval, grace=10.0, chance=lambda: 0.0, look=0.02, **options)
    thread = threading.Thread(target=daemon.serve)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(20)
        assert not thread.is_alive()


def due(job: FakeJob, wall: Wall) -> float | None:
    """Seconds until the run that was planned last."""
    planned = job.plans[-1] if job.plans else None
    return None if planned is None else (planned - wall.now()).total_seconds()


def test_a_clock_set_back_while_idle_makes_no_run_later(wall: Wall) -> None:
    job = FakeJob()
    with serving(job, clock=wall.now):
        until(lambda: len(job.plans) == 2, "the first run and its plan")
        wall.offset = timedelta(hours=-5)
        until(lambda: len(job.plans) == 3, "a new plan")
        left = due(job, wall)
        assert left is not None
        assert 3500 < left <= 3600
    assert job.runs == 1


def test_a_clock_set_back_does_not_move_a_cron_time(wall: Wall) -> None:
    job = FakeJob()
    with serving(job, clock=wall.now, trigger=trigger("0 3 * * *", "UTC")):
        until(lambda: len(job.plans) == 2, "the first run and its plan")
        wall.offset = timedelta(days=-2)
        until(lambda: len(job.plans) == 3, "a new plan")
        moment = job.plans[-1]
        assert moment is not None
        assert (moment.hour, moment.minute, moment.second) == (3, 0, 0)
        assert timedelta(0) < moment - wall.now() <= timedelta(days=1)


def test_a_clock_set_back_while_cron_waits_for_a_retry_keeps_the_retry(wall: Wall) -> None:
    job = FakeJob(lambda: Ended(Status.FAILED, retry=True))
    with serving(job, clock=wall.now, trigger=trigger("0 3 29 2 *", "UTC")):
        until(lambda: len(job.plans) == 2, "the first run and its plan")
        wall.offset = timedelta(days=-2)
        until(lambda: len(job.plans) == 3, "a new plan")
        left = due(job, wall)
        assert left is not None
        assert 0 < left <= 30


def test_a_clock_set_back_during_a_run_makes_no_run_later(wall: Wall) -> None:
    def work() -> Ended:
        wall.offset = timedelta(hours=-5)
        return Ended(Status.SUCCEEDED)

    job = FakeJob(work)
    with serving(job, clock=wall.now):
        until(lambda: job.plans and job.runs, "the run")
        until(lambda: (left := due(job, wall)) is not None and 3500 < left <= 3600, "a plan an hour from now")


@pytest.mark.parametrize(
    "jump", [timedelta(hours=1.5), timedelta(days=365 * 56)], ids=["a suspend", "a clock that began in 1970"]
)
def test_a_clock_set_forward_makes_one_run_at_once_and_no_storm(wall: Wall, jump: timedelta) -> None:
    wall.offset = -jump
    job = FakeJob()
    with serving(job, interval=60.0, clock=wall.now):
        until(lambda: len(job.plans) == 2, "the first run and its plan")
        wall.offset = timedelta(0)
        until(lambda: len(job.plans) == 3, "the second run and its plan", within=10)
        left = due(job, wall)
        assert left is not None
        assert 0 < left <= 60
        time.sleep(0.2)  # in which a storm would show
    assert job.runs == 2


def test_a_run_longer_than_the_interval_causes_no_storm_and_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> Ended:
        time.sleep(0.25)
        return Ended(Status.SUCCEEDED)

    job = FakeJob(work)
    began = time.monotonic()
    with serving(job, interval=0.1):
        until(lambda: job.runs == 5, "five runs")
        took = time.monotonic() - began
    assert job.most_at_work == 1
    assert took >= 4 * 0.3 - 0.05  # every third slot: what came round during a run is not made up for
    assert [record.getMessage() for record in caplog.records if record.name.startswith("apscheduler")] == []


def test_runs_in_quick_succession_are_none_of_them_refused(caplog: pytest.LogCaptureFixture) -> None:
    job = FakeJob()
    with serving(job, interval=0.001):
        until(lambda: job.runs >= 200, "200 runs")
    assert job.most_at_work == 1
    assert [record.getMessage() for record in caplog.records if record.name.startswith("apscheduler")] == []


@pytest.mark.parametrize(
    "surprise", [ZeroDivisionError("a bug"), SystemExit(3), KeyboardInterrupt()], ids=lambda each: type(each).__name__
)
def test_a_crash_of_the_job_is_logged_and_the_next_run_planned(surprise: BaseException) -> None:
    def work() -> Ended:
        raise surprise

    job = FakeJob(work)
    with structlog.testing.capture_logs() as logs, serving(job, interval=0.05) as daemon:
        until(lambda: job.runs >= 3, "the runs after the crash")
        assert daemon.alive
    crashes = [entry for entry in logs if entry["event"] == "run_crashed"]
    assert len(crashes) == job.runs
    assert crashes[0]["exc_info"] is surprise


def test_troubles_in_a_row_are_counted_and_a_success_forgets_them() -> None:
    ends = iter([Ended(Status.FAILED, retry=True)] * 2 + [Ended(Status.SUCCEEDED), Ended(Status.FAILED, retry=True)])
    job = FakeJob(lambda: next(ends))
    daemon = Daemon(job, interval=3600.0, grace=1.0, chance=lambda: 0.0)
    waits = []
    for _ in range(4):
        now = datetime.now(UTC)
        daemon._slot = now
        daemon._plan(daemon._attempt())
        waits.append(round((daemon._slot - now).total_seconds()))
    assert waits == [30, 60, 3600, 30]


def test_a_stop_interrupts_the_run_waits_for_it_and_plans_nothing_more() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> Ended:
        begun.set()
        go_on.wait(20)
        return Ended(Status.INTERRUPTED)

    job = FakeJob(work)
    with serving(job) as daemon:
        assert begun.wait(10)
        daemon.stop()
        until(lambda: job.interrupted, "the interruption")
        assert job.plans[-1] is not None
        go_on.set()
    assert job.plans[-1] is None
    assert job.runs == 1


def test_the_next_run_is_on_record_while_the_daemon_waits_and_not_after_it(wall: Wall) -> None:
    job = FakeJob(last=wall.now() - timedelta(minutes=10))
    with serving(job, clock=wall.now):
        until(lambda: job.plans, "the plan")
        left = due(job, wall)
        assert left is not None
        assert 2990 < left <= 3000
    assert (job.runs, job.plans[-1]) == (0, None)


def test_a_bug_in_a_run_reaches_the_metrics_and_the_dead_mans_switch(sqlite: Database) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    with switch() as (url, heard), structlog.testing.capture_logs() as logs:
        metrics, ping = Metrics("1"), Ping(url)
        settings = make_settings()
        service = Service(settings, sqlite.engine, key=broken, metrics=metrics, ping=ping, clock=lambda: datetime.now(UTC))
        assert service.run().status is Status.FAILED
        ping.close(10)
    assert heard == [("/beat/start", ""), ("/beat/fail", "run: failed, Unforeseen: ZeroDivisionError.")]
    assert b'template_sync_runs_total{status="failed"} 1.0' in metrics.text()
    assert [entry["event"] for entry in logs] == ["run_crashed", "run_finished"]


# The schedule of a real process -----------------------------------------------------------------------------------------


def test_it_runs_at_start_and_then_on_the_interval(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.5s")) as daemon:
        daemon.wait_for("run_finished", 4)
        assert daemon.stop() == 0
    starts = [datetime.fromisoformat(start) for (start,) in rows(tmp_path, "SELECT started_at FROM sync_runs ORDER BY run_id")]
    pauses = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(starts)]
    assert set(statuses(tmp_path)) == {"succeeded"}
    assert min(pauses) > 0.2
    assert sum(pauses) >= 0.5 * (len(pauses) - 0.5)


def test_a_fresh_success_is_not_repeated_at_start(upstream: Upstream, tmp_path: Path) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        first = datetime.fromisoformat(daemon.wait_for("daemon_started")["first_run"])
        assert 3500 < (first - datetime.now(UTC)).total_seconds() <= 3600
        until(lambda: next_run_at(tmp_path), "the plan on record")
        assert daemon.stop() == 0
    assert statuses(tmp_path) == ["succeeded"]
    assert next_run_at(tmp_path) is None


def test_a_cron_expression_is_read_in_its_zone_with_sunday_as_0(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_INTERVAL="", SYNC_CRON="0 3 * * 0", SYNC_TIMEZONE="Asia/Shanghai")
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        # The plan is written after the run; until then the start's own stands there.
        until(lambda: "19:00:00" in (next_run_at(tmp_path) or ""), "three o'clock in Shanghai")
        planned = next_run_at(tmp_path)
        assert daemon.stop() == 0
    assert planned
    assert datetime.fromisoformat(planned).strftime("%A %H:%M") == "Saturday 19:00"


@pytest.mark.parametrize(("variables", "sentence"), [
    ({"SYNC_CRON": "0 0 31 2 *", "SYNC_INTERVAL": ""}, "never fires"),
    ({"SYNC_CRON": "0 3 * *", "SYNC_INTERVAL": ""}, "five fields"),
    ({"SYNC_CRON": "0 3 * * *", "SYNC_INTERVAL": "5m"}, "not both"),
    ({"SYNC_TIMEZONE": "CST"}, "a time zone's name"),
    ({"SYNC_INTERVAL": "0"}, "above zero"),
    ({"CRUN_API_KEY": ""}, "CRUN_API_KEY: not set"),
])  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused_at_start(variables: dict[str, str], sentence: str, tmp_path: Path) -> None:
    refused = template_sync("daemon", folder=tmp_path, variables={"CRUN_API_KEY": SANDBOX_KEY, **variables})
    assert refused.code == 78
    assert sentence in refused.err
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_a_clear_error(upstream: Upstream, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = template_sync("daemon", folder=tmp_path, variables=upstream.settings(SYNC_HTTP_PORT=port))
    assert refused.code == 78
    assert f"SYNC_HTTP_PORT: cannot listen on 127.0.0.1 port {port}: Address already in use" in refused.err
    assert upstream.asked == 0


def test_a_run_that_was_due_during_a_suspend_is_made_once_afterwards(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.4s")) as daemon:
        daemon.wait_for("run_finished", 2)
        daemon.send(signal.SIGSTOP)
        time.sleep(2.1)  # five intervals in which nothing can run
        before = len(statuses(tmp_path))
        daemon.send(signal.SIGCONT)
        woken = time.monotonic()
        until(lambda: len(statuses(tmp_path)) > before, "the run that was due")
        assert time.monotonic() - woken < 2.0
        until(lambda: len(statuses(tmp_path)) >= before + 3, "the runs after it")
        assert time.monotonic() - woken > 0.4  # in their rhythm, not all at once
        assert daemon.stop() == 0


# Stopping ---------------------------------------------------------------------------------------------------------------


def assert_clean(folder: Path, *ends: str) -> None:
    """The run is over and recorded, the lease free, nothing planned."""
    assert statuses(folder) == list(ends)
    assert rows(folder, "SELECT holder, expires FROM sync_lease") == [(None, 0)]
    assert next_run_at(folder) is None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_idle_stops_it(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        daemon.wait_for("run_finished")
        assert daemon.stop(number) == 0
    assert_clean(tmp_path, "succeeded")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_the_fetch_gives_it_up(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    upstream.gate.clear()
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        until(lambda: upstream.asked, "a question")
        asked_at = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() - asked_at < 5
        assert daemon.events("run_finished", status="interrupted")
    assert_clean(tmp_path, "interrupted")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_retry_after_is_waited_out_gives_the_run_up(
    number: signal.Signals, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.refuse(429, Retry_After="50")
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        until(lambda: upstream.asked, "a question")
        daemon.wait_until_still()
        assert daemon.stop(number, within=10) == 0
    assert_clean(tmp_path, "interrupted")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_deferral_is_waited_out_stops_it(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    upstream.refuse(455, Retry_After="7200")
    with DaemonProcess(tmp_path, upstream.settings()) as daemon:
        daemon.wait_for("run_finished", status="deferred")
        # The server's wish, later than scheduled, stretched by up to a tenth.
        earliest = datetime.now(UTC) + timedelta(seconds=2 * 3600 - 60)
        until(lambda: (due := next_run_at(tmp_path)) and datetime.fromisoformat(due).replace(tzinfo=UTC) > earliest, "the plan")
        assert daemon.stop(number, within=10) == 0
    assert_clean(tmp_path, "deferred")


@contextmanager
def held_in_the_commit(upstream: Upstream, folder: Path, **variables: str) -> Iterator[tuple[DaemonProcess, Callable[[], None]]]:
    """Give a daemon whose commit waits for a lock that another program holds, and what releases that."""
    upstream.gate.clear()
    with DaemonProcess(folder, upstream.settings(**variables)) as daemon:
        until(lambda: upstream.asked, "a question")
        with write_lock(folder) as release:
            upstream.gate.set()
            daemon.wait_until_still()
            yield daemon, release


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_the_commit_lets_it_finish(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    with held_in_the_commit(upstream, tmp_path) as (daemon, release):
        daemon.send(number)
        daemon.wait_for("daemon_stopping")
        release()
        assert daemon.end() == 0
    assert_clean(tmp_path, "succeeded")
    assert rows(tmp_path, "SELECT count(*) FROM templates") == [(3,)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_leaves_at_once(number: signal.Signals, upstream: Upstream, tmp_path: Path) -> None:
    with held_in_the_commit(upstream, tmp_path) as (daemon, _release):
        daemon.send(signal.SIGTERM)
        daemon.wait_for("daemon_stopping")
        assert daemon.stop(number, within=5) == 128 + number
    again = template_sync("run", folder=tmp_path, variables=upstream.settings())
    assert again.code == 0  # the dead holder's lease keeps nobody out
    assert statuses(tmp_path) == ["interrupted", "succeeded"]


def test_a_run_that_hangs_is_left_behind_when_the_grace_period_ends(upstream: Upstream, tmp_path: Path) -> None:
    with held_in_the_commit(upstream, tmp_path, SYNC_GRACE="1s") as (daemon, _release):
        asked_at = time.monotonic()
        assert daemon.stop(within=10) == 75
        assert 1 <= time.monotonic() - asked_at < 5
        assert daemon.events("daemon_hung")
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0


def test_a_database_that_is_locked_does_not_keep_an_idle_daemon_from_stopping(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_GRACE="1s")) as daemon:
        daemon.wait_for("run_finished")
        until(lambda: next_run_at(tmp_path), "the plan on record")
        with write_lock(tmp_path):
            asked_at = time.monotonic()
            assert daemon.stop(within=10) == 0
            assert time.monotonic() - asked_at < 5
    assert statuses(tmp_path) == ["succeeded"]


# Beside others ----------------------------------------------------------------------------------------------------------


def test_of_two_daemons_on_one_database_one_runs(upstream: Upstream, tmp_path: Path) -> None:
    upstream.gate.clear()
    with DaemonProcess(tmp_path, upstream.settings()) as one:
        until(lambda: upstream.asked, "a question")
        with DaemonProcess(tmp_path, upstream.settings()) as other:
            skipped = other.wait_for("run_finished", status="skipped")
            assert f"(pid {one.pid})" in skipped["error"]
            upstream.gate.set()
            one.wait_for("run_finished", status="succeeded")
            assert (one.stop(), other.stop()) == (0, 0)
    assert statuses(tmp_path) == ["succeeded", "skipped"]


def test_a_key_rotated_in_its_file_needs_no_restart_and_neither_key_is_told(upstream: Upstream, tmp_path: Path) -> None:
    old, new = "ak_OldKeyOldKeyOldKeyOldKeyOldKey00", "ak_NewKeyNewKeyNewKeyNewKeyNewKey11"
    key = tmp_path / "key"
    key.write_text(old)
    key.chmod(0o600)
    upstream.keys = {old}
    variables = upstream.settings(CRUN_API_KEY_FILE=str(key), SYNC_INTERVAL="0.2s", SYNC_LOG_LEVEL="debug", SYNC_HTTP_PORT="0")
    del variables["CRUN_API_KEY"]
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        upstream.keys = {new}
        daemon.wait_for("run_finished", error_code="401")
        key.write_text(new)
        daemon.wait_for("run_finished", len(daemon.events("run_finished", status="succeeded")) + 1, status="succeeded")
        told = daemon.probe("/metrics")[1] + daemon.probe("/readyz")[1]
        assert daemon.stop() == 0
    told += daemon.said
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file != key)
    for secret in (old, new):
        assert secret in upstream.shown
        assert secret not in told
        assert secret.encode() not in stored


def test_a_key_file_that_is_gone_is_a_failed_run_and_not_the_end(upstream: Upstream, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(SANDBOX_KEY)
    key.chmod(0o600)
    variables = upstream.settings(CRUN_API_KEY_FILE=str(key), SYNC_INTERVAL="0.2s")
    del variables["CRUN_API_KEY"]
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        key.rename(tmp_path / "away")
        daemon.wait_for("run_finished", error_code="configuration")
        (tmp_path / "away").rename(key)
        daemon.wait_for("run_finished", len(daemon.events("run_finished", status="succeeded")) + 2, status="succeeded")
        assert daemon.stop() == 0


def test_a_flag_goes_on_outvoting_a_variable_that_cannot_be_used(upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(SYNC_RATE="fast", SYNC_INTERVAL="soon")
    with DaemonProcess(tmp_path, variables, "--rate", "0", "--interval", "0.2s") as daemon:
        daemon.wait_for("run_finished", 2, status="succeeded")
        assert daemon.stop() == 0


def test_a_database_file_that_is_away_for_a_while_does_not_end_it(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.2s", SYNC_HTTP_PORT="0")) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        assert daemon.probe("/readyz") == (200, "3 templates\n")
        (tmp_path / "templates.db").rename(tmp_path / "away.db")
        daemon.wait_for("run_finished", 2, status="failed")
        assert daemon.probe("/readyz")[0] == 503
        assert daemon.probe("/livez") == (200, "the scheduler turns\n")
        assert not (tmp_path / "templates.db").exists()  # nobody made an empty one in its place
        (tmp_path / "away.db").rename(tmp_path / "templates.db")
        daemon.wait_for("run_finished", len(daemon.events("run_finished", status="succeeded")) + 2, status="succeeded")
        assert daemon.probe("/readyz")[0] == 200
        assert daemon.stop() == 0


def test_a_database_server_that_is_away_for_a_while_does_not_end_it(upstream: Upstream, tmp_path: Path) -> None:
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
            assert "The database (127.0.0.1/postgres) said" in why
            assert daemon.metrics()['template_sync_last_run_status{status="failed"}'] == 1
            server.start()
            daemon.wait_for("run_finished", len(daemon.events("run_finished", status="succeeded")) + 1, status="succeeded")
            assert daemon.probe("/readyz") == (200, "3 templates\n")
            assert daemon.stop() == 0


# Being watched ----------------------------------------------------------------------------------------------------------


def test_the_metrics_are_right_after_runs(upstream: Upstream, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0")) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        upstream.catalog = [*records(4)[1:]]
        daemon.wait_for("run_finished", added=1, removed=1)
        upstream.refuse(401)
        daemon.wait_for("run_finished", error_code="401")
        upstream.gate.clear()
        asked = upstream.asked
        until(lambda: upstream.asked > asked, "a run that is at work")
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


def test_a_new_process_begins_with_the_facts_that_the_database_knows(upstream: Upstream, tmp_path: Path) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    with DaemonProcess(tmp_path, upstream.settings(SYNC_HTTP_PORT="0")) as daemon:
        daemon.wait_for("daemon_started")
        shown = daemon.metrics()
        assert daemon.stop() == 0
    assert shown["template_sync_templates"] == 3
    assert shown["template_sync_last_success_timestamp_seconds"] > time.time() - 600
    assert shown['template_sync_runs_total{status="succeeded"}'] == 0


def test_systemd_hears_when_it_is_ready_how_it_is_and_when_it_stops(upstream: Upstream, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(25)
        variables = upstream.settings(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        heard: list[str] = []
        with DaemonProcess(tmp_path, variables) as daemon:
            while heard.count("WATCHDOG=1") < 3:
                heard.append(line.recv(4096).decode())
            daemon.send(signal.SIGTERM)
            while not heard[-1].startswith("STOPPING=1"):
                heard.append(line.recv(4096).decode())
            assert daemon.end() == 0
    assert "READY=1" in heard
    assert heard.index("READY=1") < heard.index("WATCHDOG=1")
    assert "STATUS=A run is at work." in heard
    assert any(text.startswith("STATUS=The next run is due at ") for text in heard)
    assert heard[-1] == "STOPPING=1\nSTATUS=Stopping."


@contextmanager
def switch(answer: Callable[[], object] = lambda: None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A dead-man's switch; gives its address and what it heard."""
    heard: list[tuple[str, str]] = []

    class Switch(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            answer()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Switch)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/beat", heard
    finally:
        server.shutdown()
        server.server_close()


def test_a_dead_mans_switch_hears_start_success_and_failure(upstream: Upstream, tmp_path: Path) -> None:
    with switch() as (url, heard), DaemonProcess(tmp_path, upstream.settings(SYNC_INTERVAL="0.3s", SYNC_PING_URL=url)) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        upstream.refuse(401)
        until(lambda: "/beat/fail" in dict(heard), "word of the failure")
        assert daemon.stop() == 0
    assert heard[:2] == [("/beat/start", ""), ("/beat", "run 1: succeeded")]
    text = dict(heard)["/beat/fail"]
    assert "failed" in text
    assert "(401)" in text


def test_maintenance_is_no_alarm_while_the_catalog_is_fresh(upstream: Upstream, tmp_path: Path) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    upstream.refuse(455)
    with switch() as (url, heard):
        variables = upstream.settings(SYNC_INTERVAL="0.1s", SYNC_STALE_AFTER="1h", SYNC_PING_URL=url)
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", status="deferred")
            until(lambda: len(heard) == 2, "both words")
            assert daemon.stop() == 0
    assert [path for path, _ in heard] == ["/beat/start", "/beat"]


def test_a_switch_that_hangs_hurts_nothing(upstream: Upstream, tmp_path: Path) -> None:
    never = threading.Event()
    with switch(never.wait) as (url, heard):
        variables = upstream.settings(SYNC_INTERVAL="0.2s", SYNC_PING_URL=url, SYNC_GRACE="1s")
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", 5, status="succeeded")
            asked_at = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - asked_at < 5
        assert heard
        never.set()
    assert set(statuses(tmp_path)) == {"succeeded"}
