"""Back up a SQLite database while other processes write to it, and restore a backup completely or not at all.

Files are copied only by SQLite itself: a copy without the `-wal` file is out of date, and a foreign `-wal` file corrupts it.
"""

from __future__ import annotations

import fcntl
import glob
import os
import sqlite3
import stat
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sync.config.files import SIDE_FILES
from sync.config.settings import replaceable_file
from sync.errors import DatabaseError, LeaseBusy, SchemaError, TryLater, UsageError
from sync.store import lease as leases
from sync.store.database_errors import LOCKED
from sync.store.database_url import missing_file, sqlite_file
from sync.store.engine import reading
from sync.store.migrating import parts
from sync.store.schema import VERSION_TABLE, State, state_of
from sync.store.sqlite_file import require_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    Step = Callable[[str], None]

PAGES = 1000
"""Number of pages copied in one step."""


def back_up(engine: Engine, target: Path, *, step: Step = lambda _name: None, pages: int = PAGES) -> None:
    """Write a consistent and checked copy of a SQLite database to `target`, as one file or not at all.

    `step` is called with the name of each step, so that a test can act or end the process there.

    Raises:
        UsageError: `target` is the database itself, or cannot be replaced.
        DatabaseError: the copy could not be written, or is damaged.
    """
    require_file(engine)
    database = _real_file(engine)
    with _translate_errors(target):
        try:
            replaceable_file(str(target))
        except ValueError as expected:
            raise UsageError(f"{target} is not {expected}.", hint="Name another file.") from None
        _refuse_same(target, database)
    with _temporary_copy(target, mode_of=database) as copy:
        # "rw": the next connection that may write rolls back what a killed process left incomplete.
        _copy(database, copy, step, pages, mode="rw")
        _check_copy(copy, "database", hint="Restore the last good backup with `template-sync db restore FILE`.")
        _replace_file(copy, target, step)


def restore(engine: Engine, source: Path, *, step: Step = lambda _name: None, pages: int = PAGES) -> None:
    """Replace the content of the database by a backup.

    The backup is checked before and after the restore. SQLite writes it into the database as one transaction, so that a crash
    leaves the old content or the new one. If there is no database yet, or the file is not one, the backup becomes the file.

    Raises:
        UsageError: `source` is not a file, or is the database itself.
        SchemaError: the backup or the database belongs to another program, or the backup to a newer version.
        LeaseBusy: a run is active.
        TryLater: another process has the database open.
        DatabaseError: the backup is damaged, or the database could not be written.
    """
    there = missing_file(engine) is None
    database = _real_file(engine)
    with _translate_errors(source):
        if not os.path.isfile(source):  # noqa: PTH113 - Path.is_file raises for a name that is too long
            raise UsageError(f"{source} is not a file.", hint="Use a file written by `template-sync db backup`.")
        _refuse_same(source, database)
    with _temporary_copy(database, mode_of=database if there else source) as copy:
        _copy(source, copy, step, pages, mode="ro")
        _check_copy(copy, "backup", hint="Use another one.")
        if there and _is_usable(database):
            _refuse_active_run(engine)
            _write_into(copy, database, step, pages)
        else:
            # Side files of the old database are deleted first, because SQLite would apply them to the backup.
            with _translate_errors(database):
                for side in SIDE_FILES:
                    Path(f"{database}{side}").unlink(missing_ok=True)
                    step(f"without {side}")
            _replace_file(copy, database, step)
    # "rw": a read-only connection to a database in WAL mode leaves its side files behind.
    _check_copy(database, "restored database", hint="The disk may be failing; restore to another disk.", mode="rw")


def _real_file(engine: Engine) -> Path:
    return Path(os.path.realpath(sqlite_file(engine) or ""))  # SQLite keeps its side files next to the target of a link


def _refuse_same(file: Path, database: Path) -> None:
    if file.absolute() == database or (file.exists() and database.exists() and file.samefile(database)):
        raise UsageError(f"{file} is the database itself.", hint="Name another file.")


@contextmanager
def _temporary_copy(file: Path, *, mode_of: Path) -> Iterator[Path]:
    """Create an empty temporary file beside `file`, with the mode of `mode_of` from the start; delete it at the end.

    Its owner may always write it, because backups are often read-only. Files of killed processes are deleted, too.
    """
    made = file.absolute().with_name(f".{file.name}.{os.getpid()}.tmp")
    for left in made.parent.glob(f".{glob.escape(file.name)}.*.tmp"):
        with suppress(OSError), left.open("rb") as abandoned:
            fcntl.flock(abandoned, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a running process holds it
            _remove(left)
    with ExitStack() as held:
        with _translate_errors(file):
            made.touch(0o600, exist_ok=False)
            held.callback(_remove, made)
            made.chmod(stat.S_IMODE(mode_of.stat().st_mode) | 0o600)
            # Closed last: closing a file takes all of this process's locks on it, SQLite's included.
            fcntl.flock(held.enter_context(made.open("rb")), fcntl.LOCK_EX)
        yield made


def _remove(made: Path) -> None:
    for side in ("", *SIDE_FILES):
        with suppress(OSError):
            Path(f"{made}{side}").unlink()


@contextmanager
def _translate_errors(what: Path, *, written: Path | None = None) -> Iterator[None]:
    """Translate errors, naming the file; `written` is named in its place if SQLite could not write."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        if written and getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}:
            what = written
        locked = isinstance(error, sqlite3.OperationalError) and _is_locked(error)
        hint = LOCKED if locked else "Check the file, its folder and the space on the disk."
        raise DatabaseError(f"{what}: {reason}.", hint=hint) from error


def _copy(source: Path, copy: Path, step: Step, pages: int, *, mode: str) -> None:
    translated = _translate_errors(source, written=copy.parent)  # the temporary name of the copy is of no use to an operator
    with translated, closing(_open_for_reading(source, mode)) as one, closing(_open(copy, "rw")) as other:
        one.backup(other, pages=pages, progress=lambda *_: step("copying"))
        other.execute("PRAGMA journal_mode=DELETE")  # without side files
    step("copied")


def _open_for_reading(source: Path, mode: str) -> sqlite3.Connection:
    """Open a database with a read transaction for the whole copy; otherwise each commit of another process restarts the copy.

    If a full disk has no space for `-shm`, open it in exclusive mode, which does not need that file.
    """
    for locking in ("NORMAL", "EXCLUSIVE"):
        opened = _open(source, mode)
        try:
            opened.execute(f"PRAGMA locking_mode={locking}")
            opened.execute("BEGIN")
            opened.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.Error as error:
            opened.close()
            if locking == "EXCLUSIVE" or error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}:
                raise
        else:
            break
    return opened


def _open(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(file))}?mode={mode}", uri=True, timeout=2.0, isolation_level=None)


def _check_copy(copy: Path, of: str, *, hint: str, mode: str = "ro") -> None:
    """Check that a copy is undamaged, consistent, a database of this program, and not of a newer version."""
    with _translate_errors(copy), closing(_open(copy, mode)) as opened:
        found = opened.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok" or opened.execute("PRAGMA foreign_key_check").fetchone():
            raise DatabaseError(f"The {of} is damaged ({'a foreign key' if found == 'ok' else found}).", hint=hint)
        ours = VERSION_TABLE in _names(opened)
        versions = opened.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() if ours else []  # noqa: S608 - a constant
        revision: str | None = versions[0][0] if versions else None
        state = state_of(revision)
        lacks = _missing_parts(opened, revision) if revision and state is not State.AHEAD else []
    if lacks or len(versions) > 1:
        why = f"it lacks {', '.join(lacks)}" if lacks else f"it has {len(versions)} versions at once"
        raise SchemaError(f"The {of} is incomplete: {why}; nothing was changed.", hint=hint)
    if state is State.EMPTY:
        raise SchemaError(f"The {of} is not a database of this program; nothing was changed.", hint=hint)
    if state is State.AHEAD:
        raise SchemaError(
            f"The {of}'s schema ({revision}) is newer than this version knows; nothing was changed.",
            hint="Upgrade crun-template-sync on this machine first.",
        )


def _missing_parts(opened: sqlite3.Connection, revision: str) -> list[str]:
    """Return what a database of this revision must have and this one lacks: tables, columns, views, or the two single rows."""
    tables, views = parts(revision)
    kinds = dict(opened.execute("SELECT name, type FROM sqlite_master"))
    lacks = [f"the table {name}" for name in tables if kinds.get(name) != "table"]
    lacks += [f"the view {name}" for name in views if kinds.get(name) != "view"]
    for name in tables.keys() & kinds.keys():
        found = {column for (_, column, *_) in opened.execute(f"PRAGMA table_info({name})")}
        lacks += [f"{name}.{column}" for column in tables[name] - found]
    for name in ("sync_lease", "sync_state"):
        if kinds.get(name) == "table" and opened.execute(f"SELECT count(*) FROM {name}").fetchone() != (1,):  # noqa: S608 - constants
            lacks.append(f"the row of {name}")
    return sorted(lacks)[:5]


def _names(opened: sqlite3.Connection) -> set[str]:
    return {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}


def _is_usable(database: Path) -> bool:
    """Return whether the file is a SQLite database that is empty or belongs to this program; refuse another program's."""
    try:
        with closing(_open(database, "rw")) as opened:
            names = _names(opened)
    except sqlite3.OperationalError as error:
        if _is_locked(error):
            return True
        raise DatabaseError(f"{database}: {error}.", hint="Check the write permissions of this user.") from error
    except sqlite3.DatabaseError:
        return False
    if names and VERSION_TABLE not in names:
        raise SchemaError(
            f"{database} is the database of another program; nothing was changed.",
            hint="Check DATABASE_URL, or move the file away.",
        )
    return True


def _is_locked(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}  # the upper bits give the reason


def _refuse_active_run(engine: Engine) -> None:
    with suppress(DatabaseError), reading(engine) as connection:  # an old or damaged database may have no lease
        holder = leases.current_holder(connection)
        if holder.active:
            raise LeaseBusy(f"A run holds the lease: {holder.name}; nothing was changed.", hint="Stop it, or wait until it ends.")
    engine.dispose()


def _write_into(copy: Path, database: Path, step: Step, pages: int) -> None:
    """Write a copy into a database that no other process has open, as one SQLite transaction."""
    with _translate_errors(database), closing(_open(database, "rw")) as opened:
        try:
            opened.execute("PRAGMA locking_mode=EXCLUSIVE")  # held until the connection is closed
            opened.execute("BEGIN EXCLUSIVE")
            opened.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                raise
            raise TryLater(
                "Another process has the database open; nothing was changed.",
                hint="Stop the daemon and all other readers, then retry.",
            ) from error
        step("alone")
        opened.execute("PRAGMA journal_mode=DELETE")  # in WAL mode SQLite refuses a copy with another page size
        with closing(_open(copy, "ro")) as source:
            source.backup(opened, pages=pages, progress=lambda *_: step("writing"))
        step("written")
        opened.execute("PRAGMA journal_mode=WAL")
    step("closed")


def _replace_file(copy: Path, target: Path, step: Step) -> None:
    with _translate_errors(target):
        with copy.open("rb") as written:
            os.fsync(written.fileno())
        step("flushed")
        copy.replace(target)
        step("swapped")
        folder = os.open(target.absolute().parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
