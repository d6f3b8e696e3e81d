"""The example consumer's copy is right wherever it is killed, and whatever happens to the database that it copies."""

from __future__ import annotations

import importlib.util
import itertools
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync import Catalog
from sync.store.backup import back_up, restore
from sync.store.engine import open_engine
from sync.store.prune import prune
from tests.builders import Database, record, records
from tests.command_line import environment
from tests.faults import Snapshot, at_boundary, hear_statements, kill_myself, process, sync

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLE = Path(__file__).parents[2] / "examples" / "consumer.py"
WHERE = pytest.mark.parametrize(
    ("begun", "heard"),
    [
        pytest.param("half-way", "copy", id="at its own statements", marks=pytest.mark.ci_slice),
        pytest.param("half-way", "both", id="at any statement", marks=pytest.mark.long),
        pytest.param("anew", "both", id="at any statement of the first copy", marks=pytest.mark.long),
    ],
)
WEEK = [
    records(4),
    [record("1", Title_en="One"), *records(4)[1:], record("5")],
    [record("1", Title_en="Uno"), record("3", ConsumeItems=[]), record("5"), record("6")],  # 2 and 4 go
]


def example() -> ModuleType:
    """Import the example, which is no module of a package."""
    wanted = importlib.util.spec_from_file_location("consumer", EXAMPLE)
    assert wanted is not None
    assert wanted.loader is not None
    found = importlib.util.module_from_spec(wanted)
    wanted.loader.exec_module(found)
    return found


def opened(file: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None)


def catch_up(database: Database, file: Path, at_a_time: int = 500) -> int:
    with Catalog(database.engine) as catalog, closing(opened(file)) as copy:
        return int(example().catch_up(catalog, copy, at_a_time))


def copied(file: Path) -> list[tuple[Any, ...]]:
    with closing(opened(file)) as copy:
        return copy.execute("SELECT template_id, title, lowest_price FROM copied_templates ORDER BY template_id").fetchall()


def cursor_of(file: Path) -> str | None:
    with closing(opened(file)) as copy:
        tables = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'copied_until'").fetchone()[0]
        row = copy.execute("SELECT cursor FROM copied_until").fetchone() if tables else None
    return row[0] if row else None


def served(database: Database) -> list[tuple[Any, ...]]:
    """Give what the copy should hold."""
    found = Catalog(database.engine).templates()
    return [(each.template_id, each.title_en, str(min(p.credit for p in each.prices)) if each.prices else None) for each in found]


def states(database: Database) -> dict[str | None, list[tuple[Any, ...]]]:
    """Fold the feed: what a copy that claims to stand at a cursor must hold."""
    rows: dict[str, tuple[Any, ...]] = {}
    found: dict[str | None, list[tuple[Any, ...]]] = {}
    for change in Catalog(database.engine).changes():
        each = change.template
        lowest = str(min(price.credit for price in each.prices)) if each.prices else None
        rows[change.template_id] = (change.template_id, each.title_en, lowest)
        if change.kind == "removed":
            del rows[change.template_id]
        found[change.cursor] = sorted(rows.values())
    return found


# Killed -----------------------------------------------------------------------------------------------------------------


def consume_and_die(url: str, file: str, number: int, heard: str) -> None:
    """In a process of its own: catch up four changes at a time, and be killed before the n-th statement."""
    statements = itertools.count(1)

    def hear(_statement: str) -> None:
        if next(statements) == number:
            kill_myself()

    engine = open_engine(url)
    if heard == "both":
        hear_statements(engine, hear)
    with closing(opened(file)) as copy:
        copy.set_trace_callback(hear)
        example().catch_up(Catalog(engine), copy, 4)
    engine.dispose()
    raise SystemExit(0)


@WHERE
@pytest.mark.long_on_servers
def test_killed_before_any_statement_copy_and_cursor_agree_and_the_next_one_finishes(
    database: Database, tmp_path: Path, begun: str, heard: str
) -> None:
    first, file = tmp_path / "first.db", tmp_path / "copy.db"
    sync(WEEK[0], database.engine)
    catch_up(database, first)
    for week in WEEK[1:]:
        sync(week, database.engine)
    url, right = database.engine.url.render_as_string(hide_password=False), states(database)
    database.engine.dispose()
    for number in itertools.count(1):
        start_from(first if begun == "half-way" else None, file)
        with process(consume_and_die, url, str(file), number, heard) as child:
            child.join(60)
            code = child.exitcode
        assert code in {0, -signal.SIGKILL}
        if cursor := cursor_of(file):
            assert copied(file) == right[cursor], f"killed before statement {number}"
        catch_up(database, file)
        assert copied(file) == served(database), f"killed before statement {number}"
        if code == 0:
            break
    assert number > 15


def start_from(copy: Path | None, file: Path) -> None:
    """Put a copy back as it was, or none at all, without what a killed process left beside it."""
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    if copy:
        file.write_bytes(copy.read_bytes())


def consume(url: str, file: str) -> None:
    """In a process of its own: catch up, a change in each transaction."""
    with closing(opened(file)) as copy:
        example().catch_up(Catalog(url), copy, 1)
    raise SystemExit(0)


@pytest.mark.long
def test_killed_at_any_time_while_syncs_go_on_copy_and_cursor_agree(database: Database, tmp_path: Path) -> None:
    dice, file = random.Random(13), tmp_path / "copy.db"  # noqa: S311 - when to kill
    url, killed = database.engine.url.render_as_string(hide_password=False), 0
    sync(records(1), database.engine)
    catch_up(database, file)
    for number in range(2, 14):
        sync([record(str(key), Title_en=f"{number}") for key in range(number, number + 40)], database.engine, max_removed=1)
        with process(consume, url, str(file)) as child:
            child.join(dice.uniform(0.0, 1.0))
            killed += child.exitcode is None
        assert copied(file) == states(database)[cursor_of(file)], f"killed in round {number}"
    catch_up(database, file)
    assert copied(file) == served(database)
    assert killed, "every one of them was too quick to be killed"


def test_what_raises_half_way_leaves_the_copy_as_it_was(sqlite: Database, tmp_path: Path) -> None:
    sync(WEEK[0], sqlite.engine)
    file = tmp_path / "copy.db"
    catch_up(sqlite, file)
    before, cursor = copied(file), cursor_of(file)
    sync(WEEK[2], sqlite.engine)
    with closing(opened(file)) as copy:
        no_sixth = "WHEN NEW.template_id = '6' BEGIN SELECT RAISE(FAIL, 'full'); END"
        copy.execute(f"CREATE TRIGGER full BEFORE INSERT ON copied_templates {no_sixth}")
        with pytest.raises(sqlite3.IntegrityError, match="full"):
            example().catch_up(Catalog(sqlite.engine), copy)
    assert (copied(file), cursor_of(file)) == (before, cursor)


# Not alone --------------------------------------------------------------------------------------------------------------


def test_another_consumer_that_runs_at_any_moment_leaves_copy_and_cursor_in_agreement(sqlite: Database, tmp_path: Path) -> None:
    first, file = tmp_path / "first.db", tmp_path / "copy.db"
    sync(WEEK[0], sqlite.engine)
    catch_up(sqlite, first)
    for week in WEEK[1:]:
        sync(week, sqlite.engine)
    catalog, right, finished = Catalog(sqlite.engine), states(sqlite), 0
    for number in itertools.count(1):
        start_from(first, file)
        wrong: list[str] = []
        passed = 0

        def look(statement: str, number: int = number, wrong: list[str] = wrong) -> None:
            nonlocal passed, finished
            passed += 1
            if passed == number:
                with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as copy, suppress(sqlite3.OperationalError):
                    example().catch_up(catalog, copy)  # unless the file is locked
                    finished += 1
            if copied(file) != right[cursor_of(file)]:
                wrong.append(statement)

        with closing(opened(file)) as copy:
            copy.set_trace_callback(look)
            example().catch_up(catalog, copy, 4)
        assert wrong == [], f"a rival before statement {number}"
        assert copied(file) == served(sqlite)
        if passed < number:
            break
    assert 0 < finished < number


def _run_of(database: Database, number: int) -> None:
    sync(WEEK[number % 2], database.engine)


def test_a_run_at_any_moment_of_the_first_copy_leaves_copy_and_cursor_in_agreement(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    sync(WEEK[0], sqlite.engine)
    for number in itertools.count(1):
        start_from(None, file)
        engine = open_engine(sqlite.url)
        passed = at_boundary(engine, number, partial(_run_of, sqlite, number))
        with closing(opened(file)) as copy:
            example().catch_up(Catalog(engine), copy)
        engine.dispose()
        assert copied(file) == states(sqlite)[cursor_of(file)], f"a run at boundary {number}"
        if len(passed) < number:
            break
    assert number > 5


# The database that it copies --------------------------------------------------------------------------------------------


@pytest.mark.long_on_servers
def test_it_goes_on_from_where_it_was_and_reads_all_anew_where_the_feed_is_another(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "copy.db"

    def caught_up(written: int, said: str = "") -> None:
        assert catch_up(database, file) == written
        assert copied(file) == served(database)
        told = capsys.readouterr().err
        assert f"({said})" in told if said else told == ""

    caught_up(0)  # there is nothing yet
    sync(WEEK[0], database.engine)
    caught_up(4)
    caught_up(0)
    saved = Snapshot(database.engine)
    sync(WEEK[1], database.engine)
    caught_up(2)
    saved.restore()
    caught_up(4, "ahead")
    sync(WEEK[1], database.engine)
    caught_up(2)
    saved.restore()
    for catalog in (WEEK[2], WEEK[0]):  # past where the copy was, by another way
        sync(catalog, database.engine)
    caught_up(4, "diverged")
    for catalog in (WEEK[1], WEEK[0], WEEK[0]):
        sync(catalog, database.engine)
    prune(database.engine, before=None, keep_runs=1)
    caught_up(4, "pruned")


def test_a_database_that_was_set_up_anew_is_noticed_although_it_looks_alike(
    sqlite: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "copy.db"
    sync(WEEK[0], sqlite.engine)
    catch_up(sqlite, file)
    sqlite.engine.dispose()
    Path(str(sqlite.engine.url.database)).unlink()
    from sync.store import schema

    schema.upgrade(sqlite.engine)
    sync([*WEEK[0][1:], record("9")], sqlite.engine)
    assert catch_up(sqlite, file) == 4
    assert copied(file) == served(sqlite)
    assert "(other-feed)" in capsys.readouterr().err


def test_a_backup_that_was_put_back_and_ran_on_is_noticed(
    sqlite: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "copy.db"
    sync(WEEK[0], sqlite.engine)
    back_up(sqlite.engine, tmp_path / "backup")
    sync(WEEK[1], sqlite.engine)
    catch_up(sqlite, file)
    sqlite.engine.dispose()
    restore(sqlite.engine, tmp_path / "backup")
    sync(WEEK[2], sqlite.engine)
    assert catch_up(sqlite, file) == len(served(sqlite))
    assert copied(file) == served(sqlite)
    assert "(diverged)" in capsys.readouterr().err


# As a user runs it ------------------------------------------------------------------------------------------------------


def test_it_says_how_much_was_written(sqlite: Database, tmp_path: Path) -> None:
    sync(WEEK[0], sqlite.engine)
    command = [sys.executable, str(EXAMPLE), sqlite.url, str(tmp_path / "copy.db")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 written\n", "")


def test_a_slip_is_one_line_and_leaves_with_what_it_was(
    sqlite: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        code = example().main(list(arguments))
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        return code, told.err

    (tmp_path / "text").write_text("no database " * 100)
    assert said(sqlite.url) == (2, "usage: consumer.py DATABASE_URL COPY_FILE\n")
    assert said(sqlite.url, str(tmp_path / "text")) == (1, f"{tmp_path}/text: file is not a database\n")
    code, told = said(f"sqlite:///{tmp_path}/none.db", str(tmp_path / "copy.db"))
    assert (code, told.partition(str(tmp_path))[0]) == (69, "There is no database at ")
    code, told = said("nonsense", str(tmp_path / "copy.db"))
    assert (code, told.partition(":")[0]) == (78, "DATABASE_URL")
