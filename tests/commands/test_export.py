"""`export --with-cursor`: a copy of the catalog, and the place in the feed from which its owner goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.reader.catalog import catalog_and_cursor
from sync.reader.feed import changes
from sync.reader.status import overview
from sync.store.engine import open_engine
from tests.builders import records, run_with
from tests.command_line import command

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
    cursor, documents = catalog_and_cursor(database.engine, after_run=1)
    assert [each["template_id"] for each in documents] == ["1", "2"]
    assert [each["template_id"] for each in changes(database.engine, since=cursor)] == ["3"]


def test_an_empty_catalog_has_a_cursor_too(database: Database) -> None:
    cursor, documents = catalog_and_cursor(database.engine)
    assert documents == []
    run_with(records(1), database.engine)
    assert [each["template_id"] for each in changes(database.engine, since=cursor)] == ["1"]


def test_catalog_and_cursor_are_of_one_moment_although_a_run_commits_between_their_queries(database: Database) -> None:
    run_with(records(2), database.engine)
    cursor, reader, writer = overview(database.engine).cursor, open_engine(database.url), open_engine(database.url)

    @sa.event.listens_for(reader, "after_cursor_execute")
    def synchronise_once(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "template_versions" in statement and not runs:
            runs.append(run_with(records(3), writer).run.run_id)

    runs: list[int | None] = []
    found, documents = catalog_and_cursor(reader)
    for engine in (reader, writer):
        engine.dispose()
    assert runs == [2]
    assert ([each["template_id"] for each in documents], found) == (["1", "2"], cursor)
    assert [each["template_id"] for each in changes(database.engine, since=found)] == ["3"]


def test_two_formats_at_once_are_refused(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(1), sqlite.engine)
    for style in ("csv", "atom"):
        said = command(tmp_path, ["export", "--json", "--format", style], DATABASE_URL=sqlite.url)
        assert (said.code, said.out) == (2, b"")
        assert f"--json and --format {style} cannot be combined." in said.err.decode()
