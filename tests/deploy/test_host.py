"""The units of systemd and the job of cron."""

from __future__ import annotations

import itertools
import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync import errors
from tests.builders import records
from tests.command_line import environment

if TYPE_CHECKING:
    from tests.daemons import Upstream

from tests.deploy.files import DEFAULTS, DEPLOY, SERVICES, output_of, seconds, tool, unit

UNITS = (*SERVICES, "template-sync-run.timer")
WRITER, READER, GROUP = 47101, 47102, 47100
"""Ids of users and of a group that no machine has."""


@pytest.fixture
def units(tmp_path: Path) -> dict[str, Path]:
    """The units as they are, but for the program's path, which leads to a stub."""
    stub = tmp_path / "bin" / "template-sync"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("=/usr/local/bin/template-sync", f"={stub}"))
    return {name: tmp_path / name for name in UNITS}


def test_systemd_analyze_reports_nothing_about_the_units(units: dict[str, Path]) -> None:
    output = output_of(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", *units.values())
    assert "template-sync" not in output  # its messages about other units of the machine are ignored


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_rates_the_exposure_of_each_service_at_two_or_better(units: dict[str, Path], name: str) -> None:
    output = output_of(tool("systemd-analyze"), "security", "--no-pager", "--offline=true", units[name])
    rating = re.search(r"Overall exposure level for \S+: ([\d.]+)", output)
    assert rating, output
    assert float(rating[1]) <= 2.0, output


def test_both_services_have_the_same_confinement_and_secrets() -> None:
    daemon, run = map(unit, SERVICES)
    for each in (daemon, run):
        each["Environment"] = each["Environment"][:1]  # the files of the secrets; the other values differ
    own = {"Description", "Type", "NotifyAccess", "ExecStart", "TimeoutStartSec", "SuccessExitStatus", "ReadWritePaths"}
    own |= {"ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus", "StartLimitIntervalSec", "WatchdogSec", "WantedBy"}
    assert {key: value for key, value in daemon.items() if key not in own} == {
        key: value for key, value in run.items() if key not in own
    }
    assert daemon["Environment"] == ["CRUN_API_KEY_FILE=%d/crun-api-key DATABASE_URL_FILE=%d/database-url"]
    assert [value.partition(":")[0] for value in daemon["LoadCredential"]] == ["crun-api-key", "database-url"]


def test_the_daemon_is_restarted_unless_an_operator_must_act_and_has_time_to_stop() -> None:
    daemon = unit("template-sync.service")
    assert daemon["Restart"] == ["on-failure"]
    assert daemon["RestartPreventExitStatus"] == [f"{errors.AccessDenied.exit_code} {errors.ConfigurationError.exit_code}"]
    assert daemon["Type"] == ["notify"]
    assert seconds(daemon["WatchdogSec"][0]) >= 60
    assert seconds(daemon["TimeoutStopSec"][0]) > DEFAULTS["grace"]


def test_a_run_fails_its_unit_unless_a_retry_helps_and_ends_by_its_deadline() -> None:
    run = unit("template-sync-run.service")
    assert run["SuccessExitStatus"] == [str(errors.TryLater.exit_code)]
    assert DEFAULTS["deadline"] < seconds(run["TimeoutStartSec"][0]) < 15 * 60
    assert unit("template-sync-run.timer")["Persistent"] == ["true"]


def as_user(uid: int, gid: int, *groups: int) -> list[str | Path]:
    """Return the beginning of a command line that acts as a user, who may read everything, as this environment may be root's."""
    more = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [tool("setpriv"), f"--reuid={uid}", f"--regid={gid}", more, *read]


@pytest.mark.ci_slice
def test_a_program_of_the_group_can_read_the_sqlite_file_without_blocking_the_service(
    upstream: Upstream,
) -> None:
    """With the units' own directory mode and umask, as two users."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as two users")
    service = unit("template-sync-run.service")
    query = "sqlite3.connect('file:templates.db?mode=ro', uri=True).execute('SELECT count(*) FROM templates').fetchone()[0]"
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent, "state")
        folder.mkdir()
        os.chown(folder, WRITER, GROUP)
        folder.chmod(int(service["StateDirectoryMode"][0], 8))
        umask = int(service["UMask"][0], 8)

        def run() -> None:
            variables = environment(**upstream.settings(PYTHONDONTWRITEBYTECODE="1"))
            output_of(*as_user(WRITER, GROUP), sys.executable, "-m", "sync", "run", cwd=folder, env=variables, umask=umask)

        def read(then: str = "") -> subprocess.Popen[str]:
            script = f"import sqlite3; print({query}, flush=True); {then}"
            command = [*as_user(READER, READER, GROUP), sys.executable, "-c", script]
            return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stdin=subprocess.PIPE)

        run()
        assert read().communicate()[0] == "3\n"
        run()
        with read("input()") as waiting:  # the only program that has the file open
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "3\n"
            upstream.catalog = records(4)
            run()
            waiting.communicate("\n")
        assert read().communicate()[0] == "4\n"
        run()
        assert stat.S_IMODE((folder / "templates.db").stat().st_mode) == 0o660


def test_systemd_sysusers_accepts_the_user() -> None:
    output = output_of(tool("systemd-sysusers"), "--dry-run", DEPLOY / "systemd" / "template-sync.sysusers.conf")
    assert "ignoring" not in output


def cron_job() -> tuple[dict[str, str], list[str]]:
    """Read the crontab: its variables, and the one job's fields (five of time, the user, the command)."""
    lines = [line for line in (DEPLOY / "cron" / "template-sync.crontab").read_text().splitlines() if line and line[0] != "#"]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    (job,) = (line for line in lines if not re.match(r"\w+=", line))
    return variables, job.split(None, 6)


def test_the_crontab_runs_every_quarter_of_an_hour_as_its_own_user_away_from_the_full_quarter() -> None:
    variables, (minutes, *rest, user, command) = cron_job()
    at = [int(minute) for minute in minutes.split(",")]
    assert [later - earlier for earlier, later in itertools.pairwise(at)] == [15, 15, 15]
    assert not {0, 15, 30, 45} & set(at)
    assert rest == ["*"] * 4
    assert user == unit("template-sync.service")["User"][0]
    assert "%" not in command  # cron would read a line break
    assert variables["SHELL"] == "/bin/sh"


@pytest.mark.parametrize(
    ("code", "mails"), [(0, False), (75, False), (1, True), (4, True), (69, True), (76, True), (77, True), (78, True)]
)
def test_cron_sends_mail_only_if_an_operator_must_act(tmp_path: Path, code: int, mails: bool) -> None:  # noqa: FBT001
    stub = tmp_path / "template-sync"
    stub.write_text(f'#!/bin/sh\necho "one line of log: $*" >&2\nexit {code}\n')
    stub.chmod(0o755)
    variables, job = cron_job()
    printed = output_of(variables["SHELL"], "-c", job[-1], env=variables | {"PATH": f"{tmp_path}:{variables['PATH']}"})
    assert ("one line of log: run" in printed) is mails
    assert (f"Exit code {code}." in printed) is mails
