"""Copy a SQLite database while others write to it, and put a copy back whole or not at all.

Files are never copied behind SQLite's back. What a killed process left in `-wal` belongs to the database beside which it lies: a
copy without it is old, and another database beside it is malformed.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sa

from sync.errors import DatabaseError, LeaseBusy, SchemaError, UsageError
from sync.store import lease as leases
from sync.store.engine import exists, reading, require_file, sqlite_file
from sync.store.schema import VERSION_TABLE, State, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    Step = Callable[[str], None]

_PAGES = 1000
"""Copied at a time; between two of them a writer may go on, and then the copy begins anew."""
_BUSY_SECONDS = 2.0
_SIDE_FILES = ("-wal", "-shm", "-journal")


def native_command(engine: Engine, file: Path, *, restore: bool) -> str:
    """Write the command by which a server's own tools do this; its password is left out."""
    url = engine.url
    if engine.dialect.name == "postgresql":
        where = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()
        if restore:
            return f"pg_restore --clean --if-exists --single-transaction --dbname={where} {file}"
        return f"pg_dump --format=custom --file={file} {where}"
    options = f"--host={url.host or 'localhost'} --port={url.port or 3306} --user={url.username or 'root'} {url.database}"
    return f"mariadb {options} < {file}" if restore else f"mariadb-dump --single-transaction {options} > {file}"


def back_up(engine: Engine, target: Path, *, step: Step = lambda _name: None) -> None:
    """Write a consistent copy, checked, in place of `target`: as one file, or not at all.

    Args:
        engine: a SQLite database; others may write to it meanwhile.
        target: a regular file, or a name that is still free.
        step: told of each step; a test ends the process there.

    Raises:
        UsageError: `target` is the database itself, or nothing that can be replaced.
        DatabaseError: the copy could not be made, or is not good.
    """
    database = _file_of(engine)
    require_file(engine)
    _refuse_odd_target(target, database)
    with _beside(target) as copy:
        _copy(database, copy, step)
        step("copied")
        _refuse_bad(copy)
        copy.chmod(stat.S_IMODE(database.stat().st_mode))
        _swap_in(copy, target, step)


def restore(engine: Engine, source: Path, *, step: Step = lambda _name: None) -> None:
    """Make the database what a backup says.

    It is checked before anything is touched. Then SQLite itself writes it into the database, as one transaction: whatever ends
    the process, what is opened next is the old one or the new one. Only where there is no database, or a file that is none,
    the backup takes its place under its name.

    Args:
        engine: a SQLite database, which nobody may have open.
        source: the backup.
        step: told of each step; a test ends the process there.

    Raises:
        UsageError: `source` is no file, or the database itself.
        SchemaError: it is none of this program's, or a newer version's.
        LeaseBusy: somebody has the database open.
        DatabaseError: it is damaged, or could not be written.
    """
    database = _file_of(engine)
    if not source.is_file():
        raise UsageError(f"{source} is no file.", hint="Name one that `template-sync db backup` wrote.")
    _refuse_odd_target(source, database)
    with _beside(database) as copy:
        _copy(source, copy, step)
        step("copied")
        _refuse_bad(copy)
        if exists(database) and _is_database(database):
            _refuse_lease(engine)
            _write_into(copy, database, step)
        else:
            for side in _SIDE_FILES:  # what lies there belonged to another file
                Path(f"{database}{side}").unlink(missing_ok=True)
                step(f"without {side}")
            _swap_in(copy, database, step)


def _file_of(engine: Engine) -> Path:
    file = sqlite_file(engine)
    assert file is not None  # noqa: S101 - a server's own tools are named before this is called
    return file.absolute()


def _refuse_odd_target(target: Path, database: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise UsageError(f"{target} is a link, a device or a directory.", hint="Name a regular file, or a free name.")
    if target.absolute() == database or (target.exists() and database.exists() and target.samefile(database)):
        raise UsageError(f"{target} is the database itself.", hint="Name another file.")


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """Give the name of a file beside another one, on the same disk; what is left of it goes at the end."""
    made = file.absolute().with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        yield made
    finally:
        for side in ("", *_SIDE_FILES):
            Path(f"{made}{side}").unlink(missing_ok=True)


@contextmanager
def _plain(what: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(f"{what}: {error}.", hint="Check the file, its folder and the space on the disk.") from error


def _copy(source: Path, copy: Path, step: Step) -> None:
    with _plain(source), closing(_open(source, "ro")) as one, closing(_open(copy, "rwc")) as other:
        one.backup(other, pages=_PAGES, progress=lambda *_: step("copying"))
        other.execute("PRAGMA journal_mode=DELETE")  # one file, without another beside it


def _open(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)


def _refuse_bad(copy: Path) -> None:
    """Check a copy: whole, consistent, ours, and of a version that this program can use or upgrade."""
    with _plain(copy), closing(_open(copy, "ro")) as opened:
        if (
            opened.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
            or opened.execute("PRAGMA foreign_key_check").fetchall()
        ):
            raise DatabaseError("The copy is damaged; nothing was changed.", hint="Take another backup.")
        has_version = opened.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()
        found = opened.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() if has_version else None  # noqa: S608 - our name
    revision = found[0] if found else None
    state = state_of(revision)
    if state is State.EMPTY:
        raise SchemaError("This is no database of this program; nothing was changed.", hint="Name another file.")
    if state is State.AHEAD:
        raise SchemaError(
            f"The backup's schema ({revision}) is newer than this version knows; nothing was changed.",
            hint="Upgrade crun-template-sync on this machine first.",
        )


def _is_database(file: Path) -> bool:
    try:
        with closing(_open(file, "ro")) as opened:
            return bool(opened.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone())
    except sqlite3.OperationalError:  # it is held: then it is one
        return True
    except sqlite3.DatabaseError:
        return False


def _refuse_lease(engine: Engine) -> None:
    with suppress(DatabaseError), reading(engine) as connection:  # an old or damaged one has none to look at
        holder = leases.look(connection)
        if holder.active:
            raise LeaseBusy(f"A run is at work: {holder.name}; nothing was changed.", hint="Stop it, or wait for it.")
    engine.dispose()


def _write_into(copy: Path, database: Path, step: Step) -> None:
    """Write a copy into a database that nobody else has open, as one transaction of SQLite's own."""
    with closing(_open(database, "rw")) as opened:
        try:
            opened.execute("PRAGMA locking_mode=EXCLUSIVE")  # kept until the connection ends
            opened.execute("BEGIN EXCLUSIVE")
            opened.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise LeaseBusy(
                f"Somebody has the database open ({error}); nothing was changed.",
                hint="Stop the daemon and whatever else reads it, then try again.",
            ) from error
        step("alone")
        with _plain(database), closing(_open(copy, "ro")) as source:
            source.backup(opened, pages=_PAGES, progress=lambda *_: step("writing"))
    step("written")


def _swap_in(copy: Path, target: Path, step: Step) -> None:
    with _plain(target):
        with copy.open("rb") as written:
            os.fsync(written.fileno())
        step("flushed")
        copy.replace(target)
        step("swapped")
        folder = os.open(target.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
