"""Run a command in this process, as a user would; the process's own logging and settings are put back after it."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from click.testing import CliRunner

from sync.cli import cli
from sync.sandbox.server import SANDBOX_KEY
from tests.json_forms import check, outputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Said:
    """What a command said, in bytes, and how it ended."""

    code: int
    out: bytes
    err: bytes


def command(folder: Path, arguments: Sequence[str], **variables: str) -> Said:
    """Run a command in a folder, with the sandbox's key and only these settings; nothing answers unless they say where."""
    before = os.getcwd()  # noqa: PTH109 - it is only put back
    environ = {
        "CRUN_API_KEY": SANDBOX_KEY,
        "CRUN_BASE_URL": "http://127.0.0.1:9",
        "SYNC_RATE": "0",
        "SYNC_DEADLINE": "5s",
        **variables,
    }
    os.chdir(folder)
    try:
        with _logging_put_back():
            result = CliRunner().invoke(cli, list(arguments), env=environ)
    finally:
        os.chdir(before)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    for name, value in outputs_of(arguments, result.stdout):
        check(name, value)
    return Said(result.exit_code, result.stdout_bytes, result.stderr_bytes)


@contextmanager
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising, shown = root.handlers[:], root.level, logging.raiseExceptions, warnings.showwarning
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], logging.raiseExceptions, warnings.showwarning = handlers, raising, shown
        root.setLevel(level)
        structlog.reset_defaults()
