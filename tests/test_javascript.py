"""JavaScript: the types of the schemas, with which the example compiles and runs; values of the drivers for Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.outputs.schema import everything
from sync.text import json_text
from tests.builders import record, records, run_with
from tests.command_line import template_sync
from tests.faults import BEFORE, sync
from tests.installed import npm_project

if TYPE_CHECKING:
    from tests.builders import Database

EXAMPLE = Path(__file__).parent.parent / "examples" / "typescript"

pytestmark = pytest.mark.long


def in_folder(folder: Path, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its tools; without them the tests are skipped with the reason."""
    folder = npm_project(EXAMPLE, tmp_path_factory.mktemp("typescript") / "example", "build", "template-sync.d.ts")
    types = in_folder(folder, "npm", "run", "--silent", "types", given=json_text(everything()))
    assert types.returncode == 0, types.stderr
    return folder


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    done = in_folder(project, "npm", "run", "build")
    assert done.returncode == 0, done.stdout
    return project


def test_every_schema_has_a_type_under_its_name(project: Path) -> None:
    types = (project / "template-sync.d.ts").read_text()
    titles = {shape["title"] for shape in everything()["$defs"].values()}
    assert titles == set(re.findall(r"^export (?:interface|type) (\w+)", types, re.MULTILINE)) - {"Everything"}


def test_an_unknown_key_and_a_missing_check_for_null_do_not_compile(built: Path) -> None:
    source = (built / "watch.ts").read_text()
    for right, wrong in (("change.prices", "change.price"), ("template?.title_en ??", "template.title_en ??")):
        assert right in source
        invalid = built.with_name("invalid")
        shutil.copytree(built, invalid, symlinks=True)
        (invalid / "watch.ts").write_text(source.replace(right, wrong))
        assert in_folder(invalid, "npm", "run", "build").returncode != 0, wrong
        shutil.rmtree(invalid)


def test_the_kind_of_a_change_narrows_the_types_of_its_templates(built: Path) -> None:
    (built / "narrowed.ts").write_text("""
        import type { Change, GenerationRequest, Template } from "./template-sync.js";
        export function after(change: Change): Template | null {
            if (change.kind === "removed") { const none: null = change.document; return none; }
            const template: Template = change.document;
            return template;
        }
        export function headers(request: GenerationRequest): Record<string, string> { return request.headers; }
    """)
    done = in_folder(built, "npx", "tsc", "--noEmit", "-p", ".")
    assert done.returncode == 0, done.stdout


def test_the_reader_prints_changes_and_breaking_changes(built: Path, sqlite: Database) -> None:
    run_with(records(3), sqlite.engine)
    dear = [{"Resolution": "480p", "Credit": 166.5}]
    run_with([record("1", Title_en="Number 1\x1b[2J", ConsumeItems=dear), record("3", Title_en="Number 3")], sqlite.engine)
    found = template_sync("changes", "--since", "3", "--json", folder=Path(sqlite.url.removeprefix("sqlite:///")).parent)
    lines = "".join(json.dumps(change) + "\n" for change in json.loads(found.out))
    result = in_folder(built, "node", "build/watch.js", given=lines)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "4 changed 1 Number 1\\u{1b}[2J  720p 355.2 → (none), title_en  BREAKS CALLERS: resolution-gone:720p",
        "5 removed 2 Number 2  BREAKS CALLERS: removed",
    ]


def test_the_reader_exits_at_an_invalid_change_with_its_line(built: Path) -> None:
    result = in_folder(built, "node", "build/watch.js", given='{"error": 1}\n')
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "line 1: SyntaxError: not a change of the feed\n")


DRIVERS = Path(__file__).parent / "tools" / "drivers"
EXPECTED, ZONES = "2026-05-22T03:37:31.000Z", ("America/New_York", "Asia/Shanghai")

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script with its drivers; without Node or the packages the tests are skipped with the reason."""
    return npm_project(DRIVERS, tmp_path_factory.mktemp("javascript") / "drivers")


def node(folder: Path, zone: str, *arguments: str) -> Any:
    result = subprocess.run(
        ["node", *arguments], cwd=folder, env={**os.environ, "TZ": zone}, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("zone", ZONES)
def test_a_driver_returns_times_as_documented_and_the_iso_column_is_always_correct(
    drivers: Path, database: Database, zone: str
) -> None:
    sync(BEFORE, database.engine)
    seen = node(drivers, zone, "times.mjs", f"{database.kind}://{database.url.split('://', 1)[1].split('?')[0]}")
    default, with_utc = seen["default"], seen["with_utc"]
    assert (default["kind"], default["iso"], with_utc["iso"]) == ("Date", EXPECTED, EXPECTED)
    assert default["lowest_credit"] == "string"
    if database.kind == "postgresql":
        assert (default["plain"], default["duration_ms"]) == (EXPECTED, "string")
    else:
        assert (default["plain"] == EXPECTED, with_utc["plain"], default["duration_ms"]) == (False, EXPECTED, "number")


@pytest.mark.parametrize("zone", ZONES)
def test_javascript_parses_the_times_of_sqlite_as_local_time_unless_converted(
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
    assert (read[0] == EXPECTED, read[1:]) == (False, [EXPECTED, EXPECTED])
