"""A restore is complete or has no effect, and overwrites no database of another program or process."""

from __future__ import annotations

import fcntl
import itertools
import os
import resource
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.errors import DatabaseError, LeaseBusy, SchemaError, TryLater, UsageError
from sync.store.backup import back_up, restore
from sync.store.engine import open_engine
from sync.store.tables import VIEWS, metadata
from tests.command_line import template_sync
from tests.faults import AFTER, PROCESSES, end_of, sync, take_lease
from tests.store.copies import (
    FEW,
    NEW,
    OLD,
    SIDE_FILES,
    commit_and_die,
    kill_at,
    opened,
    present,
    read_and_die,
    side_files,
    write_and_die,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def restore_into(file: Path | str, backup: Path, **options: Any) -> None:
    engine = open_engine(f"sqlite:///{file}")
    try:
        restore(engine, backup, **options)
    finally:
        engine.dispose()


def restore_and_die(file: str, source: str, number: int) -> None:
    restore_into(file, Path(source), step=kill_at(number), pages=FEW)


def killed_restores(file: Path, backup: Path, prepare: Callable[[], None], every: int) -> Iterator[int]:
    """Prepare, restore and kill the process, some steps later each time; yield the number of each killed step."""
    for number in itertools.count(1, every):
        for side in ("", *SIDE_FILES):
            Path(f"{file}{side}").unlink(missing_ok=True)
        prepare()
        code = end_of(restore_and_die, str(file), str(backup), number)
        if code == 0:
            return
        assert code == -signal.SIGKILL
        yield number


def test_a_restore_brings_back_the_backed_up_database(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    neighbour = Path(f"{file}-wal.kept")
    neighbour.write_text("of another program")
    before = backup.read_bytes()
    restore_into(file, backup)
    assert (side_files(file), neighbour.read_text()) == ([], "of another program")
    assert (backup.read_bytes(), side_files(backup)) == (before, [])
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert present(file) == OLD
    database = opened(file)
    assert sync(AFTER, database.engine).run.added == 1
    database.engine.dispose()


LEFT_BY = {"nothing": None, "a killed writer": write_and_die, "a killed reader": read_and_die}


@pytest.mark.parametrize("left_by", ["nothing", *(pytest.param(each, marks=pytest.mark.ci_slice) for each in [*LEFT_BY][1:])])
def test_a_restore_killed_at_any_step_leaves_the_old_or_the_new_database(
    backed_up: tuple[Path, Path], left_by: str, tmp_path: Path
) -> None:
    file, backup = backed_up
    shutil.copy(file, tmp_path / "kept.db")

    def prepare() -> None:
        shutil.copy(tmp_path / "kept.db", file)
        if leave := LEFT_BY[left_by]:
            assert end_of(leave, str(file)) == -signal.SIGKILL
            assert side_files(file) == ["-wal", "-shm"]

    every = 4 if left_by == "nothing" else 1
    seen = [present(file) for _ in killed_restores(file, backup, prepare, every)]
    assert (len(seen) > 7 / every, OLD in seen, NEW in seen, present(file)) == (True, True, True, OLD)
    assert all(each in (OLD, NEW) for each in seen)


REMAINS = ["nothing", "side files of a deleted database", "a file that is not a database"]


@pytest.mark.parametrize("remains", [REMAINS[0], *(pytest.param(each, marks=pytest.mark.ci_slice) for each in REMAINS[1:])])
def test_without_a_database_the_backup_becomes_the_file(backed_up: tuple[Path, Path], remains: str) -> None:
    file, backup = backed_up
    # A valid log: SQLite would apply it to any file before it, and the backup would then be neither the one nor the other.
    assert end_of(commit_and_die, str(file)) == -signal.SIGKILL
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
def test_a_restore_is_refused_while_another_process_has_the_database_open(backed_up: tuple[Path, Path], begin: str) -> None:
    file, backup = backed_up
    reading, done = PROCESSES.Event(), PROCESSES.Event()
    reader = PROCESSES.Process(target=read_and_wait, args=(str(file), begin, reading, done))
    reader.start()
    assert reading.wait(20)
    try:
        with pytest.raises(TryLater, match="has the database open"):
            restore_into(file, backup)
    finally:
        done.set()
        reader.join()
        reader.close()
    assert present(file) == NEW


def test_a_restore_is_refused_during_a_run(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    database = opened(file)
    take_lease(database.engine)
    with pytest.raises(LeaseBusy, match="A run holds the lease"):
        restore(database.engine, backup)
    database.engine.dispose()


def test_a_file_that_is_not_a_backup_is_refused_and_nothing_is_changed(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    whole, bad = backup.read_bytes(), tmp_path / "bad.db"
    for kind, content in (
        (SchemaError, b""),
        (DatabaseError, b"no database" * 1000),
        (DatabaseError, whole[: len(whole) // 2]),
        (DatabaseError, whole[:8192] + os.urandom(65536) + whole[8192 + 65536 :]),
    ):
        bad.write_bytes(content)
        with pytest.raises(kind):
            restore_into(file, bad)
    # The index of one column, declared as one of another.
    wrong_index = "UPDATE sqlite_master SET sql = replace(sql, '(tag_id)', '(template_id)') WHERE name LIKE 'ix%tags_tag_id'"
    for start, change, error in (
        (whole, "DELETE FROM templates WHERE template_id = '1'", "The backup is damaged"),  # without foreign keys
        (whole, f"PRAGMA writable_schema=1; {wrong_index}", "The backup is damaged"),
        (b"", "CREATE TABLE theirs (a)", "not a database of this program"),
        (whole, "UPDATE sync_alembic_version SET version_num = '9999'", r"\(9999\) is newer"),
    ):
        bad.write_bytes(start)
        execute(bad, change)
        with pytest.raises(DatabaseError, match=error):
            restore_into(file, bad)
    (tmp_path / "link.db").symlink_to(file)
    for strange in (tmp_path, tmp_path / "none.db", file, tmp_path / "link.db"):
        with pytest.raises(UsageError):
            restore_into(file, strange)
    assert present(file) == NEW


def execute(file: Path, statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(statements)


def test_the_next_restore_removes_the_files_of_a_killed_one_and_not_of_an_active_one(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    assert end_of(restore_and_die, str(file), str(backup), 2) == -signal.SIGKILL
    (left,) = file.parent.glob(".templates.db.*.tmp")
    seen: list[bool] = []
    restore_into(file, backup, step=lambda _name: seen.append(left.exists()))
    assert set(seen) == {False}
    assert list(file.parent.glob(".templates.db.*.tmp")) == []
    left.touch()
    with left.open("rb") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        restore_into(file, backup)
        assert left.exists()
    restore_into(file, backup)
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
def test_an_incomplete_backup_is_refused_and_the_database_stays(backed_up: tuple[Path, Path], how: str, tmp_path: Path) -> None:
    file, backup = backed_up
    bad = tmp_path / "bad.db"
    shutil.copy(backup, bad)
    execute(bad, "PRAGMA legacy_alter_table=ON;" + INCOMPLETE[how])
    refused = template_sync("db", "restore", str(bad), folder=tmp_path, variables={"DATABASE_URL": f"sqlite:///{file}"})
    assert (refused.code, "incomplete" in refused.err) == (69, True), refused.err
    assert present(file) == NEW


def test_a_damaged_database_is_not_backed_up_but_can_be_restored(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + bytes(65536) + whole[8192 + 65536 :])
    with pytest.raises(DatabaseError):
        back_up(open_engine(f"sqlite:///{file}"), backup)
    assert present(backup) == OLD
    restore_into(file, backup)
    assert present(file) == OLD


def test_a_database_of_another_program_is_not_overwritten(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    _file, backup = backed_up
    theirs = tmp_path / "theirs.db"
    execute(theirs, "CREATE TABLE theirs (a)")
    before = theirs.read_bytes()
    with pytest.raises(SchemaError, match="the database of another program"):
        restore_into(theirs, backup)
    assert theirs.read_bytes() == before


def test_a_backup_with_another_page_size_can_be_restored(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    execute(backup, "PRAGMA page_size=8192; VACUUM")
    restore_into(file, backup)
    assert present(file) == OLD


def test_a_restore_does_not_change_a_backup_that_a_killed_process_left(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    assert end_of(write_and_die, str(backup)) == -signal.SIGKILL
    before = [backup.read_bytes(), Path(f"{backup}-wal").read_bytes()]
    restore_into(file, backup)
    assert [backup.read_bytes(), Path(f"{backup}-wal").read_bytes()] == before
    assert present(file) == OLD


def test_a_link_to_the_database_remains_a_link(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    link = tmp_path / "link.db"
    link.symlink_to(file)
    file.unlink()
    Path(f"{file}-wal").write_bytes(b"left behind")
    restore_into(link, backup)
    assert (link.is_symlink(), side_files(file), present(file)) == (True, [], OLD)


def test_a_restore_checks_the_written_database(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up

    def damage(name: str) -> None:
        if name == "closed":
            file.write_bytes(file.read_bytes()[:5000] + b"x" * 20_000)

    with pytest.raises(DatabaseError, match=r"malformed|damaged"):
        restore_into(file, backup, step=damage)


def in_little_space(file: str, backup: str, doing: str, full_at: str) -> None:
    """Stand for a disk that fills up at a step: from then on no file may grow past a few pages."""

    def fill(name: str) -> None:
        if name == full_at:
            resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))

    with pytest.raises(DatabaseError):
        {"backup": back_up, "restore": restore}[doing](open_engine(f"sqlite:///{file}"), Path(backup), step=fill, pages=FEW)


@pytest.mark.parametrize(("doing", "full_at"), [("backup", "copying"), ("restore", "copying"), ("restore", "alone")])
def test_on_a_full_disk_nothing_is_changed(backed_up: tuple[Path, Path], doing: str, full_at: str) -> None:
    file, backup = backed_up
    assert end_of(in_little_space, str(file), str(backup), doing, full_at) == 0
    assert (present(file), present(backup)) == (NEW, OLD)
    assert not [*file.parent.glob(".*.tmp*"), *backup.parent.glob(".*.tmp*")]
