"""Mistakes of operators: an unreachable database, a comparison with a deleted run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import Database, record, run_with
from tests.command_line import command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long_on_servers

NO_DATABASE = ("postgresql://u@127.0.0.1:9/x", "mariadb://u@127.0.0.1:9/x", "sqlite:////nowhere/x.db")


def test_two_runs_that_a_prune_kept_can_be_compared(database: Database, tmp_path: Path) -> None:
    for title in ("old", "old", "old", "old", "old", "old", "old", "new", "new"):
        run_with([record("1", Title_en=title), record("2")], database.engine)
    assert command(tmp_path, ["prune", "--keep-runs", "4"], DATABASE_URL=database.url).code == 0
    for before, after in ((6, 8), (6, 9), (7, 8)):
        said = command(tmp_path, ["diff", str(before), str(after), "--json"], DATABASE_URL=database.url)
        (change,) = json.loads(said.out)
        assert (change["template_id"], change["fields"][0]["old"], change["fields"][0]["new"]) == ("1", "old", "new")
    assert json.loads(command(tmp_path, ["diff", "6", "7", "--json"], DATABASE_URL=database.url).out) == []
    assert command(tmp_path, ["diff", "5", "8"], DATABASE_URL=database.url).code == 2


@pytest.mark.parametrize("url", NO_DATABASE, ids=["postgresql", "mariadb", "sqlite"])
@pytest.mark.parametrize("line", ["run --json", "refresh 1 --json"])
def test_run_json_reports_an_unreachable_database(line: str, url: str, tmp_path: Path) -> None:
    said = command(tmp_path, line.split(), DATABASE_URL=url)
    result = json.loads(said.out)
    assert (said.code, result["status"], result["run_id"]) == (69, "failed", None)
    assert result["error"].encode() in said.err
