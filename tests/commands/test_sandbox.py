"""`demo`, `run --record` and `sandbox --replay`: the sample catalog or a recording, served on loopback."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sync.sandbox.server import SANDBOX_KEY, Sandbox
from tests.builders import records
from tests.command_line import command, environment, of_sandbox, template_sync
from tests.hostile import Hostile, failure, one_after_another

if TYPE_CHECKING:
    from pathlib import Path


def demo_lines(folder: Path, *options: str, **variables: str) -> list[str]:
    """Run the demo; return the lines of stdout and stderr in order."""
    done = subprocess.run(
        [sys.executable, "-m", "sync", "demo", *options],
        cwd=folder, env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_the_demo_prints_no_log_lines_between_its_steps_by_default(tmp_path: Path) -> None:
    lines = demo_lines(tmp_path, "--templates", "20")
    assert not [line for line in lines if line.startswith("{")]
    assert lines.index("First run: everything is new.") < lines.index("A week passes in the catalog. Second run: what changed?")
    (history,) = (line.split()[-1] for line in lines if line.startswith("  template-sync history "))
    assert template_sync("history", history, folder=tmp_path).code == 0
    with_log = demo_lines(tmp_path, "--templates", "20", SYNC_LOG_LEVEL="info")
    assert [json.loads(line)["event"] for line in with_log if line.startswith("{")] == ["run_finished", "run_finished"]


def test_the_commands_that_the_demo_suggests_work_in_a_shell(tmp_path: Path) -> None:
    lines = demo_lines(tmp_path, "--templates", "1", "--database-url", "sqlite:///it's a demo.db")
    (history,) = (line for line in lines if line.startswith("  template-sync history "))
    assert template_sync(*shlex.split(history)[1:], folder=tmp_path).code == 0


@pytest.mark.long
def test_the_demo_can_be_repeated_with_the_same_or_another_catalog(tmp_path: Path) -> None:
    first = demo_json(tmp_path, "--templates", "30")
    second = demo_json(tmp_path, "--templates", "30")
    assert second["second"]["changes"] == first["second"]["changes"]
    assert second["first"]["changed"] == first["second"]["changed"], "the second demo began with the original catalog"
    other = demo_json(tmp_path, "--templates", "15", "--seed", "8")
    assert (other["first"]["status"], other["first"]["held"]) == ("succeeded", 0)
    assert {each["template_id"] for each in other["second"]["changes"] if each["kind"] == "added"} == {
        *other["evolution"]["added"]
    }
    lines = demo_lines(tmp_path, "--templates", "1")
    assert "First run: this database holds an earlier demo, so the catalog returns to the start of the week." in lines


def demo_json(folder: Path, *options: str) -> Any:
    result = template_sync("demo", *options, "--json", folder=folder)
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def test_the_demo_refuses_a_folder_with_other_files_before_its_first_run(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").touch()
    refused = template_sync("demo", "--site", "other", "--json", folder=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "contains files that do not belong to a site of this program" in refused.err
    assert not (tmp_path / "templates.db").exists()


@pytest.mark.parametrize("options", [["--dry-run"], ["--dry-run", "--json"], []])
def test_a_recording_is_served_with_the_same_result(options: list[str], tmp_path: Path) -> None:
    """Each run has its own database, so that both add every template."""
    with Sandbox(records(5)) as sandbox:
        settings = {"CRUN_BASE_URL": sandbox.url, "SYNC_PAGE_SIZE": "2"}
        result = command(tmp_path, ["run", *options, "--record", "seen.jsonl"], **settings)
    assert (result.code, "+5 added" in result.out or '"added": 5' in result.out) == (0, True)
    assert "note: 3 responses recorded in seen.jsonl, without the API key." in result.err
    assert SANDBOX_KEY not in (tmp_path / "seen.jsonl").read_text()
    assert (tmp_path / "templates.db").exists() == ("--dry-run" not in options)
    from sync.recording.replay import open_recording

    with Sandbox((), replay=open_recording(tmp_path / "seen.jsonl")) as sandbox:
        again = command(tmp_path, ["run"], **settings | {"CRUN_BASE_URL": sandbox.url, "DATABASE_URL": "sqlite:///again.db"})
    assert (again.code, "5 added" in again.out) == (0, True)


def test_the_settings_of_removals_are_recorded_and_printed_for_the_replay(tmp_path: Path) -> None:
    settings = {"SYNC_PAGE_SIZE": "20", "SYNC_MAX_REMOVED": "5%", "SYNC_HOLD": "1.5m"}
    with Sandbox(records(5)) as sandbox:
        command(tmp_path, ["run", "--record", "seen.jsonl"], CRUN_BASE_URL=sandbox.url, **settings)
    first = json.loads((tmp_path / "seen.jsonl").read_text().partition("\n")[0])
    assert first["settings"] == {"page_size": "20", "concurrency": "4", "max_removed": "0.05", "hold": "90"}
    replaying = subprocess.Popen(
        [sys.executable, "-m", "sync", "sandbox", "--replay", "seen.jsonl", "--port", "0"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with replaying:
        assert replaying.stderr is not None
        settings_line = [replaying.stderr.readline() for _ in range(2)][1]
        replaying.terminate()
    assert settings_line.endswith(" SYNC_PAGE_SIZE=20 SYNC_CONCURRENCY=4 SYNC_MAX_REMOVED=0.05 SYNC_HOLD=90\n")


def test_the_recording_of_a_failed_run_contains_the_error(tmp_path: Path) -> None:
    with Hostile(one_after_another(failure(505, message="disabled"))) as server:
        result = command(tmp_path, ["run", "--dry-run", "--record", "seen.jsonl"], CRUN_BASE_URL=server.url)
    assert result.code == 77
    assert "disabled" in (tmp_path / "seen.jsonl").read_text()


@pytest.mark.parametrize("file", ["none/seen.jsonl", ".", "link", "templates.db", "./templates.db-wal", "a\0b", "n" * 300, ""])
def test_an_unwritable_recording_is_refused_before_the_first_request(file: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    with Hostile(one_after_another(failure(500))) as server:
        result = command(tmp_path, ["run", "--record", file], CRUN_BASE_URL=server.url)
    assert (result.code, server.requests, result.out) == (2, [], "")
    assert result.err.startswith("error: "), result.err
    assert [each.name for each in tmp_path.iterdir()] == ["link"]


def test_a_full_disk_fails_the_recording_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").write_text("an older recording")
    bash = shutil.which("bash") or "bash"
    with Sandbox(records(60)) as sandbox:
        # Otherwise Python would truncate its .pyc files, too, and read them in every later test.
        variables = environment(**of_sandbox(sandbox), PYTHONDONTWRITEBYTECODE="1")
        line = f"ulimit -f 2; {sys.executable} -m sync run --dry-run --record seen.jsonl"
        done = subprocess.run([bash, "-c", line], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, "+60 added" in done.stdout) == (0, True), done.stderr
    assert "warning: The recording could not be written: File too large. seen.jsonl is unchanged." in done.stderr
    assert (tmp_path / "seen.jsonl").read_text() == "an older recording"
    assert [each.name for each in tmp_path.iterdir()] == ["seen.jsonl"]


def test_replay_cannot_be_combined_with_options_of_the_sample_catalog(tmp_path: Path) -> None:
    result = command(tmp_path, ["sandbox", "--replay", "seen.jsonl", "--seed", "3", "--fault", "429"])
    message = "error: --seed and --fault cannot be combined with --replay: a recording is served unchanged.\n"
    assert (result.code, result.err) == (2, message)
    result = command(tmp_path, ["sandbox", "--replay", "seen.jsonl"])
    assert (result.code, result.err) == (2, "error: seen.jsonl cannot be read: No such file or directory.\n")
