"""`export --with-cursor`: a copy of the catalog, and the place in the feed from which its owner goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.reader.catalog import open_catalog
from sync.reader.feed import changes
from sync.reader.status import overview
from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from sync.store.engine import open_engine
from tests.builders import record, records, run_with
from tests.command_line import command, environment, of_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def exported(folder: Path, database: Database, *words: str) -> str:
    said = command(folder, ["export", *words], DATABASE_URL=database.url)
    assert (said.code, said.err) == (0, b"")
    return said.out.decode()


def test_the_cursor_stands_before_the_catalog_and_changes_nothing_of_it(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(3), sqlite.engine)
    cursor = overview(sqlite.engine).cursor
    first, _, rest = exported(tmp_path, sqlite, "--with-cursor").partition("\n")
    assert json.loads(first) == {"cursor": cursor}
    assert rest == exported(tmp_path, sqlite)
    whole = json.loads(exported(tmp_path, sqlite, "--json", "--with-cursor"))
    assert whole == {"cursor": cursor, "templates": json.loads(exported(tmp_path, sqlite, "--json"))}
    run_with(records(5)[1:], sqlite.engine)
    since = json.loads(command(tmp_path, ["changes", "--since", whole["cursor"], "--json"], DATABASE_URL=sqlite.url).out)
    assert [(change["kind"], change["template_id"]) for change in since] == [("added", "4"), ("added", "5"), ("removed", "1")]


def test_an_export_of_the_past_stands_where_the_feed_stood_then(database: Database) -> None:
    run_with(records(2), database.engine)
    run_with(records(3), database.engine)
    with open_catalog(database.engine, after_run=1) as (cursor, documents):
        assert [each["template_id"] for each in documents] == ["1", "2"]
    assert [each["template_id"] for each in changes(database.engine, since=cursor)] == ["3"]


def test_an_empty_catalog_has_a_cursor_too(database: Database) -> None:
    with open_catalog(database.engine) as (cursor, documents):
        assert list(documents) == []
    run_with(records(1), database.engine)
    assert [each["template_id"] for each in changes(database.engine, since=cursor)] == ["1"]


def test_catalog_and_cursor_are_of_one_moment_although_a_run_commits_between_their_queries(database: Database) -> None:
    run_with(records(3), database.engine)
    cursor, reader, writer = overview(database.engine).cursor, open_engine(database.url), open_engine(database.url)

    @sa.event.listens_for(reader, "after_cursor_execute")
    def synchronise_once(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if any(table in statement for table in ("sync_state", "template_versions")):
            runs.append(run_with(records(4 + len(runs)), writer).run.run_id)

    runs: list[int | None] = []
    with open_catalog(reader, batch=2) as (found, documents):
        ids = [each["template_id"] for each in documents]
    for engine in (reader, writer):
        engine.dispose()
    assert len(runs) >= 3  # after the cursor, and after each of the two batches
    assert (ids, found) == (["1", "2", "3"], cursor)
    assert [each["template_id"] for each in changes(database.engine, since=found)] == [str(4 + n) for n in range(len(runs))]


def test_two_formats_at_once_are_refused(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(1), sqlite.engine)
    for style in ("csv", "atom"):
        said = command(tmp_path, ["export", "--json", "--format", style], DATABASE_URL=sqlite.url)
        assert (said.code, said.out) == (2, b"")
        assert f"--json and --format {style} cannot be combined." in said.err.decode()


@pytest.mark.long_on_servers
@pytest.mark.parametrize("after_run", [None, 2])
@pytest.mark.parametrize(("batch", "queries"), [(2, 3), (4, 2), (5, 1)])
def test_the_catalog_is_read_in_batches_by_id(database: Database, after_run: int | None, batch: int, queries: int) -> None:
    """Ids in code-point order: "10" precedes "2", "B" precedes "a", and a removed template is in none."""
    catalog = [record(each) for each in ("2", "10", "a", "B", "c")]
    run_with([*catalog[:4], record("x")], database.engine)
    run_with(catalog, database.engine)
    asked: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *of: asked.append(of[2]))
    with open_catalog(database.engine, after_run=after_run, batch=batch) as (_cursor, documents):
        before = len(asked)
        assert next(documents)["template_id"] == "10"
        assert len(asked) == before + 1
        assert [each["template_id"] for each in documents] == ["2", "B", "a", "c"]
        assert len(asked) - before in {queries, queries + 1}


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("cursor", [[], ["--with-cursor"]])
def test_the_parts_of_an_export_are_the_bytes_of_the_whole(
    sqlite: Database, tmp_path: Path, count: int, cursor: list[str]
) -> None:
    run_with([record(str(n), Unknown={"a": ["line\nbreak", {}]}) for n in range(count)], sqlite.engine)
    text = exported(tmp_path, sqlite, "--json", *cursor)
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    lines = exported(tmp_path, sqlite, *cursor).splitlines()
    assert [json.loads(line) for line in lines[bool(cursor) :]] == (json.loads(text)["templates"] if cursor else json.loads(text))


LARGE, MEMORY = 100_000, 256 * 2**20
LIMITED = (
    "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_DATA, ({0}, {0})); "
    "sys.argv = ['template-sync', *sys.argv[1:]]; runpy.run_module('sync', run_name='__main__')"
)


COMMANDS = ["run --json", "export", "export --json --with-cursor", "export --format csv", "export --as-of 1", "run --json"]


@pytest.mark.long
def test_a_large_catalog_is_exported_and_verified_in_256_mib(sqlite: Database, tmp_path: Path) -> None:
    """Of private memory, which a container's limit counts. Unstreamed, `export` and the JSON of a first run take over 1 GB."""
    runs: list[dict[str, Any]] = []
    with Sandbox(make_catalog(LARGE, 7)) as sandbox:
        variables = environment(**of_sandbox(sandbox, DATABASE_URL=sqlite.url))
        for arguments in COMMANDS:
            with (tmp_path / "out").open("wb") as out:
                done = subprocess.run(
                    [sys.executable, "-c", LIMITED.format(MEMORY), *arguments.split()],
                    cwd=tmp_path, env=variables, stdout=out, stderr=subprocess.PIPE, text=True, check=False,
                )  # fmt: skip
            assert done.returncode == 0, (arguments, done.stderr)
            if arguments == "run --json":
                runs.append(json.loads((tmp_path / "out").read_text()))
            if arguments == "export":
                assert (tmp_path / "out").read_bytes().count(b"\n") == LARGE
    first, second = runs
    assert (first["added"], len(first["changes"]), second["unchanged"]) == (LARGE, LARGE, LARGE)
