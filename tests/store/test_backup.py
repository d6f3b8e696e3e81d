"""A backup while other processes write: of one moment, checked, complete or not at all."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.errors import DatabaseError, UsageError
from sync.store import schema
from sync.store.backup import back_up, native_command
from sync.store.engine import open_engine
from tests.command_line import template_sync
from tests.faults import AFTER, BEFORE, anomalies, end_of, sync
from tests.store.copies import FEW, NEW, OLD, SIDE_FILES, kill_at, present, side_files, write_and_die

if TYPE_CHECKING:
    from tests.builders import Database


def back_up_and_die(file: str, target: str, number: int) -> None:
    back_up(open_engine(f"sqlite:///{file}"), Path(target), step=kill_at(number), pages=FEW)


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


def test_a_backup_holds_one_moment(sqlite: Database, tmp_path: Path) -> None:
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


def test_files_of_a_killed_process_with_the_same_number_are_replaced(sqlite: Database, tmp_path: Path) -> None:
    sync(BEFORE, sqlite.engine)
    for side in ("", *SIDE_FILES):
        (tmp_path / f".backup.db.{os.getpid()}.tmp{side}").write_bytes(b"left behind" * 1000)
    back_up(sqlite.engine, tmp_path / "backup.db")
    assert present(tmp_path / "backup.db") == OLD
    assert not [*tmp_path.glob(".*"), *tmp_path.glob("backup.db?*")]


def test_a_copy_is_never_readable_by_more_users_than_the_database(backed_up: tuple[Path, Path]) -> None:
    file, backup = backed_up
    file.chmod(0o640)
    modes: set[str] = set()

    def note(_name: str) -> None:
        modes.update(oct(each.stat().st_mode & 0o777) for each in backup.parent.glob(".backup.db.*.tmp"))

    before = os.umask(0)
    try:
        back_up(open_engine(f"sqlite:///{file}"), backup, step=note)
    finally:
        os.umask(before)
    assert (modes, oct(backup.stat().st_mode & 0o777)) == ({"0o640"}, "0o640")


@pytest.mark.parametrize("every", [pytest.param(3, id="a few"), pytest.param(1, id="all", marks=pytest.mark.ci_slice)])
def test_a_backup_killed_at_any_step_leaves_the_last_backup_and_the_database(backed_up: tuple[Path, Path], every: int) -> None:
    file, backup = backed_up
    number = 1
    while (code := end_of(back_up_and_die, str(file), str(backup), number)) != 0:
        assert code == -signal.SIGKILL
        assert present(backup) in (OLD, NEW)
        number += every
    assert number > 5
    assert (present(file), present(backup)) == (NEW, NEW)


def test_a_backup_replaces_no_link_directory_or_database(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, backup = backed_up
    engine = open_engine(f"sqlite:///{file}")
    (tmp_path / "link.db").symlink_to(backup)
    (tmp_path / "same.db").hardlink_to(file)
    for strange in (tmp_path / "link.db", tmp_path, file, tmp_path / "same.db", Path("/dev/null"), tmp_path / ("long" * 80)):
        with pytest.raises(UsageError):
            back_up(engine, strange)
    for impossible in (tmp_path / "no such folder" / "backup.db", backup / "below a file"):
        with pytest.raises(DatabaseError):
            back_up(engine, impossible)
    engine.dispose()
    assert (present(file), present(backup)) == (NEW, OLD)


def test_the_commands_print_the_result_or_the_command_of_a_server(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, _backup = backed_up
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


@pytest.mark.parametrize(
    ("url", "backing_up", "restoring"),
    [
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
    ],
)
def test_the_command_of_a_server_is_quoted_and_has_no_password(url: str, backing_up: str, restoring: str) -> None:
    engine = open_engine(url)
    assert native_command(engine, Path("my file"), restore=False) == backing_up
    assert native_command(engine, Path("my file"), restore=True) == restoring


TOOLS = {"postgresql": ("pg_dump", "pg_restore"), "mariadb": ("mariadb-dump", "mariadb")}


@pytest.mark.parametrize("empty_database", TOOLS, indirect=True)
@pytest.mark.ci_slice
def test_the_printed_commands_back_up_and_restore_a_server(empty_database: Database, tmp_path: Path) -> None:
    for tool in TOOLS[empty_database.kind]:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    engine, file = empty_database.engine, tmp_path / "it's a backup"
    schema.upgrade(engine)
    sync(BEFORE, engine)
    before = empty_database.catalog_dump()

    def paste(command: str) -> None:
        subprocess.run(["sh", "-c", command], check=True, stdin=subprocess.DEVNULL)

    paste(native_command(engine, file, restore=False))
    assert sync(AFTER, engine).run.removed == 1
    assert empty_database.catalog_dump() != before
    engine.dispose()  # as the documentation says: an open transaction would block DROP TABLE
    paste(native_command(engine, file, restore=True))

    assert empty_database.catalog_dump() == before
    assert anomalies(empty_database) == []
    run = sync(AFTER, engine).run
    assert (run.added, run.removed) == (1, 1)
