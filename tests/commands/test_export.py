"""`export`, and `--as-of` of list, show, diff and export: the catalog of the past, with the cursor of its run."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
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
from tests.command_line import command, environment, of_sandbox, template_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def exported(folder: Path, database: Database, *options: str) -> str:
    result = command(folder, ["export", *options], DATABASE_URL=database.url)
    assert (result.code, result.err) == (0, "")
    return result.out


def test_the_cursor_is_printed_before_an_unchanged_export(sqlite: Database, tmp_path: Path) -> None:
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


def test_a_catalog_of_the_past_has_the_cursor_of_its_run(database: Database) -> None:
    run_with(records(2), database.engine)
    run_with(records(3), database.engine)
    with open_catalog(database.engine, after_run=1) as (cursor, documents):
        assert [each["template_id"] for each in documents] == ["1", "2"]
    assert [each["template_id"] for each in changes(database.engine, since=cursor)] == ["3"]


def test_an_empty_catalog_has_a_cursor(database: Database) -> None:
    with open_catalog(database.engine) as (cursor, documents):
        assert list(documents) == []
    run_with(records(1), database.engine)
    assert [each["template_id"] for each in changes(database.engine, since=cursor)] == ["1"]


def test_catalog_and_cursor_are_consistent_while_runs_commit_between_their_queries(database: Database) -> None:
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


@pytest.mark.long_on_servers
@pytest.mark.parametrize("after_run", [None, 2])
@pytest.mark.parametrize(("batch", "queries"), [(2, 3), (4, 2), (5, 1)])
def test_the_catalog_is_read_in_batches_by_id(database: Database, after_run: int | None, batch: int, queries: int) -> None:
    """Ids in code-point order: "10" precedes "2", "B" precedes "a", and a removed template is in none."""
    catalog = [record(each) for each in ("2", "10", "a", "B", "c")]
    run_with([*catalog[:4], record("x")], database.engine)
    run_with(catalog, database.engine)
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with open_catalog(database.engine, after_run=after_run, batch=batch) as (_cursor, documents):
        before = len(statements)
        assert next(documents)["template_id"] == "10"
        assert len(statements) == before + 1
        assert [each["template_id"] for each in documents] == ["2", "B", "a", "c"]
        assert len(statements) - before in {queries, queries + 1}


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("cursor", [[], ["--with-cursor"]])
def test_a_streamed_export_has_the_bytes_of_one_document(sqlite: Database, tmp_path: Path, count: int, cursor: list[str]) -> None:
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
    """The limit is on private memory, as in a container. Without streaming, `export` and `run --json` take over 1 GB."""
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


def priced(template_id: str, credit: float, **more: Any) -> dict[str, Any]:
    return record(template_id, Title_en=f"Number {template_id}", ConsumeItems=[{"Resolution": "720p", "Credit": credit}], **more)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database has three runs."""
    folder = tmp_path_factory.mktemp("past")
    with Sandbox([priced("1", 5), priced("2", 3, InputNum=2)]) as server:
        for served in ([priced("1", 5), priced("2", 3, InputNum=2)], [priced("1", 7), priced("3", 4)], [priced("1", 7)]):
            server.replace(served)
            assert template_sync("run", folder=folder, variables=of_sandbox(server)).code == 0
    return folder


def shown(folder: Path, *arguments: str) -> Any:
    result = template_sync(*arguments, "--json", folder=folder)
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def ends(folder: Path) -> list[str]:
    """Return the times at which the runs ended, oldest first."""
    return [str(run["finished_at"]) for run in reversed(shown(folder, "runs"))]


def ids(folder: Path, *arguments: str) -> list[str]:
    return [each["template_id"] for each in shown(folder, "list", *arguments)]


def test_as_of_shows_the_catalog_after_a_run_and_at_an_instant(filled: Path) -> None:
    assert [ids(filled, "--as-of", run) for run in "123"] == [["1", "2"], ["1", "3"], ["1"]]
    first, second, third = ends(filled)
    assert ids(filled, "--as-of", first) == ["1", "2"]
    assert ids(filled, "--as-of", second, "--max-price", "4") == ["3"]
    assert ids(filled, "--as-of", third) == ids(filled) == ["1"]
    exported = [template_sync("export", *as_of, folder=filled).out for as_of in ((), ("--as-of", "3"), ("--as-of", "1"))]
    assert exported[0] == exported[1] != exported[2]
    then = shown(filled, "show", "2", "--as-of", "1")
    assert (then["title_en"], then["removed_at"]) == ("Number 2", None)
    assert shown(filled, "show", "2", "--as-of", "2")["removed_at"] == shown(filled, "show", "2")["removed_at"] == second
    assert shown(filled, "show", "1", "--as-of", "1")["consume_items"] == [{"resolution": "720p", "credit": 5}]


def test_diff_compares_runs_instants_and_the_present(filled: Path) -> None:
    first, second, _ = ends(filled)
    whole = shown(filled, "diff", "1", "3")
    assert [(each["kind"], each["template_id"]) for each in whole] == [("changed", "1"), ("removed", "2")]
    assert shown(filled, "diff", first, "3") == shown(filled, "diff", "1") == whole
    assert shown(filled, "diff", "1", "--as-of", second) == shown(filled, "diff", "1", "2")
    same = template_sync("diff", second, "2", folder=filled)
    assert (same.code, same.out, same.err) == (0, "", "no changes between run 2 and run 2\n")


def test_a_date_means_its_first_moment_in_utc(filled: Path) -> None:
    today = ends(filled)[0][:10]
    result = template_sync("list", "--as-of", today, folder=filled)
    assert f"There is no catalog of {today}T00:00:00Z" in result.err, "the first run was later on that day"


def test_list_filters_sorts_and_limits(filled: Path) -> None:
    assert ids(filled, "--as-of", "1", "--images", "2") == ["2"]
    assert ids(filled, "--as-of", "1", "--sort", "price") == ["2", "1"]
    assert ids(filled, "--as-of", "1", "--sort", "price", "-n", "1") == ["2"]
    assert ids(filled, "--as-of", "1", "--min-price", "4") == ["1"]
    assert ids(filled, "--min-price", "7", "--max-price", "7", "--ratio", "9:16", "--text", "NUMBER") == ["1"]
    assert template_sync("list", "-n", "0", folder=filled).err == "0 templates\n"


def test_an_unknown_filter_value_is_reported_with_a_similar_one(filled: Path) -> None:
    arguments = ["list", "--tag", "trendy", "--requirement", "SINGLE_PERSN", "--resolution", "480p", "--type", "x"]
    warnings = [
        "No template has the tag 'trendy'; did you mean 'Trending'?",
        "No template has the type 'x'. `template-sync types` shows all.",
        "No template has the requirement 'SINGLE_PERSN'; did you mean 'SINGLE_PERSON'?",
        "No template has the resolution '480p'.",
    ]
    result = template_sync(*arguments, folder=filled)
    assert (result.code, result.out, result.err.splitlines()) == (0, "", ["0 templates", *warnings])
    as_json = template_sync(*arguments, "--json", folder=filled)
    assert (as_json.code, as_json.out, as_json.err.splitlines()) == (0, "[]\n", warnings)
    other_case = template_sync("list", "--resolution", "720P", folder=filled)
    assert other_case.err.splitlines() == ["0 templates", "No template has the resolution '720P'; did you mean '720p'?"]


def test_a_pruned_run_is_refused_with_the_oldest_available_run(sqlite: Database, tmp_path: Path) -> None:
    for credit in (5, 6):
        run_with([priced("1", credit)], sqlite.engine, clock=lambda: datetime.now(UTC))
    first, second = ends(tmp_path)
    assert template_sync("prune", "--keep-runs", "1", folder=tmp_path).code == 0
    for line in ("list", "show 1", "diff 2"):
        for instant in ("1", first):
            result = template_sync(*line.split(), "--as-of", instant, folder=tmp_path)
            assert (result.code, result.out) == (2, "")
            assert "The history before the end of run 2 was pruned." in result.err
            assert f"The oldest available run is 2, which ended at {second}." in result.err
    assert ids(tmp_path, "--as-of", "2") == ["1"]
