"""The main commands as processes: exit codes, errors, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from tests.builders import record, records, run_with
from tests.command_line import command, environment, of_sandbox, template_sync
from tests.daemons import statuses, until
from tests.faults import take_lease

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.builders import Database


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(make_catalog(120, 3)) as server:
        yield server


def test_the_demo_reports_the_changes_of_the_sample_catalog(tmp_path: Path) -> None:
    shown = json.loads(template_sync("demo", "--json", folder=tmp_path).out)
    published = shown["second"]["changes"]
    by_kind = {
        kind: {each["template_id"] for each in published if each["kind"] == kind} for kind in ("added", "removed", "changed")
    }
    expected = shown["evolution"]
    assert shown["first"]["added"] == 280
    assert by_kind["added"] == set(expected["added"])
    assert by_kind["removed"] == set(expected["removed"])
    assert by_kind["changed"] == {*expected["repriced"], *expected["renamed"], *expected["retagged"]}


@pytest.mark.parametrize(("option", "code"), [([], 0), (["--exit-code"], 3)])
def test_a_second_run_finds_no_change(tmp_path: Path, sandbox: Sandbox, option: list[str], code: int) -> None:
    first = template_sync("run", *option, folder=tmp_path, variables=of_sandbox(sandbox))
    assert (first.code, first.out.splitlines()[-1][:10]) == (code, "+120 added")
    second = template_sync("run", "--exit-code", folder=tmp_path, variables=of_sandbox(sandbox))
    assert (second.code, second.out[:34]) == (0, "no changes (120 templates checked)")


def test_a_dry_run_creates_no_file(tmp_path: Path, sandbox: Sandbox) -> None:
    shown = template_sync("run", "--dry-run", "--json", folder=tmp_path, variables=of_sandbox(sandbox))
    assert shown.code == 0
    assert json.loads(shown.out)["added"] == 120
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_changes_no_row(sqlite: Database, sandbox: Sandbox, tmp_path: Path) -> None:
    run_with(records(5), sqlite.engine)
    before = sqlite.dump()
    variables = of_sandbox(sandbox, DATABASE_URL=sqlite.url)
    shown = json.loads(template_sync("run", "--dry-run", "--json", folder=tmp_path, variables=variables).out)
    assert (shown["added"], shown["run_id"]) == (120, None)
    assert sqlite.dump() == before


def test_a_dry_run_that_would_hold_removals_names_the_option_that_applies_them(
    sqlite: Database, sandbox: Sandbox, tmp_path: Path
) -> None:
    run_with(records(300), sqlite.engine)
    result = template_sync("run", "--dry-run", folder=tmp_path, variables=of_sandbox(sandbox, DATABASE_URL=sqlite.url))
    assert result.code == 4
    assert "→ Nothing was written. A run holds the removals; `run --accept-removals` applies them." in result.err


@pytest.mark.parametrize(("variables", "code", "message", "hint"), [
    ({"CRUN_API_KEY": ""}, 78, "CRUN_API_KEY: not set", "template-sync config"),
    ({"CRUN_API_KEY": "ak_" + "x" * 32}, 77, "The API key was refused (401).", "Check CRUN_API_KEY"),
    ({"CRUN_BASE_URL": "{url}/elsewhere"}, 76, "This address has no template catalog (404)", "Check CRUN_BASE_URL"),
    ({"CRUN_BASE_URL": "http://127.0.0.1:9", "SYNC_DEADLINE": "2s"}, 75, "the connection was refused", "doctor"),
    ({"DATABASE_URL": "sqlite:////no/such/folder/x.db"}, 69, "unable to open database file", "directory exists"),
    ({"DATABASE_URL": "postgresql://user@127.0.0.1:9/x"}, 69, "Database error (127.0.0.1:9/x)", "doctor"),
    ({"DATABASE_URL": "mariadb://user@127.0.0.1:9/x"}, 69, "Database error (127.0.0.1:9/x)", "doctor"),
    ({"SYNC_PAGE_SIZE": "0", "SYNC_RATE": "fast"}, 78, "SYNC_PAGE_SIZE: expected a whole number from 1 to 50", "config"),
])  # fmt: skip
def test_each_error_has_an_exit_code_a_sentence_and_a_hint(
    tmp_path: Path, sandbox: Sandbox, variables: dict[str, str], code: int, message: str, hint: str
) -> None:
    given = {**of_sandbox(sandbox), **{name: value.format(url=sandbox.url) for name, value in variables.items()}}
    result = template_sync("run", folder=tmp_path, variables=given)
    assert result.code == code
    assert message in result.err
    assert hint in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    "line", ["status", "list", "changes", "runs", "show 1", "export", "prune --keep-runs 1", "lease release --force"]
)
def test_reading_a_missing_database_is_an_error_and_creates_no_file(tmp_path: Path, line: str) -> None:
    result = template_sync(*line.split(), folder=tmp_path)
    assert result.code == 69
    assert "There is no database at templates.db yet" in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_prints_its_json(tmp_path: Path, sandbox: Sandbox) -> None:
    variables = {**of_sandbox(sandbox), "CRUN_API_KEY": "ak_" + "x" * 32}
    result = template_sync("run", "--json", folder=tmp_path, variables=variables)
    assert result.code == 77
    shown = json.loads(result.out)
    assert (shown["status"], shown["error_code"]) == ("failed", "401")
    assert "CRUN_API_KEY" in shown["hint"]


def test_refresh_stores_the_change_of_one_template(tmp_path: Path) -> None:
    catalog = records(5)
    with Sandbox(catalog) as server:
        template_sync("run", folder=tmp_path, variables=of_sandbox(server))
        server.replace([record("1", Title_en="Renamed"), *catalog[1:4]])
        refreshed = json.loads(template_sync("refresh", "1", "--json", folder=tmp_path, variables=of_sandbox(server)).out)
        gone = template_sync("refresh", "5", folder=tmp_path, variables=of_sandbox(server))
        assert template_sync("refresh", "99", folder=tmp_path, variables=of_sandbox(server)).code == 2
    assert (refreshed["template_id"], [each["field"] for each in refreshed["changes"][0]["fields"]]) == ("1", ["title_en"])
    assert (gone.code, "the next run, which walks the whole catalog, decides" in gone.err) == (0, True)
    runs = json.loads(template_sync("runs", "--json", folder=tmp_path).out)
    assert [run["status"] for run in runs] == ["succeeded"] * 4, "an unknown ID is no failed run"
    assert [run["template_id"] for run in runs] == ["99", "5", "1", None]
    shown = json.loads(template_sync("status", "--json", folder=tmp_path).out)
    assert (shown["present"], shown["last_success"]["trigger"]) == (5, "run")


def test_refresh_of_a_removed_template_says_that_it_is_removed(tmp_path: Path) -> None:
    with Sandbox(records(5)) as server:
        template_sync("run", folder=tmp_path, variables=of_sandbox(server))
        server.replace(records(4))
        template_sync("run", folder=tmp_path, variables=of_sandbox(server))
        refreshed = template_sync("refresh", "5", folder=tmp_path, variables=of_sandbox(server))
    assert (refreshed.code, refreshed.out.startswith("no changes")) == (0, True)
    assert "note: this template is removed, and the catalog still does not have it.\n" in refreshed.err


def test_refresh_waits_for_the_lease_as_long_as_requested(sqlite: Database, tmp_path: Path) -> None:
    take_lease(sqlite.engine)
    sqlite.engine.dispose()
    busy = command(tmp_path, ["refresh", "1", "--wait", "0s", "--json"])
    shown = json.loads(busy.out)
    assert (busy.code, shown["run_id"], shown["status"], shown["error_code"]) == (75, None, "skipped", "lease-busy")
    assert statuses(tmp_path) == ["running"]
    assert command(tmp_path, ["refresh", "1", "--wait", "soon"]).code == 2


@pytest.mark.ci_slice
def test_changes_follows_the_feed(tmp_path: Path) -> None:
    with Sandbox(records(2)) as server:
        template_sync("run", folder=tmp_path, variables=of_sandbox(server))
        follower = subprocess.Popen(
            [sys.executable, "-m", "sync", "changes", "--follow", "--since", "1", "--json"],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["seq"] == 2
        server.replace(records(3))
        template_sync("run", folder=tmp_path, variables=of_sandbox(server))
        assert json.loads(follower.stdout.readline())["template_id"] == "3"
        follower.terminate()
        follower.stdout.close()
        follower.wait()


def test_output_has_colours_only_if_they_are_forced_or_on_a_terminal(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(1), sqlite.engine)
    for variables, colored in (({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)):
        assert ("\x1b[" in template_sync("changes", folder=tmp_path, variables=variables).out) == colored


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_version_and_help_import_no_large_library(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sync", *arguments],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "click" in imported
    assert not imported & {"sqlalchemy", "alembic", "httpx", "structlog", "apscheduler", "prometheus_client", "asyncio"}


def test_ctrl_c_interrupts_the_run_and_releases_the_lease(tmp_path: Path) -> None:
    assert template_sync("db", "upgrade", folder=tmp_path).code == 0
    with Sandbox(records(60), latency_ms=3000) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "sync", "run"], cwd=tmp_path, env=environment(**of_sandbox(server)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until(lambda: "running" in statuses(tmp_path), "a run that is active")
        process.send_signal(2)
        _out, err = process.communicate(timeout=30)
    assert process.returncode == 75
    assert "The run was stopped before anything was applied" in err
    assert [run["status"] for run in json.loads(template_sync("runs", "--json", folder=tmp_path).out)] == ["interrupted"]
    assert json.loads(template_sync("lease", "show", "--json", folder=tmp_path).out)["active"] is False
