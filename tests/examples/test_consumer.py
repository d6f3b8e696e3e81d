"""The copy of the example consumer is correct after kills at any statement, concurrent writers and restored databases."""

from __future__ import annotations

import itertools
import runpy
import signal
import sqlite3
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sync import Catalog
from sync.store.engine import open_engine
from sync.store.prune import prune
from tests.builders import Database, record, records
from tests.faults import Snapshot, at_boundary, kill_this_process, on_each_statement, process, sync

EXAMPLE = Path(__file__).parents[2] / "examples" / "consumer.py"
WHERE = pytest.mark.parametrize(
    ("start", "traced"),
    [
        pytest.param("continue", "copy", id="at a statement of the copy", marks=pytest.mark.ci_slice),
        pytest.param("continue", "both", id="at any statement", marks=pytest.mark.long),
        pytest.param("first copy", "both", id="at any statement of the first copy", marks=pytest.mark.long),
    ],
)
WEEK = [
    records(4),
    [record("1", Title_en="One"), *records(4)[1:], record("5")],
    [record("1", Title_en="Uno"), record("3", ConsumeItems=[]), record("5"), record("6")],  # 2 and 4 are removed
]


def example() -> SimpleNamespace:
    """Return the functions of the example, which is not in a package."""
    return SimpleNamespace(**runpy.run_path(str(EXAMPLE)))


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
    """Return the expected rows of the copy."""
    found = Catalog(database.engine).templates()
    return [(each.template_id, each.title_en, str(min(p.credit for p in each.prices)) if each.prices else None) for each in found]


def states(database: Database) -> dict[str | None, list[tuple[Any, ...]]]:
    """Replay the feed: return the expected rows of a copy at each cursor."""
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


# Kills ------------------------------------------------------------------------------------------------------------------


def consume_and_be_killed(url: str, file: str, number: int, traced: str) -> None:
    """Catch up in batches of four changes, until this process is killed before the n-th statement."""
    statements = itertools.count(1)

    def count(_statement: str) -> None:
        if next(statements) == number:
            kill_this_process()

    engine = open_engine(url)
    if traced == "both":
        on_each_statement(engine, count)
    with closing(opened(file)) as copy:
        copy.set_trace_callback(count)
        example().catch_up(Catalog(engine), copy, 4)
    engine.dispose()
    raise SystemExit(0)


@WHERE
@pytest.mark.long_on_servers
def test_after_a_kill_before_any_statement_copy_and_cursor_agree_and_the_next_consumer_completes_them(
    database: Database, tmp_path: Path, start: str, traced: str
) -> None:
    first, file = tmp_path / "first.db", tmp_path / "copy.db"
    sync(WEEK[0], database.engine)
    catch_up(database, first)
    for week in WEEK[1:]:
        sync(week, database.engine)
    url, expected = database.engine.url.render_as_string(hide_password=False), states(database)
    database.engine.dispose()
    for number in itertools.count(1):
        start_from(first if start == "continue" else None, file)
        with process(consume_and_be_killed, url, str(file), number, traced) as child:
            child.join(60)
            code = child.exitcode
        assert code in {0, -signal.SIGKILL}
        if cursor := cursor_of(file):
            assert copied(file) == expected[cursor], f"killed before statement {number}"
        catch_up(database, file)
        assert copied(file) == served(database), f"killed before statement {number}"
        if code == 0:
            break
    assert number > 15


def start_from(copy: Path | None, file: Path) -> None:
    """Restore the file of a copy, or delete it, with the side files of a killed process."""
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    if copy:
        file.write_bytes(copy.read_bytes())


def test_an_error_during_a_transaction_leaves_the_copy_unchanged(sqlite: Database, tmp_path: Path) -> None:
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


# Concurrency ------------------------------------------------------------------------------------------------------------


def test_copy_and_cursor_agree_if_another_consumer_runs_at_any_statement(sqlite: Database, tmp_path: Path) -> None:
    first, file = tmp_path / "first.db", tmp_path / "copy.db"
    sync(WEEK[0], sqlite.engine)
    catch_up(sqlite, first)
    for week in WEEK[1:]:
        sync(week, sqlite.engine)
    catalog, expected, finished = Catalog(sqlite.engine), states(sqlite), 0
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
            if copied(file) != expected[cursor_of(file)]:
                wrong.append(statement)

        with closing(opened(file)) as copy:
            copy.set_trace_callback(look)
            example().catch_up(catalog, copy, 4)
        assert wrong == [], f"another consumer before statement {number}"
        assert copied(file) == served(sqlite)
        if passed < number:
            break
    assert 0 < finished < number


def _run_of(database: Database, number: int) -> None:
    sync(WEEK[number % 2], database.engine)


def test_copy_and_cursor_agree_if_a_run_commits_during_the_first_copy(sqlite: Database, tmp_path: Path) -> None:
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


# Other databases --------------------------------------------------------------------------------------------------------


@pytest.mark.long_on_servers
def test_the_consumer_continues_from_its_cursor_or_copies_again_if_the_cursor_is_lost(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "copy.db"

    def caught_up(written: int, reason: str = "") -> None:
        assert catch_up(database, file) == written
        assert copied(file) == served(database)
        printed = capsys.readouterr().err
        assert f"({reason})" in printed if reason else printed == ""

    caught_up(0)  # no run yet
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
    for catalog in (WEEK[2], WEEK[0]):  # beyond the cursor of the copy, with other changes
        sync(catalog, database.engine)
    caught_up(4, "diverged")
    for catalog in (WEEK[1], WEEK[0], WEEK[0]):
        sync(catalog, database.engine)
    prune(database.engine, before=None, keep_runs=1)
    caught_up(4, "pruned")


# The command ------------------------------------------------------------------------------------------------------------


def test_the_command_prints_the_number_of_written_templates_or_one_line_and_exits_with_the_code_of_the_error(
    sqlite: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(WEEK[0], sqlite.engine)
    monkeypatch.setattr("sys.argv", ["consumer.py", sqlite.url, str(tmp_path / "copy.db")])
    with pytest.raises(SystemExit, match=r"\A0\Z"):
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr() == ("4 written\n", "")

    def refused(*arguments: str) -> tuple[int, str]:
        code = example().main(list(arguments))
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        return code, printed.err

    (tmp_path / "text").write_text("no database " * 100)
    assert refused(sqlite.url) == (2, "usage: consumer.py DATABASE_URL COPY_FILE\n")
    assert refused(sqlite.url, str(tmp_path / "text")) == (1, f"{tmp_path}/text: file is not a database\n")
    code, message = refused(f"sqlite:///{tmp_path}/none.db", str(tmp_path / "copy.db"))
    assert (code, message.partition(str(tmp_path))[0]) == (69, "There is no database at ")
    code, message = refused("nonsense", str(tmp_path / "copy.db"))
    assert (code, message.partition(":")[0]) == (78, "DATABASE_URL")
