"""Backup and restore: consistent, verified, complete or without effect, and never over another or an open database."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.commands.db import native_command
from sync.config.files import SIDE_FILES
from sync.errors import DatabaseError, LeaseBusy, SchemaError, TryLater, UsageError
from sync.store import schema
from sync.store.backup import back_up, restore
from sync.store.engine import open_engine
from sync.store.tables import VIEWS, metadata
from tests.builders import Database
from tests.command_line import template_sync
from tests.faults import AFTER, BEFORE, PROCESSES, anomalies, exit_code_of, kill_this_process, sync, take_lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

OLD, NEW = {"1", "2", "3", "4", "5"}, {"1", "2", "3", "4", "6"}
FEW = 20
"""Pages per step: few, so that these small databases take several steps."""


def opened(file: Path) -> Database:
    url = f"sqlite:///{file}"
    return Database("sqlite", url, open_engine(url))


def present(file: Path) -> set[str]:
    """Open a database as the next run does; check its invariants and return its present templates."""
    database = opened(file)
    assert anomalies(database) == []
    found = database.present
    database.engine.dispose()
    return found


def act(doing: str, file: Path | str, backup: Path | str, **options: Any) -> None:
    engine = open_engine(f"sqlite:///{file}")
    try:
        {"backup": back_up, "restore": restore}[doing](engine, Path(backup), **options)
    finally:
        engine.dispose()


def act_and_be_killed(doing: str, file: str, backup: str, number: int) -> None:
    steps = itertools.count(1)
    act(doing, file, backup, step=lambda _name: kill_this_process() if next(steps) == number else None, pages=FEW)


def write_and_be_killed(file: str, mode: str = "WAL", begin: str = "BEGIN IMMEDIATE") -> None:
    """Leave an incomplete transaction in `-wal` or `-journal`; without `begin`, a committed one that is only in the log."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA cache_size=1")
    connection.execute(begin)
    connection.execute("UPDATE templates SET title = title || hex(randomblob(5000))")
    kill_this_process()


def read_and_be_killed(file: str) -> None:
    """Leave a reader with an open transaction, and the write-ahead log that it reads."""
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        reader = sqlite3.connect(file, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM templates").fetchone()
        writer.execute("UPDATE templates SET title = title")
        reader.execute("SELECT count(*) FROM templates").fetchone()
        kill_this_process()


def side_files(file: Path) -> list[str]:
    return [side for side in SIDE_FILES if Path(f"{file}{side}").exists()]


@pytest.fixture
def backup(sqlite: Database, tmp_path: Path) -> Path:
    """A backup that contains BEFORE, of a database that contains AFTER by now."""
    sync(BEFORE, sqlite.engine)
    back_up(sqlite.engine, tmp_path / "backup.db")
    sync(AFTER, sqlite.engine)
    sqlite.engine.dispose()
    return tmp_path / "backup.db"


@pytest.fixture
def file(backup: Path, sqlite: Database) -> Path:
    """The file of the database."""
    return Path(str(sqlite.engine.url.database))


def test_a_backup_during_writes_is_complete(sqlite: Database, tmp_path: Path) -> None:
    sync(BEFORE, sqlite.engine)
    done = threading.Event()

    def write() -> None:
        for catalog in itertools.cycle((BEFORE, AFTER)):
            if done.is_set():
                return
            sync(catalog, sqlite.engine, accept_removals=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(sqlite.engine, tmp_path / "backup.db")
            assert present(tmp_path / "backup.db") in (OLD, NEW), number
    finally:
        done.set()
        writer.join()


def test_a_backup_is_consistent(sqlite: Database, tmp_path: Path) -> None:
    sync(BEFORE, sqlite.engine)
    seen: list[str] = []

    def commit_after_the_first_pages(name: str) -> None:
        seen.append(name)
        if seen == ["copying"]:
            sync(AFTER, sqlite.engine)

    back_up(sqlite.engine, tmp_path / "backup.db", step=commit_after_the_first_pages, pages=FEW)
    assert seen.count("copying") > 1
    assert (present(tmp_path / "backup.db"), sqlite.present) == (OLD, NEW)


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_backup_after_a_killed_writer_holds_what_was_committed(file: Path, backup: Path, mode: str) -> None:
    assert exit_code_of(write_and_be_killed, str(file), mode) == -signal.SIGKILL
    assert side_files(file) == {"WAL": ["-wal", "-shm"], "DELETE": ["-journal"]}[mode]
    act("backup", file, backup)
    assert (present(backup), present(file)) == (NEW, NEW)


def test_files_of_a_killed_process_with_the_same_number_are_replaced(sqlite: Database, tmp_path: Path) -> None:
    sync(BEFORE, sqlite.engine)
    for side in ("", *SIDE_FILES):
        (tmp_path / f".backup.db.{os.getpid()}.tmp{side}").write_bytes(b"left behind" * 1000)
    back_up(sqlite.engine, tmp_path / "backup.db")
    assert present(tmp_path / "backup.db") == OLD
    assert not [*tmp_path.glob(".*"), *tmp_path.glob("backup.db?*")]


def test_a_copy_is_never_readable_by_more_users_than_the_database(file: Path, backup: Path) -> None:
    file.chmod(0o640)
    modes: set[str] = set()

    def note(_name: str) -> None:
        modes.update(oct(each.stat().st_mode & 0o777) for each in backup.parent.glob(".backup.db.*.tmp"))

    before = os.umask(0)
    try:
        act("backup", file, backup, step=note)
    finally:
        os.umask(before)
    assert (modes, oct(backup.stat().st_mode & 0o777)) == ({"0o640"}, "0o640")


@pytest.mark.parametrize(("mode", "written"), [(0o400, "0o600"), (0o444, "0o644"), (0o440, "0o640")])
def test_the_copy_of_a_read_only_file_can_be_written_by_its_owner(file: Path, backup: Path, mode: int, written: str) -> None:
    backup.chmod(mode)
    file.unlink()
    act("restore", file, backup)
    assert (present(file), oct(file.stat().st_mode & 0o777), oct(backup.stat().st_mode & 0o777)) == (OLD, written, oct(mode))
    file.chmod(mode)
    act("backup", file, backup)
    assert (present(backup), oct(backup.stat().st_mode & 0o777)) == (OLD, written)


def test_a_backup_of_a_locked_database_is_refused_with_the_reason(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match="database is locked") as refused:
            act("backup", file, backup)
    assert refused.value.hint == "Another program has locked the database; retry when it has finished."
    assert present(backup) == OLD


@pytest.mark.parametrize("every", [pytest.param(3, id="a few"), pytest.param(1, id="all", marks=pytest.mark.ci_slice)])
def test_a_backup_killed_at_any_step_leaves_the_last_backup_and_the_database(file: Path, backup: Path, every: int) -> None:
    number = 1
    while (code := exit_code_of(act_and_be_killed, "backup", str(file), str(backup), number)) != 0:
        assert code == -signal.SIGKILL
        assert present(backup) in (OLD, NEW)
        number += every
    assert number > 5
    assert (present(file), present(backup)) == (NEW, NEW)


def test_a_backup_replaces_no_link_directory_or_database(file: Path, backup: Path, tmp_path: Path) -> None:
    link, same = tmp_path / "link.db", tmp_path / "same.db"
    link.symlink_to(backup)
    same.hardlink_to(file)
    for strange in (link, tmp_path, file, same, Path("/dev/null"), tmp_path / ("long" * 80)):
        with pytest.raises(UsageError):
            act("backup", file, strange)
    for impossible in (tmp_path / "no such folder" / "backup.db", backup / "below a file"):
        with pytest.raises(DatabaseError):
            act("backup", file, impossible)
    assert (present(file), present(backup)) == (NEW, OLD)


def test_the_commands_print_the_result_or_the_command_of_a_server(file: Path, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": f"sqlite:///{file}"}
    made = template_sync("db", "backup", "new.db", folder=tmp_path, variables=variables)
    assert (made.code, "The backup new.db was written and verified" in made.err) == (0, True)
    back = template_sync("db", "restore", "new.db", folder=tmp_path, variables=variables)
    assert (back.code, "The database was restored from new.db" in back.err) == (0, True)
    assert present(file) == NEW
    server = {"DATABASE_URL": "postgresql://u:verysecret@h/d"}
    named = template_sync("db", "backup", "x.dump", folder=tmp_path, variables=server)
    assert (named.code, "pg_dump --format=custom --file=x.dump postgresql://u@h/d" in named.err) == (2, True)
    assert "verysecret" not in named.err


@pytest.mark.parametrize(("url", "backing_up", "restoring"), [
    (
        "postgresql://u:verysecret@h:5433/d?sslpassword=verysecret",
        "pg_dump --format=custom '--file=my file' postgresql://u@h:5433/d",
        "pg_restore --clean --if-exists --no-owner --single-transaction --dbname=postgresql://u@h:5433/d 'my file'",
    ),
    (
        "postgresql://u@/d?host=/s",
        "pg_dump --format=custom '--file=my file' 'postgresql://u@/d?host=%2Fs'",
        "pg_restore --clean --if-exists --no-owner --single-transaction '--dbname=postgresql://u@/d?host=%2Fs' 'my file'",
    ),
    (
        "mariadb://u:verysecret@h/d",
        "mariadb-dump --single-transaction --host=h --port=3306 --user=u --password '--result-file=my file' d",
        "mariadb --host=h --port=3306 --user=u --password d < 'my file'",
    ),
    (
        "mariadb://u@/d?unix_socket=/run/s",
        "mariadb-dump --single-transaction --socket=/run/s --user=u '--result-file=my file' d",
        "mariadb --socket=/run/s --user=u d < 'my file'",
    ),
])  # fmt: skip
def test_the_command_of_a_server_is_quoted_and_has_no_password(url: str, backing_up: str, restoring: str) -> None:
    engine = open_engine(url)
    assert native_command(engine, Path("my file"), restore=False) == backing_up
    assert native_command(engine, Path("my file"), restore=True) == restoring


TOOLS = {"postgresql": ("pg_dump", "pg_restore"), "mariadb": ("mariadb-dump", "mariadb")}


def require_tools(kind: str) -> None:
    """Skip the test if a tool of the server is not installed."""
    for tool in TOOLS[kind]:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")


def paste(engine: Engine, command: str) -> int:
    """Execute a command of the documents without open transactions, which would block DROP TABLE; return its exit code."""
    engine.dispose()
    return subprocess.run(["sh", "-c", command], check=False, stdin=subprocess.DEVNULL).returncode


@pytest.mark.parametrize("empty_database", TOOLS, indirect=True)
@pytest.mark.ci_slice
def test_the_printed_commands_back_up_and_restore_a_server(empty_database: Database, tmp_path: Path) -> None:
    require_tools(empty_database.kind)
    engine, file = empty_database.engine, tmp_path / "it's a backup"
    schema.upgrade(engine)
    sync(BEFORE, engine)
    before = empty_database.catalog_dump()

    assert paste(engine, native_command(engine, file, restore=False)) == 0
    assert sync(AFTER, engine).run.removed == 1
    assert empty_database.catalog_dump() != before
    assert paste(engine, native_command(engine, file, restore=True)) == 0

    assert empty_database.catalog_dump() == before
    assert anomalies(empty_database) == []
    run = sync(AFTER, engine).run
    assert (run.added, run.removed) == (1, 1)


@pytest.mark.parametrize("empty_database", TOOLS, indirect=True)
@pytest.mark.ci_slice
def test_an_older_backup_of_a_server_is_restored_into_an_empty_database(empty_database: Database, tmp_path: Path) -> None:
    require_tools(empty_database.kind)
    engine, file = empty_database.engine, tmp_path / "older"
    schema.upgrade(engine, "0006")

    assert paste(engine, native_command(engine, file, restore=False)) == 0
    schema.upgrade(engine)
    sync(BEFORE, engine)
    empty_database.execute("INSERT INTO unconfirmed_removals SELECT template_id, 1, changed_at, 'x', 1 = 1 FROM templates")
    if empty_database.kind == "postgresql":
        assert paste(engine, native_command(engine, file, restore=True)) != 0
        assert schema.current(engine)[0] == schema.HEAD
    else:
        assert paste(engine, native_command(engine, file, restore=True)) == 0
        with pytest.raises(SchemaError, match=r"program or version have the names .*: unconfirmed_removals") as refused:
            schema.upgrade(engine)
        assert refused.value.hint.endswith("restore it into an empty database.")
    name = engine.url.database
    emptied = {
        "postgresql": ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"),
        "mariadb": (f"DROP DATABASE `{name}`", f"CREATE DATABASE `{name}`", f"USE `{name}`"),
    }
    empty_database.execute(*emptied[empty_database.kind])
    assert paste(engine, native_command(engine, file, restore=True)) == 0
    schema.upgrade(engine)
    sync(BEFORE, engine)
    assert anomalies(empty_database) == []


# Restore --------------------------------------------------------------------------------------------------------------


def killed_restores(file: Path, backup: Path, prepare: Callable[[], None], every: int) -> Iterator[int]:
    """Prepare, restore and kill the process, some steps later each time; yield the number of each killed step."""
    for number in itertools.count(1, every):
        for side in ("", *SIDE_FILES):
            Path(f"{file}{side}").unlink(missing_ok=True)
        prepare()
        code = exit_code_of(act_and_be_killed, "restore", str(file), str(backup), number)
        if code == 0:
            return
        assert code == -signal.SIGKILL
        yield number


def test_a_restore_brings_back_the_backed_up_database(file: Path, backup: Path) -> None:
    other_file = Path(f"{file}-wal.kept")
    other_file.write_text("of another program")
    before = backup.read_bytes()
    act("restore", file, backup)
    assert (side_files(file), other_file.read_text()) == ([], "of another program")
    assert (backup.read_bytes(), side_files(backup)) == (before, [])
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert present(file) == OLD
    database = opened(file)
    assert sync(AFTER, database.engine).run.added == 1


LEFT_BY = {"nothing": None, "a killed writer": write_and_be_killed, "a killed reader": read_and_be_killed}


@pytest.mark.parametrize("left_by", ["nothing", *(pytest.param(each, marks=pytest.mark.ci_slice) for each in [*LEFT_BY][1:])])
def test_a_restore_killed_at_any_step_leaves_the_old_or_the_new_database(
    file: Path, backup: Path, left_by: str, tmp_path: Path
) -> None:
    shutil.copy(file, tmp_path / "kept.db")

    def prepare() -> None:
        shutil.copy(tmp_path / "kept.db", file)
        if leave := LEFT_BY[left_by]:
            assert exit_code_of(leave, str(file)) == -signal.SIGKILL
            assert side_files(file) == ["-wal", "-shm"]

    every = 4 if left_by == "nothing" else 1
    seen = [present(file) for _ in killed_restores(file, backup, prepare, every)]
    assert (len(seen) > 7 / every, OLD in seen, NEW in seen, present(file)) == (True, True, True, OLD)
    assert all(each in (OLD, NEW) for each in seen)


REMAINS = ["nothing", "side files of a deleted database", "a file that is not a database"]


@pytest.mark.parametrize("remains", [REMAINS[0], *(pytest.param(each, marks=pytest.mark.ci_slice) for each in REMAINS[1:])])
def test_without_a_database_the_backup_becomes_the_file(file: Path, backup: Path, remains: str) -> None:
    # A valid log: SQLite would apply it to the restored file, which would then be neither of the two databases.
    assert exit_code_of(write_and_be_killed, str(file), "WAL", "") == -signal.SIGKILL
    left = {side: Path(f"{file}{side}").read_bytes() for side in ("-wal", "-shm")}

    def prepare() -> None:
        for side, content in left.items() if remains != REMAINS[0] else ():
            Path(f"{file}{side}").write_bytes(content)
        if remains == REMAINS[2]:
            file.write_bytes(b"no database" * 1000)

    killed = [0]
    for number in killed_restores(file, backup, prepare, 3 if remains == REMAINS[0] else 1):
        assert not file.exists() or file.read_bytes().startswith(b"no database") or present(file) == OLD
        killed.append(number)
    assert (killed[-1] > 3, present(file)) == (True, OLD)


def read_and_wait(file: str, begin: str, reading: object, done: object) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(begin)
    connection.execute("SELECT count(*) FROM templates").fetchone()
    reading.set()  # type: ignore[attr-defined]  # an Event
    done.wait()  # type: ignore[attr-defined]


@pytest.mark.ci_slice  # SQLite waits for the lock
@pytest.mark.parametrize("begin", ["BEGIN", "SELECT 'no transaction'"])
def test_a_restore_is_refused_while_another_process_has_the_database_open(file: Path, backup: Path, begin: str) -> None:
    reading, done = PROCESSES.Event(), PROCESSES.Event()
    reader = PROCESSES.Process(target=read_and_wait, args=(str(file), begin, reading, done))
    reader.start()
    assert reading.wait(20)
    try:
        with pytest.raises(TryLater, match="has the database open"):
            act("restore", file, backup)
    finally:
        done.set()
        reader.join()
        reader.close()
    assert present(file) == NEW


def test_a_restore_is_refused_during_a_run(file: Path, backup: Path) -> None:
    database = opened(file)
    take_lease(database.engine)
    with pytest.raises(LeaseBusy, match="A run holds the lease"):
        restore(database.engine, backup)


def test_a_file_that_is_not_a_backup_is_refused_and_nothing_is_changed(file: Path, backup: Path, tmp_path: Path) -> None:
    whole, bad = backup.read_bytes(), tmp_path / "bad.db"
    for kind, content in (
        (SchemaError, b""),
        (DatabaseError, b"no database" * 1000),
        (DatabaseError, whole[: len(whole) // 2]),
        (DatabaseError, whole[:8192] + os.urandom(65536) + whole[8192 + 65536 :]),
    ):
        bad.write_bytes(content)
        with pytest.raises(kind):
            act("restore", file, bad)
    # The index of one column, declared as one of another.
    wrong_index = "UPDATE sqlite_master SET sql = replace(sql, '(tag_id)', '(template_id)') WHERE name LIKE 'ix%tags_tag_id'"
    for start, change, error in (
        (whole, "DELETE FROM templates WHERE template_id = '1'", "The backup is damaged"),  # foreign keys are off
        (whole, f"PRAGMA writable_schema=1; {wrong_index}", "The backup is damaged"),
        (b"", "CREATE TABLE other (a)", "not a database of this program"),
        (whole, "UPDATE sync_alembic_version SET version_num = '9999'", r"\(9999\) is newer"),
    ):
        bad.write_bytes(start)
        execute(bad, change)
        with pytest.raises(DatabaseError, match=error):
            act("restore", file, bad)
    (tmp_path / "link.db").symlink_to(file)
    for strange in (tmp_path, tmp_path / "none.db", file, tmp_path / "link.db"):
        with pytest.raises(UsageError):
            act("restore", file, strange)
    assert present(file) == NEW


def execute(file: Path, statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(statements)


def test_the_next_restore_removes_the_files_of_a_killed_one_and_not_of_an_active_one(file: Path, backup: Path) -> None:
    assert exit_code_of(act_and_be_killed, "restore", str(file), str(backup), 2) == -signal.SIGKILL
    (left,) = file.parent.glob(".templates.db.*.tmp")
    seen: list[bool] = []
    act("restore", file, backup, step=lambda _name: seen.append(left.exists()))
    assert set(seen) == {False}
    assert list(file.parent.glob(".templates.db.*.tmp")) == []
    left.touch()
    with left.open("rb") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        act("restore", file, backup)
        assert left.exists()
    act("restore", file, backup)
    assert not left.exists()


TABLES = [table.name for table in reversed(metadata.sorted_tables)]
INCOMPLETE = {
    "only the version": "; ".join([*(f"DROP VIEW {view}" for view in VIEWS), *(f"DROP TABLE {table}" for table in TABLES)]),
    "two versions": "INSERT INTO sync_alembic_version VALUES ('0006')",
    "a view instead of a table": "ALTER TABLE price_changes RENAME TO kept; CREATE VIEW price_changes AS SELECT * FROM kept",
    "a table instead of a view": "DROP VIEW sync_status; CREATE TABLE sync_status (a)",
    "without a view": "DROP VIEW current_prices",
    "without a column": "ALTER TABLE sync_runs DROP COLUMN version",
    "without the row of the lease": "DELETE FROM sync_lease",
    "without the row of sync_state": "DELETE FROM sync_state",
}


@pytest.mark.parametrize("how", INCOMPLETE)
def test_an_incomplete_backup_is_refused_and_the_database_stays(file: Path, backup: Path, how: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.db"
    shutil.copy(backup, bad)
    execute(bad, "PRAGMA legacy_alter_table=ON;" + INCOMPLETE[how])
    refused = template_sync("db", "restore", str(bad), folder=tmp_path, variables={"DATABASE_URL": f"sqlite:///{file}"})
    assert (refused.code, "incomplete" in refused.err) == (69, True), refused.err
    assert present(file) == NEW


def test_a_damaged_database_is_not_backed_up_but_can_be_restored(file: Path, backup: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + bytes(65536) + whole[8192 + 65536 :])
    with pytest.raises(DatabaseError):
        act("backup", file, backup)
    assert present(backup) == OLD
    act("restore", file, backup)
    assert present(file) == OLD


def test_a_database_of_another_program_is_not_overwritten(backup: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.db"
    execute(theirs, "CREATE TABLE other (a)")
    before = theirs.read_bytes()
    with pytest.raises(SchemaError, match="the database of another program"):
        act("restore", theirs, backup)
    assert theirs.read_bytes() == before


def test_a_backup_with_another_page_size_can_be_restored(file: Path, backup: Path) -> None:
    execute(backup, "PRAGMA page_size=8192; VACUUM")
    act("restore", file, backup)
    assert present(file) == OLD


def test_a_restore_does_not_change_a_backup_that_a_killed_process_left(file: Path, backup: Path) -> None:
    assert exit_code_of(write_and_be_killed, str(backup)) == -signal.SIGKILL
    before = [backup.read_bytes(), Path(f"{backup}-wal").read_bytes()]
    act("restore", file, backup)
    assert [backup.read_bytes(), Path(f"{backup}-wal").read_bytes()] == before
    assert present(file) == OLD


def test_a_link_to_the_database_remains_a_link(file: Path, backup: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file)
    file.unlink()
    Path(f"{file}-wal").write_bytes(b"left behind")
    act("restore", link, backup)
    assert (link.is_symlink(), side_files(file), present(file)) == (True, [], OLD)


def test_a_restore_checks_the_written_database(file: Path, backup: Path) -> None:

    def damage(name: str) -> None:
        if name == "closed":
            file.write_bytes(file.read_bytes()[:5000] + b"x" * 20_000)

    with pytest.raises(DatabaseError, match=r"malformed|damaged"):
        act("restore", file, backup, step=damage)


def act_on_a_full_disk(doing: str, file: str, backup: str, full_at: str) -> None:
    """Simulate a disk that is full from a step on: limit the size of files to a few pages."""

    def fill(name: str) -> None:
        if name == full_at:
            resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))

    full = str(Path(backup if doing == "backup" else file).parent) if full_at == "copying" else file
    with pytest.raises(DatabaseError, match=f"^{re.escape(full)}: disk I/O error"):
        act(doing, file, backup, step=fill, pages=FEW)


@pytest.mark.parametrize(("doing", "full_at"), [("backup", "copying"), ("restore", "copying"), ("restore", "alone")])
def test_on_a_full_disk_nothing_is_changed(file: Path, backup: Path, doing: str, full_at: str) -> None:
    (other := file.parent / "another disk").mkdir()
    backup = backup.rename(other / "backup.db")
    assert exit_code_of(act_on_a_full_disk, doing, str(file), str(backup), full_at) == 0
    assert (present(file), present(backup)) == (NEW, OLD)
    assert not [*file.parent.glob(".*.tmp*"), *backup.parent.glob(".*.tmp*")]
