"""Limits of what one response or many runs may consume: memory, rows, lines of the log."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.client.response import Envelope
from sync.sandbox.server import SANDBOX_KEY
from sync.store.tables import templates
from tests.adversary.attack import BEFORE, LONGEST_ERROR
from tests.builders import Database, record, run_against
from tests.command_line import command, environment
from tests.fake_client import FakeClient
from tests.faults import Catalog, anomalies, sync
from tests.hostile import Hostile, Reply, catalog

if TYPE_CHECKING:
    from pathlib import Path

    from sync.client.api_client import Params

pytestmark = pytest.mark.long_on_servers

MEBIBYTE = 2**20
WATCHED = r"""
import atexit, pathlib, re
from sync.__main__ import main
peak = lambda: re.search(r"VmHWM:\s*([0-9]+)", pathlib.Path("/proc/self/status").read_text())[1]
atexit.register(lambda: pathlib.Path("peak").write_text(peak()))
main()
"""
"""The program, which writes its peak memory in KiB at its end; the figure of a parent includes the memory of the parent."""
ALLOWED = 400
"""MiB of memory for a whole run; the systemd units allow 512."""


@dataclass(frozen=True)
class Load:
    """A page that needs much memory, and the exit code."""

    name: str
    records: bytes
    code: int = 76
    around: bytes = b""


def many(what: bytes, count: int) -> bytes:
    return b",".join([what] * count)


DEEP = b'{"TemplateId":"%d","X":' + b"[" * 6000 + b"1" + b"]" * 6000 + b"}"
LOADS = [
    Load("8 MiB of numbers as records", many(b"1.5", 2 * MEBIBYTE)),
    Load("8 MiB of numbers in one record", b'{"TemplateId":"1","X":[' + many(b"1.5", 2 * MEBIBYTE - 100) + b"]}"),
    Load("390,000 strings as records", many(b'"aaaaaaaaaaaaaaaaa"', 390_000)),
    Load("190,000 lists as records", many(b"[]", 190_000)),
    Load("190,000 objects as records", many(b"{}", 190_000)),
    Load("390,000 values beside the records", json.dumps(BEFORE[0]).encode(), 0, b'"X":[' + many(b"1.5", 390_000) + b"],"),
    Load("390,000 keys in one record", b'{"TemplateId":"1",' + b",".join(b'"a%d":1' % each for each in range(390_000)) + b"}"),
    Load("one key 390,000 times", b'{"TemplateId":"1",' + many(b'"a":1', 390_000) + b"}"),
    Load("7 MiB of escapes", b'{"TemplateId":"1","X":"' + b"\\u0041" * (MEBIBYTE + 200_000) + b'"}'),
    Load("30 records of 250 KiB", b",".join(json.dumps(record(str(each), X="y" * 250_000)).encode() for each in range(30))),
    Load("60 records of 6,000 levels", b",".join(DEEP % each for each in range(60))),
]  # fmt: skip
PAGES = 4700
SLICE = ("8 MiB of numbers in one record", "390,000 strings as records")


@pytest.mark.parametrize(
    "load",
    [pytest.param(load, id=load.name, marks=pytest.mark.ci_slice if load.name in SLICE else pytest.mark.long) for load in LOADS],
)
def test_no_page_needs_more_memory_than_the_unit_files_allow(load: Load, tmp_path: Path) -> None:
    page = b'{"code":200,"message":"s",%s"data":{"total":1,"templates":[%s]}}' % (load.around, load.records)
    with Hostile(lambda _request: Reply(page)) as server:
        variables = environment(CRUN_BASE_URL=server.url, CRUN_API_KEY=SANDBOX_KEY, SYNC_RATE="0", SYNC_DEADLINE="50s")
        run = subprocess.run(
            [sys.executable, "-c", WATCHED, "run"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == load.code, run.stderr
    assert "Unexpected error" not in run.stderr
    assert int((tmp_path / "peak").read_text()) // 1024 < ALLOWED


def test_a_catalog_that_renames_a_field_in_every_run_does_not_fill_the_database(database: Database) -> None:
    for number in range(16):
        served = [{**each, f"{number:02}{'f' * 180}": "x" * 6000} for each in BEFORE[:3]]
        outcome = sync(Catalog(served), database.engine)
        assert (outcome.error, outcome.run.changed) == (None, 0)
    with database.engine.connect() as connection:
        kept = connection.scalars(sa.select(templates.c.extra)).all()
    assert max(len(json.dumps(extra)) for extra in kept) < 70_000
    assert all(f"15{'f' * 180}" in extra for extra in kept)
    assert anomalies(database) == []


@pytest.mark.ci_slice
def test_different_totals_on_4700_pages_are_reported_in_one_line(database: Database) -> None:
    def answer(params: Params) -> Envelope:
        page = int(params.get("page", 0))
        records = [json.dumps({"TemplateId": str(page)}).encode()] if 0 < page <= PAGES else []
        return Envelope(200, "success", PAGES if page == 1 else 10**11 + page, records)

    outcome = sync(FakeClient(answer), database.engine, page_size=1)
    assert outcome.error is not None
    assert (outcome.error.exit_code, len(str(outcome.error)) < LONGEST_ERROR) == (76, True)
    assert database.rows("sync_runs")[0]["error"] == str(outcome.error)


def test_a_thousand_new_names_are_reported_in_a_few_lines(tmp_path: Path) -> None:
    served = [{**each, **{f"{place:02}{number:02}{'n' * 190}": 1 for number in range(80)}} for place, each in enumerate(BEFORE)]
    with Hostile(catalog(served)) as server:
        result = command(tmp_path, ["run"], CRUN_BASE_URL=server.url)
    assert result.code == 0
    assert len(result.err) < 20_000


def test_records_with_980_names_of_2000_characters_are_rejected_and_reported_briefly(database: Database) -> None:
    names: dict[str, Any] = {f"{number:03}{'n' * 1997}": 1 for number in range(980)}

    bad = {**BEFORE[11], "TemplateId": "100", **names}
    for _ in range(2):
        with Hostile(catalog([*BEFORE[:11], bad])) as server:
            outcome = run_against(server.url, database.engine)
        assert (outcome.error, outcome.run.rejected) == (None, 1)
    assert max(len(row["payload"]) for row in database.rows("rejected_templates")) < 4100
    assert len(str(outcome.run.as_json())) < 2000
