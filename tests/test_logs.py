"""The log: one line per run, one form for all libraries, and no secret anywhere."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync import logs
from sync.config.redaction import HIDDEN
from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from tests.builders import records, run_with
from tests.command_line import environment

if TYPE_CHECKING:
    from tests.builders import Database

CANARY = "ak_CanaryCanaryCanaryCanaryCanary00"
PASSWORD = "c@nary/p%ss"
ENCODED = "c%40nary%2Fp%25ss"


pytestmark = pytest.mark.usefixtures("logging_as_before")


def configured(style: str = "json", level: str = "info", secrets: tuple[str, ...] = ()) -> io.StringIO:
    """Configure logging to a stream; return it."""
    stream = io.StringIO()
    logs.configure(style=style, level=level, secrets=secrets, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_run_is_one_line_with_its_figures(sqlite: Database) -> None:
    stream = configured()
    logs.log_run(run_with(records(3), sqlite.engine))
    (line,) = lines(stream)
    assert line["event"] == "run_finished"
    names = "run_id trigger status added pages requests retries bytes seconds level timestamp"
    assert set(names.split()) <= set(line)
    assert (line["run_id"], line["status"], line["added"]) == (1, "succeeded", 3)


def test_other_libraries_and_warnings_are_logged_in_the_same_form() -> None:
    stream = configured(level="debug")
    for name in ("httpx", "sqlalchemy.engine", "alembic.runtime", "apscheduler.scheduler"):
        logging.getLogger(name).warning("said %s", "this")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    logged = lines(stream)
    assert [line["logger"] for line in logged[:4]] == ["httpx", "sqlalchemy.engine", "alembic.runtime", "apscheduler.scheduler"]
    assert {line["event"] for line in logged[:4]} == {"said this"}
    assert "careful" in str(logged[4]["event"])


def test_a_secret_is_masked_in_every_spelling_and_from_every_logger() -> None:
    secret = 'q"uote/d'
    stream = configured(level="debug", secrets=(secret, PASSWORD))
    logs.get_logger().info("plain", value=secret, url="http://h/?k=q%22uote%2Fd", nested={"deep": [PASSWORD, ENCODED]})
    logging.getLogger("elsewhere").error("header %r", secret)
    try:
        local, _unknown = secret, secret[::-1]  # a traceback has no locals, because not every form of a secret is known
        raise ValueError(local)
    except ValueError:
        logs.get_logger().exception("failed")
    written = stream.getvalue()
    for form in (secret, json.dumps(secret)[1:-1], "q%22uote%2Fd", PASSWORD, ENCODED, "d/etou"):
        assert form not in written
    assert written.count(HIDDEN) >= 5


def test_control_characters_are_escaped_on_a_terminal() -> None:
    stream = configured("console")
    logs.get_logger().info("title", title="\x1b[2Jgone\x07", arabic="\u202eabc")
    assert not {"\x1b", "\x07", "\u202e"} & set(stream.getvalue())


def test_a_closed_stream_raises_no_error() -> None:
    stream = configured()
    stream.close()
    logs.get_logger().info("lost")


def test_the_key_is_not_in_the_process_title_nor_the_database(tmp_path: Path) -> None:
    with Sandbox(make_catalog(30, 1), key=CANARY, latency_ms=400) as server:
        variables = {"CRUN_BASE_URL": server.url, "CRUN_API_KEY": CANARY}
        process = subprocess.Popen([sys.executable, "-m", "sync", "run"], cwd=tmp_path, env=environment(**variables))
        assert CANARY.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert process.wait(timeout=30) == 0
    with closing(sqlite3.connect(tmp_path / "templates.db")) as connection:
        assert CANARY not in "\n".join(connection.iterdump())
