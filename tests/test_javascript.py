"""Times, whole numbers and prices as Node's drivers give them, west and east of Greenwich: the table in docs/database.md.

SQLite needs no driver to be told: there a time is a text, and what `new Date` makes of a text is the language's own rule.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import BEFORE, sync
from tests.installed import npm_project

if TYPE_CHECKING:
    from tests.builders import Database

DRIVERS = Path(__file__).parent / "tools" / "drivers"
RIGHT, ZONES = "2026-05-22T03:37:31.000Z", ("America/New_York", "Asia/Shanghai")

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside its drivers; where there is no Node, or nothing can be installed, the tests are skipped by name."""
    return npm_project(DRIVERS, tmp_path_factory.mktemp("javascript") / "drivers")


def node(folder: Path, zone: str, *arguments: str) -> Any:
    said = subprocess.run(
        ["node", *arguments], cwd=folder, env={**os.environ, "TZ": zone}, capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("zone", ZONES)
def test_a_driver_gives_a_time_as_the_table_says_and_the_second_column_is_always_right(
    drivers: Path, database: Database, zone: str
) -> None:
    sync(BEFORE, database.engine)
    seen = node(drivers, zone, "times.mjs", f"{database.kind}://{database.url.split('://', 1)[1].split('?')[0]}")
    as_it_comes, told = seen["as_it_comes"], seen["told_utc"]
    assert (as_it_comes["kind"], as_it_comes["iso"], told["iso"]) == ("Date", RIGHT, RIGHT)
    assert as_it_comes["lowest_credit"] == "string"
    if database.kind == "postgresql":
        assert (as_it_comes["plain"], as_it_comes["duration_ms"]) == (RIGHT, "string")
    else:
        assert (as_it_comes["plain"] == RIGHT, told["plain"], as_it_comes["duration_ms"]) == (False, RIGHT, "number")


@pytest.mark.parametrize("zone", ZONES)
def test_the_text_that_sqlite_gives_is_taken_for_local_time_unless_it_is_mended(
    zone: str, tmp_path: Path, sqlite: Database
) -> None:
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    sync(BEFORE, sqlite.engine)
    query = "SELECT released_at, replace(released_at, ' ', 'T') || 'Z', released_at_iso FROM picker WHERE template_id = '1'"
    with sqlite.engine.connect() as connection:
        texts = [*connection.exec_driver_sql(query).one()]
    read = node(tmp_path, zone, "-p", f"JSON.stringify({json.dumps(texts)}.map((each) => new Date(each).toISOString()))")
    assert texts[0] == "2026-05-22 03:37:31.000000"
    assert (read[0] == RIGHT, read[1:]) == (False, [RIGHT, RIGHT])
