"""Unusual environments: closed pipes, full streams, missing folders, limits, foreign files.

Each row is a command line of bash: `$TS` is the program, `$SCRIPT` its installed script, the folder contains a database of twelve templates, and
the server has only one of them, so that a run exits with 4. The environment changes neither the effects nor the exit code.
"""
# ruff: noqa: E501 - a line of the shell is a line

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.server import SANDBOX_KEY, Sandbox
from tests.adversary.attack import BEFORE
from tests.builders import run_with
from tests.command_line import of_sandbox

if TYPE_CHECKING:
    from tests.builders import Database


@dataclass(frozen=True)
class Line:
    """A command line, the exit code of the program, and the statuses of the runs after it.

    Attributes:
        statuses: of the runs after the first; empty if no run may have started.
        message: a part of the output.
    """

    name: str
    line: str
    code: int
    statuses: tuple[str, ...] = ()
    message: str = ""


HELD = ("held",)
OUTPUTS = [
    Line("a reader that exits", "$TS run | true", 4, HELD),
    Line("a reader that exits, JSON", "$TS run --json | true", 4, HELD),
    Line("a reader of messages that exits", "$TS run 2>&1 >/dev/null | true", 4, HELD),
    Line("stdout is closed", "$TS run >&-", 4, HELD),
    Line("stderr is closed", "$TS run 2>&-", 4, HELD),
    Line("all streams are closed", "$TS run <&- >&- 2>&-", 4, HELD),
    Line("stdin is closed", "$TS run <&-", 4, HELD),
    Line("stdout is full", "$TS run --json >/dev/full", 4, HELD),
    Line("stderr is full", "$TS run 2>/dev/full", 4, HELD),
    Line("both are full", "$TS run >/dev/full 2>/dev/full", 4, HELD),
    Line("stdout can only be read", "$TS run 1</dev/null", 4, HELD),
    Line("a refused key and a reader that exits", "CRUN_API_KEY=ak_another $TS run --json | true", 77, ("failed",)),
    Line("doctor and a reader that exits", "CRUN_API_KEY=ak_another $TS doctor | true", 77),
    Line("health and full streams", "$TS health >/dev/full 2>/dev/full", 1),
    Line("status and a reader that exits", "$TS status | true", 0),
    Line("a list on a full stream", "$TS list >/dev/full", 1, message="could not be written"),
    Line("a status on a full stream", "$TS status --json >/dev/full", 1, message="could not be written"),
    Line("an export on a full stream", "$TS export >/dev/full", 1, message="could not be written"),
    Line("an export whose reader exits", "$TS export | head -c 10", 0),
]  # fmt: skip
PLACES = [
    Line("no locale", "LC_ALL=C PYTHONUTF8=0 $TS export >out && grep -q 战斗 out", 0),
    Line("a locale of 1987", "LC_ALL=POSIX PYTHONIOENCODING=latin-1 $TS list", 0, message="战斗"),
    Line("no environment", "env -i $TS status", 0, message="12 templates"),
    Line("no home", "HOME=/nonexistent $TS run", 4, HELD),
    Line("no folder for temporary files", "TMPDIR=/nonexistent $TS run", 4, HELD),
    Line("a folder that is gone", "mkdir gone; cd gone; rmdir ../gone; $TS run", 69, message="error:"),
    Line("a folder's .env that is a folder", "mkdir .env; $TS run", 4, HELD),
    Line("a .env of bytes", "printf 'CRUN_API_KEY=\\xff\\n' >.env; $TS run", 78, message="UTF-8"),
    Line("a .env that runs commands", "echo 'SYNC_PAGE_SIZE=$(touch owned)' >.env; $TS run; c=$?; test ! -e owned && (exit $c)", 78, message="SYNC_PAGE_SIZE"),
    Line("a .env that is a pipe", "mkfifo .env; $TS run", 4, HELD),
    Line("proxy variables", "https_proxy=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9 $TS run", 4, HELD),
    Line("certificates of the environment", "SSL_CERT_FILE=/etc/passwd SSL_CERT_DIR=/nonexistent $TS run", 4, HELD),
    Line("a netrc", "echo 'machine 127.0.0.1 login a password b' >.netrc; NETRC=.netrc HOME=. $TS run", 4, HELD),
    Line("a module of the same name in the folder", "echo 'raise SystemExit(99)' | tee sync.py >click.py; $SCRIPT run", 4, HELD),
    Line("Python's own warnings as errors", "PYTHONWARNINGS=error PYTHONDEVMODE=1 $TS run", 4, HELD),
    Line("Python optimised", "PYTHONOPTIMIZE=2 $TS run", 4, HELD),
    Line("a dumb terminal without a size", "TERM=dumb COLUMNS=0 LINES=-1 $TS list", 0, message="战斗"),
    Line("twelve columns", "COLUMNS=12 $TS list", 0, message="战斗"),
    Line("files of one block", "ulimit -f 1; trap '' XFSZ; $TS run", 69, message="error:"),
    Line("sixteen open files", "ulimit -n 16; $TS run", 4, HELD),
    Line("a file that can only be read", "chmod 444 templates.db; $TS run", 69, message="error:"),
    Line("a file that can only be read: doctor", "chmod 444 templates.db; $TS doctor", 69, message="✗ database"),
    Line("a folder that can only be read", "chmod 555 .; $TS run", 69, message="error:"),
    Line("a folder that can only be read: doctor", "chmod 555 .; $TS doctor", 69, message="✗ database"),
    Line("a file that is not an SQLite database", "rm -f templates.db*; echo hello >templates.db; $TS run", 69, message="not a database"),
    Line("an empty file", "rm -f templates.db*; : >templates.db; $TS run", 0),
    Line("a file that ends in the middle", "truncate -s 9000 templates.db; rm -f templates.db-*; $TS run", 69, message="error:"),
    Line("a file under a link", "mv templates.db real.db; ln -s real.db templates.db; $TS run", 4, HELD),
    Line("a textfile in a read-only folder", "mkdir -m 555 closed; SYNC_METRICS_FILE=closed/sync.prom $TS run", 4, HELD, "metrics_not_written"),
    Line("a textfile that is a link", "ln -s /dev/null sync.prom; SYNC_METRICS_FILE=sync.prom $TS run", 78, message="SYNC_METRICS_FILE"),
    Line("a key's file that is a pipe without a writer", "mkfifo key; CRUN_API_KEY= CRUN_API_KEY_FILE=key $TS run", 78, message="CRUN_API_KEY"),
    Line("a key's file that is a pipe", "KEY=$CRUN_API_KEY; CRUN_API_KEY= CRUN_API_KEY_FILE=<(echo $KEY) $TS run", 4, HELD),
    Line("certificates in a pipe without a writer", "mkfifo pem; SYNC_CA_BUNDLE=pem $TS run", 78, message="SYNC_CA_BUNDLE"),
    Line("a heartbeat server that is down", "SYNC_PING_URL=http://127.0.0.1:9/x $TS run", 4, HELD, "ping_failed"),
]  # fmt: skip
LINES = [*OUTPUTS, *PLACES]
QUICK = ("stderr is full", "all streams are closed", "an export on a full stream")
SLICE = (
    "a reader that exits, JSON", "stdout is closed", "an export whose reader exits", "a list on a full stream",
    "a status on a full stream",
    "a refused key and a reader that exits", "doctor and a reader that exits", "no locale", "a .env that runs commands",
    "a file that can only be read: doctor",
)  # fmt: skip
"""The others are long, because each starts a process."""

_DROP_FROM_BOUNDING_SET, _OVERRIDES = 24, (1, 2)


def as_an_ordinary_owner() -> None:
    """Make file permissions effective for the next process, even if root runs the tests."""
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            ctypes.CDLL(None).prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)


def shell(line: str, folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Run a line in bash; return the exit code of its first program, and all output."""
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
    return [] if name in QUICK else [pytest.mark.ci_slice if name in SLICE else pytest.mark.long]


@pytest.mark.parametrize("line", [pytest.param(line, id=line.name, marks=marks_of(line.name)) for line in LINES])
def test_the_environment_changes_neither_the_effects_nor_the_exit_code(line: Line, sqlite: Database, tmp_path: Path) -> None:
    run_with(BEFORE[:11], sqlite.engine)
    run_with(BEFORE, sqlite.engine)
    sqlite.engine.dispose()
    with Sandbox(BEFORE[:1]) as sandbox:
        code, output = shell(line.line, tmp_path, {**of_sandbox(sandbox), "SYNC_MAX_REMOVED": "0"})
    assert (code, line.message in output) == (line.code, True), output
    assert "Unexpected error" not in output
    assert "Traceback" not in output
    assert SANDBOX_KEY not in output
    if line.statuses:
        assert sqlite.statuses[2:] == list(line.statuses)
