"""Every row of the table of environments, each in a process of its own that bash starts."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.server import SANDBOX_KEY, Sandbox
from tests.adversary import environment
from tests.adversary.server import BEFORE
from tests.builders import run_with
from tests.command_line import of_sandbox

if TYPE_CHECKING:
    from tests.adversary.environment import Line
    from tests.builders import Database

_DROP_FROM_BOUNDING_SET, _OVERRIDES = 24, (1, 2)


def as_an_ordinary_owner() -> None:
    """Make file permissions effective for the next process, even if root runs the tests."""
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            ctypes.CDLL(None).prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)


def shell(line: str, folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Run a line in bash; give the exit code of the first program in it, and all that was printed."""
    script = f"set -o pipefail; {line}\nexit ${{PIPESTATUS[0]}}"
    programs = {"TS": f"{sys.executable} -m sync", "SCRIPT": str(Path(sys.executable).with_name("template-sync"))}
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        ["timeout", "50", "bash", "-c", script],
        cwd=folder, env={**inherited, **programs, **variables}, capture_output=True, check=False,
        preexec_fn=as_an_ordinary_owner,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    return [] if name in environment.QUICK else [pytest.mark.ci_slice if name in environment.SLICE else pytest.mark.long]


@pytest.mark.parametrize("line", [pytest.param(line, id=line.name, marks=marks_of(line.name)) for line in environment.LINES])
def test_the_environment_changes_neither_the_effects_nor_the_exit_code(line: Line, sqlite: Database, tmp_path: Path) -> None:
    run_with(BEFORE[:11], sqlite.engine)
    run_with(BEFORE, sqlite.engine)
    sqlite.engine.dispose()
    with Sandbox(BEFORE[:1]) as sandbox:
        code, said = shell(line.line, tmp_path, {**of_sandbox(sandbox), "SYNC_MAX_REMOVED": "0"})
    assert (code, line.says in said) == (line.code, True), said
    assert "Unexpected error" not in said
    assert "Traceback" not in said
    assert SANDBOX_KEY not in said
    if line.statuses:
        assert [row["status"] for row in sqlite.rows("sync_runs", "run_id")][2:] == list(line.statuses)
