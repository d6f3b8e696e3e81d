"""Run the installed program as a user would: a process of its own, its stdout, its stderr, its exit code."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.__main__ import main
from tests.json_forms import check, outputs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Run `template-sync` in a folder; whatever it prints as JSON must be as its schema says.

    It is a process of its own, which is forked from one that has everything imported: that takes a tenth of the time. Where the
    interpreter itself is told something, by a variable or an input, it is started as a user starts it.
    """
    environ = environment(**(variables or {}))
    if options or any(name.startswith(("PYTHON", "LC_", "TZ", "LANG")) for name in variables or {}):
        result = _started(arguments, folder, environ, **options)
    else:
        result = _forked(arguments, folder, environ)
    for name, value in outputs_of(arguments, result.out):
        check(name, value)
    return result


def _started(arguments: Sequence[str], folder: Path, environ: dict[str, str], **options: Any) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "sync", *arguments],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def _forked(arguments: Sequence[str], folder: Path, environ: dict[str, str]) -> Result:
    from tests.faults import PROCESSES

    with tempfile.TemporaryDirectory() as scratch:
        process = PROCESSES.Process(target=_become_the_program, args=(arguments, str(folder), environ, scratch))
        process.start()
        process.join(60)
        code = process.exitcode
        assert code is not None, f"template-sync {' '.join(arguments)} does not end"
        said = [Path(scratch, stream).read_text() for stream in ("stdout", "stderr")]
        process.close()
    return Result(code, *said)


def _become_the_program(arguments: Sequence[str], folder: str, environ: dict[str, str], scratch: str) -> None:
    """In the forked process: put on what a shell would give, run the command line, and end as the interpreter does."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    written = (os.open(f"{scratch}/{name}", os.O_CREAT | os.O_WRONLY) for name in ("stdout", "stderr"))
    for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), *written)):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
    sys.argv = ["template-sync", *arguments]
    warnings.simplefilter("error")
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the interpreter prints whatever it is
        traceback.print_exc()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
