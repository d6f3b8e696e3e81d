"""`demo`, as a newcomer runs it: once, again, and with another catalog; into a file as well as on a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import environment, template_sync

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
