"""Run the installed program as a user would: a process of its own, its stdout, its stderr, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sync.sandbox.server import Sandbox


@dataclass(frozen=True)
class Result:
    """What a process said and how it ended."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Give an environment in which only the named settings are set."""
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}}
    return {**inherited, "PYTHONWARNINGS": "error", **variables}


def of_sandbox(sandbox: Sandbox, **variables: str) -> dict[str, str]:
    """Give the settings that lead to a sandbox."""
    return {"CRUN_BASE_URL": sandbox.url, "CRUN_API_KEY": sandbox.key, "SYNC_RATE": "0", **variables}


def template_sync(*arguments: str, folder: Path, variables: dict[str, str] | None = None, **options: Any) -> Result:
    """Run `template-sync` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "sync", *arguments],
        cwd=folder, env=environment(**(variables or {})), capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)
