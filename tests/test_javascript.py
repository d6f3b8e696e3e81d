"""JavaScript: the schemas give types with which the example compiles and runs; what Node's drivers return."""

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
    """A copy of the example with its tools; where there are none the tests are skipped by name."""
    folder = npm_project(EXAMPLE, tmp_path_factory.mktemp("typescript") / "example", "build", "template-sync.d.ts")
    made = in_folder(folder, "npm", "run", "--silent", "types", given=json_text(everything()))
    assert made.returncode == 0, made.stderr
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


def test_a_key_that_does_not_exist_and_a_null_that_was_forgotten_do_not_compile(built: Path) -> None:
    source = (built / "watch.ts").read_text()
    for right, wrong in (("change.prices", "change.price"), ("template?.title_en ??", "template.title_en ??")):
        assert right in source
        slip = built.with_name("slip")
        shutil.copytree(built, slip, symlinks=True)
        (slip / "watch.ts").write_text(source.replace(right, wrong))
        assert in_folder(slip, "npm", "run", "build").returncode != 0, wrong
        shutil.rmtree(slip)


def test_the_kind_of_a_change_decides_which_templates_are_null_and_headers_are_texts(built: Path) -> None:
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


def test_the_reader_says_what_changed_and_what_breaks_callers(built: Path, sqlite: Database) -> None:
    run_with(records(3), sqlite.engine)
    dear = [{"Resolution": "480p", "Credit": 166.5}]
    run_with([record("1", Title_en="Number 1\x1b[2J", ConsumeItems=dear), record("3", Title_en="Number 3")], sqlite.engine)
    found = template_sync("changes", "--since", "3", "--json", folder=Path(sqlite.url.removeprefix("sqlite:///")).parent)
    lines = "".join(json.dumps(change) + "\n" for change in json.loads(found.out))
    said = in_folder(built, "node", "build/watch.js", given=lines)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines() == [
        "4 changed 1 Number 1\\u{1b}[2J  720p 355.2 → (none), title_en  BREAKS CALLERS: resolution-gone:720p",
        "5 removed 2 Number 2  BREAKS CALLERS: removed",
    ]


def test_the_reader_ends_at_what_is_no_change_and_says_where(built: Path) -> None:
    said = in_folder(built, "node", "build/watch.js", given='{"error": 1}\n')
    assert (said.returncode, said.stdout, said.stderr) == (1, "", "line 1: SyntaxError: not a change of the feed\n")


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
