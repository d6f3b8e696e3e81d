"""Run the program from its entry point, and return its stdout, stderr and exit code."""

from __future__ import annotations

import atexit
import contextvars
import gc
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import structlog

from sync.__main__ import main
from sync.sandbox.server import SANDBOX_KEY
from tests.json_forms import check, outputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sync.sandbox.server import Sandbox


@dataclass(frozen=True)
class Result:
    """The output and the exit code of a command."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which only the named settings are set."""
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}}
    return {**inherited, "PYTHONWARNINGS": "error", **variables}


def of_sandbox(sandbox: Sandbox, **variables: str) -> dict[str, str]:
    """Return the settings for a sandbox."""
    return {"CRUN_BASE_URL": sandbox.url, "CRUN_API_KEY": sandbox.key, "SYNC_RATE": "0", **variables}


NO_SERVER = {"CRUN_API_KEY": SANDBOX_KEY, "CRUN_BASE_URL": "http://127.0.0.1:9", "SYNC_RATE": "0", "SYNC_DEADLINE": "5s"}


def command(folder: Path, arguments: Sequence[str], **variables: str) -> Result:
    """Run a command with the sandbox's key; unless a setting overrides it, no server is reachable."""
    result = template_sync(*arguments, folder=folder, variables={**NO_SERVER, **variables})
    assert "Traceback" not in result.err, result.err
    return result


PROCESS_COMMANDS = {("daemon",), ("mcp",), ("sandbox",)}
"""Commands that replace signal handlers, or end without cleaning up."""


def template_sync(
    *arguments: str,
    folder: Path,
    variables: dict[str, str] | None = None,
    input: str | None = None,  # noqa: A002 - the name in `subprocess.run`
    forked: bool = False,
    in_process: bool = False,
    **options: Any,
) -> Result:
    """Run `template-sync` in a folder, and validate its JSON output against the schema.

    By default it runs in this process, which takes a tenth of the time of a new one.

    Args:
        arguments: the command line.
        folder: the working directory.
        variables: the settings; no others are set.
        input: the content of stdin; empty if not given.
        forked: run it in a forked process, for tests of the process.
        in_process: run one of `PROCESS_COMMANDS` in this process, if it exits before it sets signal handlers.
        options: for `subprocess.run`; with one of them, or a variable that the interpreter reads, a new interpreter is started.
    """
    environ = environment(**(variables or {}))
    needs_a_process = (
        arguments[:1] in PROCESS_COMMANDS and not in_process
    ) or threading.current_thread() != threading.main_thread()
    if (
        options
        or any(name.startswith(("PYTHON", "LC_", "TZ", "LANG")) for name in variables or {})
        or (needs_a_process and input)
    ):
        result = _started(arguments, folder, environ, **options, **({} if "stdin" in options else {"input": input}))
    elif forked or needs_a_process:
        result = _forked(arguments, folder, environ)
    else:
        result = _called(arguments, folder, environ, input or "")
    for name, value in outputs_of(arguments, result.out):
        check(name, value)
    return result


def _called(arguments: Sequence[str], folder: Path, environ: dict[str, str], stdin: str) -> Result:
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "stdin").write_text(stdin)
        streams = [Path(scratch, name) for name in ("stdout", "stderr")]
        with ExitStack() as closing:
            closing.enter_context(_process_as_before())
            os.environ.clear()
            os.environ.update(environ)
            tempfile.tempdir = None
            os.chdir(folder)
            sys.stdin = closing.enter_context(Path(scratch, "stdin").open())
            os.dup2(sys.stdin.fileno(), 0)
            sys.stdout, sys.stderr = (closing.enter_context(_opened(stream)) for stream in streams)
            sys.argv = ["template-sync", *arguments]
            warnings.simplefilter("error")
            code = contextvars.copy_context().run(_exit_code)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
        return Result(code, *(stream.read_bytes().decode() for stream in streams))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Open a stream that the block may close, or that may fail to close."""
    stream = file.open("w")
    try:
        yield stream
    finally:
        with suppress(OSError, ValueError):
            stream.close()


@contextmanager
def _process_as_before() -> Iterator[None]:
    """Restore what a command changes in the process."""
    root = logging.getLogger()
    libraries = ("httpx", "httpcore", "hpack", "sqlalchemy", "alembic", "apscheduler", "mcp")
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, libraries))}
    handlers, raising = root.handlers[:], logging.raiseExceptions
    configured, configuration = structlog.is_configured(), structlog.get_config()
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    environ, folder, temporary = dict(os.environ), Path.cwd(), tempfile.tempdir
    streams, argv = (sys.stdin, sys.stdout, sys.stderr), sys.argv
    stdin = os.dup(0)
    threshold, collecting = gc.get_threshold(), gc.isenabled()
    try:
        with warnings.catch_warnings(), mock.patch.object(gc, "freeze"):
            yield
    finally:
        gc.set_threshold(*threshold)
        (gc.enable if collecting else gc.disable)()
        os.dup2(stdin, 0)
        os.close(stdin)
        (sys.stdin, sys.stdout, sys.stderr), sys.argv = streams, argv
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        tempfile.tempdir = temporary
        for number, handler in signals.items():
            signal.signal(number, handler)
        logging.captureWarnings(capture=False)
        root.handlers[:], logging.raiseExceptions = handlers, raising
        for logger, level in levels.items():
            logger.setLevel(level)
        if configured:
            structlog.configure(**configuration)
        else:
            structlog.reset_defaults()


def _started(arguments: Sequence[str], folder: Path, environ: dict[str, str], **options: Any) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "sync", *arguments],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def _forked(arguments: Sequence[str], folder: Path, environ: dict[str, str]) -> Result:
    from tests.faults import PROCESSES

    with tempfile.TemporaryDirectory() as scratch:
        process = PROCESSES.Process(target=_run_as_program, args=(arguments, str(folder), environ, scratch))
        process.start()
        process.join(60)
        code = process.exitcode
        assert code is not None, f"template-sync {' '.join(arguments)} did not end"
        output = [Path(scratch, stream).read_text() for stream in ("stdout", "stderr")]
        process.close()
    return Result(code, *output)


def _run_as_program(arguments: Sequence[str], folder: str, environ: dict[str, str], scratch: str) -> None:
    """Run the command in the forked process: set up environment and streams as a shell does, exit as the interpreter does."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    written = (os.open(f"{scratch}/{name}", os.O_CREAT | os.O_WRONLY) for name in ("stdout", "stderr"))
    for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), *written)):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
    sys.argv = ["template-sync", *arguments]
    warnings.simplefilter("error")
    code = _exit_code()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _exit_code() -> int:
    """Run the command; return the exit code of the interpreter."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter
        traceback.print_exc()
        return 1
    return 0
