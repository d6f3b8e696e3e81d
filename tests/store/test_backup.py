"""A copy of a SQLite database while others write, and putting it back: whole, or not at all, whenever the process is killed."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.errors import DatabaseError, LeaseBusy, SchemaError, TryLater, UsageError
from sync.store import lease as leases
from sync.store.backup import back_up, native_command, restore
from sync.store.engine import open_engine
from tests.builders import Database
from tests.command_line import template_sync
from tests.faults import AFTER, BEFORE, PROCESSES, anomalies, end_of, kill_myself, real_clock, sync

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = {"1", "2", "3", "4", "5"}, {"1", "2", "3", "4", "6"}
SIDE_FILES = ("-wal", "-shm", "-journal")
FEW = 20
"""Pages at a time: so few that these small databases take several steps."""


def opened(file: Path) -> Database:
    url = f"sqlite:///{file}"
    return Database("sqlite", url, open_engine(url))


def present(file: Path) -> set[str]:
    """Open a database as the next run would, and give what it holds; nothing in it may be wrong."""
    database = opened(file)
    assert anomalies(database) == []
    found = database.present
    database.engine.dispose()
    return found


def file_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


@pytest.fixture
def backed_up(sqlite: Database, tmp_path: Path) -> tuple[Path, Path]:
    """A database that holds AFTER, and its backup from before, which holds BEFORE."""
    sync(BEFORE, sqlite.engine)
    back_up(sqlite.engine, tmp_path / "backup.db")
    sync(AFTER, sqlite.engine)
    sqlite.engine.dispose()
    return file_of(sqlite), tmp_path / "backup.db"


def kill_at(number: int) -> Callable[[str], None]:
    steps = itertools.count(1)
    return lambda _name: kill_myself() if next(steps) == number else None


def back_up_and_die(file: str, target: str, number: int) -> None:
    back_up(open_engine(f"sqlite:///{file}"), Path(target), step=kill_at(number), pages=FEW)


def restore_and_die(file: str, source: str, number: int) -> None:
    restore(open_engine(f"sqlite:///{file}"), Path(source), step=kill_at(number), pages=FEW)


def write_and_die(file: str, mode: str = "WAL") -> None:
    """Leave a transaction half-way in `-wal` or `-journal`, and the files of a killed process beside the database."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE templates SET title = title || hex(randomblob(5000))")
    kill_myself()


def side_files(file: Path) -> list[str]:
    return [side for side in SIDE_FILES if Path(f"{file}{side}").exists()]


def test_a_backup_is_one_file_that_holds_what_the_database_held(backed_up: tuple[Path, Path]) -> None:
    _file, backup = backed_up
    assert [each.name for each in sorted(backup.parent.glob("*backup.db*"))] == ["backup.db"]
    assert present(backup) == OLD


def test_restoring_it_makes_the_database_what_it_was(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    neighbour = Path(f"{file}-wal.kept")
    neighbour.write_text("somebody else's")
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert (side_files(file), neighbour.read_text()) == ([], "somebody else's")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert present(file) == OLD
    database = opened(file)
    assert sync(AFTER, database.engine).run.added == 1
    database.engine.dispose()


def test_a_backup_while_others_write_is_whole(sqlite: Database, tmp_path: Path) -> None:
    sync(BEFORE, sqlite.engine)
    done = threading.Event()

    def write() -> None:
        for number in itertools.count():
            if done.is_set():
                return
            sync((BEFORE, AFTER)[number % 2], sqlite.engine, accept_removals=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(sqlite.engine, tmp_path / "backup.db")
            assert present(tmp_path / "backup.db") in (OLD, NEW), number
    finally:
        done.set()
        writer.join()


def test_a_backup_holds_one_moment_whatever_is_committed_while_it_is_made(sqlite: Database, tmp_path: Path) -> None:
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
def test_a_backup_after_a_killed_writer_holds_what_was_committed(backed_up: tuple[Path, Path], mode: str) -> None:
    file, backup = backed_up
    assert end_of(write_and_die, str(file), mode) == -signal.SIGKILL
    assert side_files(file) == {"WAL": ["-wal", "-shm"], "DELETE": ["-journal"]}[mode]
    back_up(open_engine(f"sqlite:///{file}"), backup)
    assert (present(backup), present(file)) == (NEW, NEW)


def test_a_copy_can_never_be_read_by_more_people_than_the_database(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    file.chmod(0o640)
    modes = set()

    def note(_name: str) -> None:
        modes.update(oct(each.stat().st_mode & 0o777) for each in backup.parent.glob(".backup.db.*.tmp"))

    before = os.umask(0)
    try:
        back_up(open_engine(f"sqlite:///{file}"), backup, step=note)
    finally:
        os.umask(before)
    assert (modes, oct(backup.stat().st_mode & 0o777)) == ({"0o640"}, "0o640")


def test_a_backup_killed_at_any_step_leaves_the_last_one_and_the_database_as_they_were(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    number = 1
    while (code := end_of(back_up_and_die, str(file), str(backup), number)) != 0:
        assert code == -signal.SIGKILL
        assert present(backup) in (OLD, NEW)
        number += 1
    assert number > 5
    assert (present(file), present(backup)) == (NEW, NEW)


@pytest.mark.parametrize("left_by", ["nobody", "a killed writer"])
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
        if left_by == "a killed writer":
            assert end_of(write_and_die, str(file)) == -signal.SIGKILL
        code = end_of(restore_and_die, str(file), str(backup), number)
        found = present(file)
        assert found in (OLD, NEW)
        seen.add(frozenset(found))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        number += 1
    assert (number > 8, found, seen) == (True, OLD, {frozenset(OLD), frozenset(NEW)})


@pytest.mark.parametrize("remains", ["nothing", "side files of a database that is gone", "a file that is no database"])
def test_where_no_database_is_left_the_backup_takes_its_place_at_any_step(backed_up: tuple[Path, Path], remains: str) -> None:
    file, backup = backed_up
    number = 1
    while True:
        file.unlink(missing_ok=True)
        if remains != "nothing":
            Path(f"{file}-wal").write_bytes(b"left behind")
            Path(f"{file}-shm").write_bytes(b"left behind")
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


@pytest.mark.parametrize("begin", ["BEGIN", "SELECT 'what is read is read; the connection stays open'"])
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
    with pytest.raises(LeaseBusy, match="A run is at work"):
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
    bad.unlink()
    with closing(sqlite3.connect(bad)) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(SchemaError, match="no database of this program"):
        restore(engine, bad)
    shutil.copy(backup, bad)
    with closing(sqlite3.connect(bad)) as newer:
        newer.execute("UPDATE sync_alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(SchemaError, match=r"\(9999\) is newer"):
        restore(engine, bad)
    for strange in (tmp_path, tmp_path / "none.db", file):
        with pytest.raises(UsageError):
            restore(engine, strange)
    engine.dispose()
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
    with pytest.raises(SchemaError, match="another program's"):
        restore(open_engine(f"sqlite:///{theirs}"), backup)
    assert theirs.read_bytes() == before


def test_a_backup_with_another_page_size_can_be_restored(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    with closing(sqlite3.connect(backup)) as other:
        other.execute("PRAGMA page_size=8192")
        other.execute("VACUUM")
    restore(open_engine(f"sqlite:///{file}"), backup)
    assert present(file) == OLD


def test_a_link_to_the_database_stays_one(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    link = tmp_path / "link.db"
    link.symlink_to(file)
    file.unlink()
    Path(f"{file}-wal").write_bytes(b"left behind")
    restore(open_engine(f"sqlite:///{link}"), backup)
    assert (link.is_symlink(), side_files(file), present(file)) == (True, [], OLD)


def in_little_space(file: str, backup: str, doing: str) -> None:
    """Stand for a full disk: no file may grow past a few pages."""
    engine = open_engine(f"sqlite:///{file}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))
    with pytest.raises(DatabaseError):
        {"backup": back_up, "restore": restore}[doing](engine, Path(backup))


@pytest.mark.parametrize("doing", ["backup", "restore"])
def test_on_a_full_disk_nothing_is_changed(backed_up: tuple[Path, Path], doing: str) -> None:
    file, backup = backed_up
    assert end_of(in_little_space, str(file), str(backup), doing) == 0
    assert (present(file), present(backup)) == (NEW, OLD)
    assert not [*file.parent.glob(".*.tmp*"), *backup.parent.glob(".*.tmp*")]


def test_a_backup_replaces_no_link_no_directory_and_not_the_database(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    engine = open_engine(f"sqlite:///{file}")
    (tmp_path / "link.db").symlink_to(backup)
    for strange in (tmp_path / "link.db", tmp_path, file, Path("/dev/null")):
        with pytest.raises(UsageError):
            back_up(engine, strange)
    for impossible in (tmp_path / "no such folder" / "backup.db", backup / "below a file", tmp_path / ("long" * 80)):
        with pytest.raises(DatabaseError):
            back_up(engine, impossible)
    engine.dispose()
    assert (present(file), present(backup)) == (NEW, OLD)


def test_on_the_command_line(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, _backup = backed_up
    variables = {"DATABASE_URL": f"sqlite:///{file}"}
    made = template_sync("db", "backup", "new.db", folder=tmp_path, variables=variables)
    assert (made.code, "The backup is new.db" in made.err) == (0, True)
    back = template_sync("db", "restore", "new.db", folder=tmp_path, variables=variables)
    assert (back.code, "The database is what new.db says" in back.err) == (0, True)
    assert present(file) == NEW
    server = {"DATABASE_URL": "postgresql://u:verysecret@h/d"}
    named = template_sync("db", "backup", "x.dump", folder=tmp_path, variables=server)
    assert (named.code, "pg_dump --format=custom --file=x.dump postgresql://u@h/d" in named.err) == (2, True)
    assert "verysecret" not in named.err


@pytest.mark.parametrize(
    ("url", "backing_up", "restoring"),
    [
        (
            "postgresql://u:verysecret@h:5433/d?sslmode=require&sslpassword=verysecret",
            "pg_dump --format=custom '--file=my file' 'postgresql://u@h:5433/d?sslmode=require'",
            "pg_restore --clean --if-exists --no-owner --single-transaction "
            "'--dbname=postgresql://u@h:5433/d?sslmode=require' 'my file'",
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
    ],
)
def test_a_servers_own_command_can_be_pasted_and_holds_no_password(url: str, backing_up: str, restoring: str) -> None:
    engine = open_engine(url)
    assert native_command(engine, Path("my file"), restore=False) == backing_up
    assert native_command(engine, Path("my file"), restore=True) == restoring
