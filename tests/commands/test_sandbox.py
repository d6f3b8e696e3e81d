"""`demo`, `run --record` and `sandbox --replay`: the sample catalog or a recording, served on loopback."""

from __future__ import annotations

import json
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


def story(folder: Path, *words: str, **variables: str) -> list[str]:
    """Run the demo with both streams in one file; give its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "sync", "demo", *words],
        cwd=folder, env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_off_a_terminal_the_demo_tells_its_story_without_log_lines_in_between(tmp_path: Path) -> None:
    lines = story(tmp_path, "--templates", "20")
    assert not [line for line in lines if line.startswith("{")]
    assert lines.index("First run: everything is new.") < lines.index("A week passes in the catalog. Second run: what changed?")
    (history,) = (line.split()[-1] for line in lines if line.startswith("  template-sync history "))
    assert template_sync("history", history, folder=tmp_path).code == 0
    asked = story(tmp_path, "--templates", "20", SYNC_LOG_LEVEL="info")
    assert [json.loads(line)["event"] for line in asked if line.startswith("{")] == ["run_finished", "run_finished"]


@pytest.mark.long
def test_the_demo_may_be_run_again_and_with_another_catalog(tmp_path: Path) -> None:
    first = _told(tmp_path, "--templates", "30")
    second = _told(tmp_path, "--templates", "30")
    assert second["second"]["changes"] == first["second"]["changes"]
    assert second["first"]["changed"] == first["second"]["changed"], "the catalog went back to its beginning"
    other = _told(tmp_path, "--templates", "15", "--seed", "8")
    assert (other["first"]["status"], other["first"]["held"]) == ("succeeded", 0)
    assert {each["template_id"] for each in other["second"]["changes"] if each["kind"] == "added"} == {
        *other["evolution"]["added"]
    }
    lines = story(tmp_path, "--templates", "1")
    assert "First run: this database holds an earlier demo, so the catalog returns to the start of the week." in lines


def _told(folder: Path, *words: str) -> Any:
    result = template_sync("demo", *words, "--json", folder=folder)
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def test_a_gallery_that_could_not_be_written_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").touch()
    said = template_sync("demo", "--site", "mine", "--json", folder=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "contains files that do not belong to a site of this program" in said.err
    assert not (tmp_path / "templates.db").exists()


@pytest.mark.parametrize("how", [["--dry-run"], ["--dry-run", "--json"], []])
def test_what_a_run_was_answered_is_served_again(how: list[str], tmp_path: Path) -> None:
    """Into a database of its own each time, so that both runs find everything new."""
    with Sandbox(records(5)) as sandbox:
        asked = {"CRUN_BASE_URL": sandbox.url, "SYNC_PAGE_SIZE": "2"}
        said = command(tmp_path, ["run", *how, "--record", "seen.jsonl"], **asked)
    assert (said.code, b"+5 added" in said.out or b'"added": 5' in said.out) == (0, True)
    assert b"note: 3 responses recorded in seen.jsonl, without the API key." in said.err
    assert SANDBOX_KEY not in (tmp_path / "seen.jsonl").read_text()
    assert (tmp_path / "templates.db").exists() == ("--dry-run" not in how)
    from sync.recording.replay import open_recording

    with Sandbox((), replay=open_recording(tmp_path / "seen.jsonl")) as sandbox:
        again = command(tmp_path, ["run"], **asked | {"CRUN_BASE_URL": sandbox.url, "DATABASE_URL": "sqlite:///again.db"})
    assert (again.code, b"5 added" in again.out) == (0, True)


def test_the_settings_that_decide_on_removals_are_recorded_and_given_for_the_replay(tmp_path: Path) -> None:
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
        said = [replaying.stderr.readline() for _ in range(2)][1]
        replaying.terminate()
    assert said.endswith(" SYNC_PAGE_SIZE=20 SYNC_CONCURRENCY=4 SYNC_MAX_REMOVED=0.05 SYNC_HOLD=90\n")


def test_a_run_that_fails_leaves_a_recording_that_says_why(tmp_path: Path) -> None:
    with Hostile(one_after_another(failure(505, message="disabled"))) as server:
        said = command(tmp_path, ["run", "--dry-run", "--record", "seen.jsonl"], CRUN_BASE_URL=server.url)
    assert said.code == 77
    assert "disabled" in (tmp_path / "seen.jsonl").read_text()


@pytest.mark.parametrize("file", ["none/seen.jsonl", ".", "link", "templates.db", "./templates.db-wal", "a\0b", "n" * 300, ""])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked_or_done(file: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    with Hostile(one_after_another(failure(500))) as server:
        said = command(tmp_path, ["run", "--record", file], CRUN_BASE_URL=server.url)
    assert (said.code, server.requests, said.out) == (2, [], b"")
    assert said.err.startswith(b"error: "), said.err
    assert [each.name for each in tmp_path.iterdir()] == ["link"]


def test_a_full_disk_ends_the_recording_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").write_text("an older one")
    bash = shutil.which("bash") or "bash"
    with Sandbox(records(60)) as sandbox:
        # Python would cut its own compiled files short, too, and read them in every later test.
        variables = environment(**of_sandbox(sandbox), PYTHONDONTWRITEBYTECODE="1")
        line = f"ulimit -f 2; {sys.executable} -m sync run --dry-run --record seen.jsonl"
        done = subprocess.run([bash, "-c", line], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, "+60 added" in done.stdout) == (0, True), done.stderr
    assert "warning: The recording could not be written: File too large. seen.jsonl is unchanged." in done.stderr
    assert (tmp_path / "seen.jsonl").read_text() == "an older one"
    assert [each.name for each in tmp_path.iterdir()] == ["seen.jsonl"]


def test_a_recording_and_a_sample_catalog_are_not_served_at_once(tmp_path: Path) -> None:
    said = command(tmp_path, ["sandbox", "--replay", "seen.jsonl", "--seed", "3", "--fault", "429"])
    wrong = b"error: --seed and --fault cannot be combined with --replay: a recording is served unchanged.\n"
    assert (said.code, said.err) == (2, wrong)
    said = command(tmp_path, ["sandbox", "--replay", "seen.jsonl"])
    assert (said.code, said.err) == (2, b"error: seen.jsonl cannot be read: No such file or directory.\n")
