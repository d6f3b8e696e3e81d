"""The log: one line per run, one form for all libraries, and no secret anywhere."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sync import logs
from sync.catalog.removals import RunOptions
from sync.client.api_client import ApiClient
from sync.config.redaction import HIDDEN
from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from sync.store.apply import Store
from sync.synchronise import synchronise
from tests.builders import HASTY, make_settings, record, records, run_with, ticking
from tests.command_line import environment, template_sync
from tests.hostile import Hostile, as_json, one_after_another, success

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

CANARY = "ak_CanaryCanaryCanaryCanaryCanary00"
PASSWORD = "c@nary/p%ss"
ENCODED = "c%40nary%2Fp%25ss"


pytestmark = pytest.mark.usefixtures("logging_as_before")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_run_is_one_line_with_its_figures(sqlite: Database) -> None:
    stream = io.StringIO()
    logs.configure(style="json", level="info", secrets=(), stream=stream)
    logs.log_run(run_with(records(3), sqlite.engine))
    (line,) = lines(stream)
    assert line["event"] == "run_finished"
    assert {
        "run_id",
        "trigger",
        "status",
        "added",
        "pages",
        "requests",
        "retries",
        "bytes",
        "seconds",
        "level",
        "timestamp",
    } <= set(line)
    assert (line["run_id"], line["status"], line["added"]) == (1, "succeeded", 3)


def test_other_libraries_and_warnings_speak_in_the_same_form() -> None:
    stream = io.StringIO()
    logs.configure(style="json", level="debug", secrets=(), stream=stream)
    for name in ("httpx", "sqlalchemy.engine", "alembic.runtime", "apscheduler.scheduler"):
        logging.getLogger(name).warning("said %s", "this")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    said = lines(stream)
    assert [line["logger"] for line in said[:4]] == ["httpx", "sqlalchemy.engine", "alembic.runtime", "apscheduler.scheduler"]
    assert {line["event"] for line in said[:4]} == {"said this"}
    assert "careful" in str(said[4]["event"])


def test_a_secret_is_hidden_whoever_writes_it_and_however_it_is_written() -> None:
    stream = io.StringIO()
    secret = 'q"uote/d'
    logs.configure(style="json", level="debug", secrets=(secret, PASSWORD), stream=stream)
    logs.get_logger().info("plain", value=secret, url="http://h/?k=q%22uote%2Fd", nested={"deep": [PASSWORD, ENCODED]})
    logging.getLogger("elsewhere").error("header %r", secret)
    try:
        local = secret
        raise ValueError(local)  # the traceback's locals are the point
    except ValueError:
        logs.get_logger().exception("failed")
    written = stream.getvalue()
    for form in (secret, json.dumps(secret)[1:-1], "q%22uote%2Fd", PASSWORD, ENCODED):
        assert form not in written
    assert written.count(HIDDEN) >= 5


def test_a_terminal_is_not_sent_a_strangers_control_characters() -> None:
    stream = io.StringIO()
    logs.configure(style="console", level="info", secrets=(), stream=stream)
    logs.get_logger().info("title", title="\x1b[2Jgone\x07", arabic="\u202eabc")
    assert "\x1b" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_a_closed_stream_does_not_hurt() -> None:
    stream = io.StringIO()
    logs.configure(style="json", level="info", secrets=(), stream=stream)
    stream.close()
    logs.get_logger().info("nobody hears this")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["config", "--json"],
        *(
            pytest.param(arguments.split(), marks=pytest.mark.long)
            for arguments in ("run --json", "run --dry-run", "doctor", "config", "status", "refresh 1", "run --bad")
        ),
    ],
    ids=" ".join,
)
def test_the_key_is_in_no_byte_that_is_written(tmp_path: Path, arguments: list[str]) -> None:
    with Sandbox(make_catalog(30, 1), key=CANARY) as server:
        variables = {"CRUN_BASE_URL": server.url, "CRUN_API_KEY": CANARY, "SYNC_RATE": "0", "SYNC_LOG_LEVEL": "debug"}
        shown = [
            template_sync(*arguments, folder=tmp_path, variables={**variables, "SYNC_LOG_FORMAT": form})
            for form in ("json", "console")
        ]
        shown.append(
            template_sync(
                *arguments, folder=tmp_path, variables={**variables, "CRUN_BASE_URL": "http://127.0.0.1:9", "SYNC_DEADLINE": "1s"}
            )
        )
    for result in shown:
        assert CANARY not in result.out + result.err
    for file in tmp_path.rglob("*"):
        assert CANARY.encode() not in file.read_bytes()


def test_a_server_that_quotes_the_key_does_not_get_it_stored_or_shown(sqlite: Database) -> None:
    quoting = [as_json({"code": 401, "message": f"Invalid API key {CANARY}"}), success([record(Title=[f"key {CANARY}"])])]
    escaped = CANARY.replace("_", r"\u005f").encode()
    quoting += [replace(reply, body=reply.body.replace(CANARY.encode(), escaped)) for reply in quoting]
    for reply in quoting:
        with (
            Hostile(one_after_another(reply)) as server,
            ApiClient(make_settings(server.url), CANARY, retry_policy=HASTY) as endpoint,
        ):
            outcome = synchronise(Store(sqlite.engine), endpoint, RunOptions(), trigger="run", ttl=60.0, clock=ticking())
        assert CANARY not in str(outcome)
    assert CANARY not in str(sqlite.dump())
    assert "[secret]" in str(sqlite.dump())


def test_the_key_is_not_written_when_it_is_refused_or_malformed(tmp_path: Path) -> None:
    with Sandbox(make_catalog(3, 1)) as server:
        for key in (CANARY, f"{CANARY}\nx", f" {CANARY}\n"):
            variables = {"CRUN_BASE_URL": server.url, "CRUN_API_KEY": key, "SYNC_LOG_LEVEL": "debug"}
            result = template_sync("run", folder=tmp_path, variables=variables)
            assert result.code in {77, 78}
            assert CANARY not in result.out + result.err
    for file in tmp_path.rglob("*"):
        assert CANARY.encode() not in file.read_bytes()


@pytest.mark.parametrize("scheme", ["postgresql", pytest.param("mariadb", marks=pytest.mark.long)])
def test_a_database_password_is_not_written(tmp_path: Path, scheme: str) -> None:
    variables = {
        "CRUN_API_KEY": CANARY,
        "DATABASE_URL": f"{scheme}://user:{ENCODED}@127.0.0.1:9/x?sslpassword=inner",
        "SYNC_LOG_LEVEL": "debug",
    }
    for arguments in (["run"], ["status"], ["db", "upgrade"], ["db", "current"], ["doctor"], ["config"]):
        result = template_sync(*arguments, folder=tmp_path, variables=variables)
        for form in (PASSWORD, ENCODED, CANARY):
            assert form not in result.out + result.err


def test_the_key_is_not_in_the_process_title_nor_the_database(tmp_path: Path) -> None:
    with Sandbox(make_catalog(30, 1), key=CANARY, latency_ms=400) as server:
        variables = {"CRUN_BASE_URL": server.url, "CRUN_API_KEY": CANARY}
        process = subprocess.Popen([sys.executable, "-m", "sync", "run"], cwd=tmp_path, env=environment(**variables))
        title = f"/proc/{process.pid}/cmdline"
        with open(title, "rb") as file:  # noqa: PTH123 - /proc
            assert CANARY.encode() not in file.read()
        assert process.wait(timeout=30) == 0
    with sqlite3.connect(tmp_path / "templates.db") as connection:
        assert CANARY not in "\n".join(connection.iterdump())
    connection.close()
