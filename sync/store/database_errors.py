"""Translate errors of SQLAlchemy and of the drivers, and retry transactions that conflicted.

Errors of the drivers are handled too, because SQLAlchemy sends some statements without translating their errors.
"""

from __future__ import annotations

import json
import random as randomness
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import exc

from sync.config.resource_limits import open_files_error
from sync.errors import DatabaseAway, DatabaseConflict, DatabaseError, SchemaError
from sync.retry_policy import RetryPolicy
from sync.store.database_url import database_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

T = TypeVar("T")

_CONFLICTS: set[str | int | None] = {
    "40001", "40P01", "55P03",  # PostgreSQL: serialization failure, deadlock, lock timeout
    1020, 1205, 1213,  # MariaDB: record changed since last read, lock timeout, deadlock
}  # fmt: skip
"""The transaction was rolled back, so all of it can be retried."""

_AWAY = {
    "25006", "57P01", "57P02", "57P03",  # PostgreSQL: read-only, shutting down, crashed, starting
    "25P03", "57P05", "08P01",  # PostgreSQL: idle session ended; connection error of a pooler
    0, 1047, 1053, 1180, 1290, 1836, 1927, 2002, 2003, 2006, 2013, 2055,  # MariaDB: no quorum, shut down, read-only, lost
}  # fmt: skip
"""The server is unreachable, stopping or read-only; another host, or a later attempt, may succeed."""

LOCKED = "Another program has locked the database; retry when it has finished."
NAME_THE_PRIMARY = "The server is a standby or read-only: set DATABASE_URL to its primary, or to all hosts (host1,host2)."
_BY_CODE: dict[str | int | None, str] = {
    **dict.fromkeys(_CONFLICTS, "A transaction of another program or node conflicted or holds a lock; the next run retries."),
    **dict.fromkeys(("25006", 1290, 1836), NAME_THE_PRIMARY),
    **dict.fromkeys(("42501", 1142, 1143, 1370), "Grant this user the rights that docs/database.md lists."),
    1047: "This node has lost quorum: retry, list all nodes in DATABASE_URL, or repair the cluster.",
}
_HINTS_BY_TEXT = {
    ("session is read-only",): NAME_THE_PRIMARY,
    ("readonly", "unable to open"): "Check the write permissions of this user, and that the directory exists.",
    ("full", "disk i/o error"): "Free disk space, or check the disk; nothing was lost, and the next run continues.",
    ("lock",): LOCKED,
}


@contextmanager
def translate_errors(engine: sa.Engine) -> Iterator[None]:
    """Translate the errors of the database into an error of this program, as `classify` does, with one sentence.

    If the server is unreachable, all pooled connections are closed: one to a demoted primary would pass every ping.

    Raises:
        DatabaseError: the database failed; DatabaseAway or DatabaseConflict if that is temporary.
        SchemaError: the row of sync_lease or sync_state is missing.
    """
    try:
        yield
    except exc.NoResultFound as error:
        raise SchemaError(
            "A required row is missing from sync_lease or sync_state.",
            hint="Restore a backup, or insert the row as described in docs/database.md.",
        ) from error
    except json.JSONDecodeError as error:
        raise DatabaseError(
            "The database contains invalid JSON, possibly in template_versions.", hint="Restore a backup; nothing was applied."
        ) from error
    except (exc.SQLAlchemyError, cast("type[Exception]", engine.dialect.loaded_dbapi.Error)) as error:
        original = _original(error)
        lines = str(original.args[-1] if original.args else original).strip().splitlines()
        reason = lines[0] if lines else type(original).__name__
        kind = classify(error)
        if kind is DatabaseAway and "hosts" in engine.get_execution_options():  # not the engine of an app
            engine.dispose()
        raise kind(
            f"Database error ({database_name(engine)}): {reason}.".replace("..", "."), hint=_hint(engine, original)
        ) from error


def classify(error: BaseException) -> type[DatabaseError]:
    """Return the class of an error of SQLAlchemy or of a driver."""
    original = _original(error)
    code = code_of(original)
    if code in _CONFLICTS:
        return DatabaseConflict
    # psycopg gives no code if a connection fails or breaks.
    nameless = code is None and type(original).__module__.startswith("psycopg") and type(original).__name__ == "OperationalError"
    return DatabaseAway if code in _AWAY or nameless else DatabaseError


def code_of(original: Any) -> str | int | None:
    """Return PostgreSQL's SQLSTATE or MariaDB's error number; None if there is none."""
    if type(original).__module__.startswith("pymysql"):  # its SQLSTATE is less specific
        return original.args[0] if original.args and isinstance(original.args[0], int) else None
    found: str | None = getattr(original, "sqlstate", None)
    return found


def _original(error: BaseException) -> Any:
    return getattr(error, "orig", None) or error


def _hint(engine: sa.Engine, original: Any) -> str:
    text, code = str(original).lower(), code_of(original)
    if "too many open files" in text or open_files_error():  # SQLite does not report it
        return "This process has reached its limit of open files: raise it (`ulimit -n`, LimitNOFILE=) or stop other programs."
    if code in _BY_CODE:
        return _BY_CODE[code]
    if engine.url.query.get("mode") == "ro" and "readonly" in text:
        return "DATABASE_URL says mode=ro: leave it out where the database is to be written."
    for words, hint in _HINTS_BY_TEXT.items():
        if any(word in text for word in words):
            return hint
    if engine.dialect.name == "sqlite":
        return "Check DATABASE_URL and the file."
    return "Check DATABASE_URL and that the server runs; `template-sync doctor` tests each step."


CONFLICTS = RetryPolicy(waits=(0.05, 0.1, 0.15, 0.2), attempts=5, jitter=(0.0, 1.0))
"""Retries of a transaction after a conflict. If three hosts of a Galera cluster keep acquiring the lease, one attempt in three
conflicts; with these random waits nearly all succeed by the third attempt.
"""
RECONNECT = RetryPolicy(waits=(0.1, 1.0, 3.0, 5.0), attempts=27)
"""Retries while a server is unreachable, for two minutes in all: a failover takes 30 to 120 s."""
_LONGEST = 60.0
"""Seconds; a conflict may be a lock timeout, which takes half a minute each time."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry a transaction that conflicted, as a whole, because what it read is out of date.

    `random` returns a number from 0 to 1, so that conflicting transactions retry at different times; all times are in seconds.
    """

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = randomness.random
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, work: Callable[[], T]) -> T:
        """Run a transaction, from BEGIN to COMMIT, until it succeeds or the attempts are used up.

        Raises:
            DatabaseConflict: every attempt conflicted.
        """
        ends = self.monotonic() + _LONGEST
        for wait in CONFLICTS.all_waits(self.random):
            try:
                return work()
            except DatabaseConflict:
                if self.monotonic() > ends:
                    raise
                self.sleep(wait)
        return work()

    def while_away(self, read: Callable[[], T]) -> T:
        """Run a transaction that only reads until it succeeds, for up to two minutes after its first failure."""
        waits = self.reconnect_waits()
        while True:
            try:
                return read()
            except (DatabaseAway, DatabaseConflict):
                if (wait := next(waits, None)) is None:
                    raise
            self.sleep(wait)

    def reconnect_waits(self) -> Iterator[float]:
        """Yield the waits of `RECONNECT` until their total has passed since the first; an attempt may itself take a timeout."""
        waits = RECONNECT.all_waits(self.random)
        ends = self.monotonic() + sum(waits)
        for wait in waits:
            if self.monotonic() > ends:
                return
            yield wait
