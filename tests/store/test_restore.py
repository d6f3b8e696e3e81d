"""Putting a backup back: whole or not at all, whenever the process is killed, and never over what somebody else has."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.errors import DatabaseError, LeaseBusy, SchemaError, TryLater, UsageError
from sync.store import lease as leases
from sync.store.backup import back_up, restore
from sync.store.engine import open_engine
from sync.store.tables import VIEWS, metadata
from tests.command_line import template_sync
from tests.faults import AFTER, PROCESSES, end_of, real_clock, sync
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


def restore_and_die(file: str, source: str, number: int) -> None:
    restore(open_engine(f"sqlite:///{file}"), Path(source), step=kill_at(number), pages=FEW)


def test_restoring_it_makes_the_database_what_it_was(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    neighbour = Path(f"{file}-wal.kept")
    neighbour.write_text("somebody else's")
    before = backup.read_bytes()
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert (side_files(file), neighbour.read_text()) == ([], "somebody else's")
    assert (backup.read_bytes(), side_files(backup)) == (before, [])
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert present(file) == OLD
    database = opened(file)
    assert sync(AFTER, database.engine).run.added == 1
    database.engine.dispose()


LEFT_BY = {"a killed writer": write_and_die, "a killed reader": read_and_die}


@pytest.mark.parametrize("left_by", ["nobody", *(pytest.param(each, marks=pytest.mark.ci_slice) for each in LEFT_BY)])
def test_a_restore_killed_at_any_step_leaves_the_old_database_or_the_new_one(
    backed_up: tuple[Path, Path], left_by: str, tmp_path: Path
) -> None:
    file, backup = backed_up
    kept = tmp_path / "kept.db"
    shutil.copy(file, kept)
    number, seen = 1, set()
    while True:
        for side in ("", *SIDE_FILES):
            Path(f"{file}{side}").unlink(missing_ok=True)
        shutil.copy(kept, file)
        if left_by in LEFT_BY:
            assert end_of(LEFT_BY[left_by], str(file)) == -signal.SIGKILL
            assert side_files(file) == ["-wal", "-shm"]
        code = end_of(restore_and_die, str(file), str(backup), number)
        found = present(file)
        assert found in (OLD, NEW)
        seen.add(frozenset(found))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        number += 1
    assert (number > 8, found, seen) == (True, OLD, {frozenset(OLD), frozenset(NEW)})


@pytest.mark.parametrize(
    "remains",
    [
        "nothing",
        *(
            pytest.param(each, marks=pytest.mark.ci_slice)
            for each in ("side files of a database that is gone", "a file that is no database")
        ),
    ],
)
def test_where_no_database_is_left_the_backup_takes_its_place_at_any_step(backed_up: tuple[Path, Path], remains: str) -> None:
    file, backup = backed_up
    # Good enough to be applied to whatever stands before it: with it the backup would hold neither the one nor the other.
    assert end_of(commit_and_die, str(file)) == -signal.SIGKILL
    left = {side: Path(f"{file}{side}").read_bytes() for side in ("-wal", "-shm")}
    number = 1
    while True:
        file.unlink(missing_ok=True)
        for side in SIDE_FILES:
            Path(f"{file}{side}").unlink(missing_ok=True)
        if remains != "nothing":
            for side, content in left.items():
                Path(f"{file}{side}").write_bytes(content)
        if remains == "a file that is no database":
            file.write_bytes(b"no database" * 1000)
        code = end_of(restore_and_die, str(file), str(backup), number)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert not file.exists() or file.read_bytes().startswith(b"no database") or present(file) == OLD
        number += 1
    assert (number > 4, present(file)) == (True, OLD)


def read_and_wait(file: str, begin: str, reading: object, done: object) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(begin)
    connection.execute("SELECT count(*) FROM templates").fetchone()
    reading.set()  # type: ignore[attr-defined]  # an Event
    done.wait()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "begin", ["BEGIN", pytest.param("SELECT 'what is read is read; the connection stays open'", marks=pytest.mark.ci_slice)]
)
def test_it_is_refused_while_anybody_has_the_database_open(backed_up: tuple[Path, Path], begin: str) -> None:
    file, backup = backed_up
    reading, done = PROCESSES.Event(), PROCESSES.Event()
    reader = PROCESSES.Process(target=read_and_wait, args=(str(file), begin, reading, done))
    reader.start()
    assert reading.wait(20)
    try:
        with pytest.raises(TryLater, match="has the database open"):
            restore(open_engine(f"sqlite:///{file}"), backup)
    finally:
        done.set()
        reader.join()
        reader.close()
    assert present(file) == NEW


def test_it_is_refused_while_a_run_is_at_work(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    database = opened(file)
    leases.acquire(database.engine, trigger="run", ttl=60, now=real_clock())
    with pytest.raises(LeaseBusy, match="A run holds the lease"):
        restore(database.engine, backup)
    database.engine.dispose()


def test_what_is_no_backup_is_refused_and_nothing_is_changed(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    engine = open_engine(f"sqlite:///{file}")
    whole = backup.read_bytes()
    bad = tmp_path / "bad.db"

    def refused(kind: type[Exception], content: bytes) -> None:
        bad.write_bytes(content)
        with pytest.raises(kind):
            restore(engine, bad)

    refused(SchemaError, b"")
    refused(DatabaseError, b"no database" * 1000)
    refused(DatabaseError, whole[: len(whole) // 2])
    refused(DatabaseError, whole[:8192] + os.urandom(65536) + whole[8192 + 65536 :])

    def spoilt(how: str) -> None:
        shutil.copy(backup, bad)
        with closing(sqlite3.connect(bad, isolation_level=None)) as connection:
            connection.executescript(how)
        with pytest.raises(DatabaseError, match="The backup is damaged"):
            restore(engine, bad)

    spoilt("DELETE FROM templates WHERE template_id = '1'")  # by somebody who does not keep foreign keys
    spoilt(  # the index of one column, said to be of another
        "PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = replace(sql, '(tag_id)', '(template_id)') "
        "WHERE name = 'ix_template_tags_tag_id'"
    )
    bad.unlink()
    with closing(sqlite3.connect(bad)) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(SchemaError, match="not a database of this program"):
        restore(engine, bad)
    shutil.copy(backup, bad)
    with closing(sqlite3.connect(bad)) as newer:
        newer.execute("UPDATE sync_alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(SchemaError, match=r"\(9999\) is newer"):
        restore(engine, bad)
    (tmp_path / "link.db").symlink_to(file)
    for strange in (tmp_path, tmp_path / "none.db", file, tmp_path / "link.db"):
        with pytest.raises(UsageError):
            restore(engine, strange)
    engine.dispose()
    assert present(file) == NEW


def test_what_a_killed_restore_left_is_removed_by_the_next_one_and_what_one_at_work_has_is_not(
    backed_up: tuple[Path, Path],
) -> None:
    file, backup = backed_up
    assert end_of(restore_and_die, str(file), str(backup), 2) == -signal.SIGKILL
    (left,) = file.parent.glob(".templates.db.*.tmp")
    seen: list[bool] = []
    restore(open_engine(f"sqlite:///{file}"), backup, step=lambda _name: seen.append(left.exists()))
    assert seen
    assert not any(seen)
    assert list(file.parent.glob(".templates.db.*.tmp")) == []
    left.touch()
    with left.open("rb") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        restore(open_engine(f"sqlite:///{file}"), backup)
        assert left.exists()
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert not left.exists()


INCOMPLETE = {
    "only the version": "; ".join(f"DROP VIEW {view}" for view in sorted(VIEWS))
    + "; "
    + "; ".join(f"DROP TABLE {table.name}" for table in reversed(metadata.sorted_tables)),
    "two versions": "INSERT INTO sync_alembic_version VALUES ('0006')",
    "a view in the place of a table": "ALTER TABLE price_changes RENAME TO kept; CREATE VIEW price_changes AS SELECT * FROM kept",
    "a table in the place of a view": "DROP VIEW sync_status; CREATE TABLE sync_status (a)",
    "without a view": "DROP VIEW current_prices",
    "without a column": "ALTER TABLE sync_runs DROP COLUMN version",
    "without the lease's row": "DELETE FROM sync_lease",
    "without what runs remember": "DELETE FROM sync_state",
}


@pytest.mark.parametrize("how", INCOMPLETE)
def test_an_incomplete_backup_is_refused_and_the_database_stays(backed_up: tuple[Path, Path], how: str, tmp_path: Path) -> None:
    file, backup = backed_up
    bad = tmp_path / "bad.db"
    shutil.copy(backup, bad)
    with closing(sqlite3.connect(bad, isolation_level=None)) as connection:
        connection.executescript("PRAGMA legacy_alter_table=ON;" + INCOMPLETE[how])
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
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert present(file) == OLD


def test_another_programs_database_is_not_restored_over(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    _file, backup = backed_up
    theirs = tmp_path / "theirs.db"
    with closing(sqlite3.connect(theirs)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = theirs.read_bytes()
    with pytest.raises(SchemaError, match="the database of another program"):
        restore(open_engine(f"sqlite:///{theirs}"), backup)
    assert theirs.read_bytes() == before


def test_a_backup_with_another_page_size_can_be_restored(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    with closing(sqlite3.connect(backup)) as other:
        other.execute("PRAGMA page_size=8192")
        other.execute("VACUUM")
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert present(file) == OLD


def test_nothing_is_changed_in_the_backup_even_if_it_is_the_file_of_a_killed_process(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    assert end_of(write_and_die, str(backup)) == -signal.SIGKILL
    before = [backup.read_bytes(), Path(f"{backup}-wal").read_bytes()]
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert [backup.read_bytes(), Path(f"{backup}-wal").read_bytes()] == before
    assert present(file) == OLD


def test_a_link_to_the_database_stays_one(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    link = tmp_path / "link.db"
    link.symlink_to(file)
    file.unlink()
    Path(f"{file}-wal").write_bytes(b"left behind")
    restore(open_engine(f"sqlite:///{link}"), backup)
    assert (link.is_symlink(), side_files(file), present(file)) == (True, [], OLD)


def test_what_the_disk_made_of_a_restore_is_looked_at_before_it_is_called_done(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up

    def damage(name: str) -> None:
        if name == "closed":
            file.write_bytes(file.read_bytes()[:5000] + b"x" * 20_000)

    with pytest.raises(DatabaseError, match=r"malformed|damaged"):
        restore(open_engine(f"sqlite:///{file}"), backup, step=damage)


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
