"""The schema version, and the only user of Alembic, which takes 0.5 s to import and is imported for upgrades only."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import DatabaseError, SchemaAhead, SchemaError
from sync.store.database_errors import code_of, translate_errors
from sync.store.database_url import missing_file
from sync.store.engine import reading
from sync.store.sqlite_file import create_file, enable_wal, require_file
from sync.store.tables import VIEWS, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from alembic.config import Config

    from sync.store.engine import Source

HEAD = "0009"
"""The newest revision in migrations/versions; a test compares the two."""

_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")

VERSION_TABLE = "sync_alembic_version"
"""Not Alembic's default name, because an app may use Alembic in the same database."""


class State(Enum):
    """The relation of the database's schema to this version."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"


def revision(connection: sa.Connection) -> str | None:
    """Return the revision of the database; None if it has no tables of this program.

    Raises:
        SchemaError: the encoding of the database is not UTF-8, or it has several revisions.
    """
    _refuse_other_encodings(connection)
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        _refuse_empty_search_path(connection)
        return None
    found: list[str] = [*connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalars()]  # noqa: S608
    if len(found) > 1:
        raise SchemaError(
            f"sync_alembic_version has {len(found)} versions instead of one: {', '.join(map(str, found))}.",
            hint="Restore a backup, or delete the wrong versions from sync_alembic_version.",
        )
    return found[0] if found else None


def _refuse_empty_search_path(connection: sa.Connection) -> None:
    """Refuse a PostgreSQL session that finds no table, as another client of a pooler left it: an upgrade would not help."""
    if connection.dialect.name == "postgresql" and connection.exec_driver_sql("SELECT current_schema()").scalar() is None:
        raise SchemaError(
            "The search_path of this PostgreSQL session names no schema that this user may use, so its tables cannot be found.",
            hint="Have the pooler reset it (server_reset_query = DISCARD ALL), or set it with ALTER ROLE ... SET search_path.",
        )


def _refuse_other_encodings(connection: sa.Connection) -> None:
    """Refuse a PostgreSQL database that is not in UTF-8, which cannot store all texts."""
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        encoding = driver.info.parameter_status("server_encoding")  # known since the connection was opened; no query
        if encoding not in {"UTF8", None}:  # a pooler may not report it
            raise SchemaError(
                f"The database's encoding is {encoding}, which cannot hold the catalog's texts.",
                hint="Create a database with ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to it.",
            )


def state_of(found: str | None) -> State:
    """Compare a revision with HEAD."""
    if found is None:
        return State.EMPTY
    if found == HEAD:
        return State.CURRENT
    return State.BEHIND if found in _REVISIONS else State.AHEAD


def require_current(connection: sa.Connection) -> None:
    """Refuse a schema that is not current, with SchemaError, or with SchemaAhead if the program must be upgraded."""
    found = revision(connection)
    state = state_of(found)
    if state is State.EMPTY:
        raise SchemaError("The database has none of this program's tables yet.", hint="Run `template-sync db upgrade` once.")
    if state is State.BEHIND:
        raise SchemaError(f"The database's schema is {found}, this version needs {HEAD}.", hint="Run `template-sync db upgrade`.")
    if state is State.AHEAD:
        raise SchemaAhead(
            f"The database's schema ({found}) is newer than this version knows ({HEAD}).",
            hint="Upgrade this program on this machine to the version that upgraded the database.",
        )


def prepare(engine: sa.Engine) -> None:
    """Check that the schema is current; create it in an empty SQLite database, and enable WAL.

    Raises:
        SchemaError: the schema is behind or ahead, or a server has none.
    """
    if engine.dialect.name == "sqlite" and is_empty(engine):
        upgrade(engine)
    require_current_schema(engine)
    enable_wal(engine)


@contextmanager
def reading_current(source: Source) -> Iterator[sa.Connection]:
    """Open a transaction with one snapshot, as `reading` does, and refuse a schema that is not current."""
    with reading(source) as connection:
        require_current(connection)
        yield connection


def require_current_schema(engine: sa.Engine) -> None:
    """Do what `require_current` does, and refuse a SQLite file that does not exist."""
    with reading_current(engine):
        pass


def is_empty(engine: sa.Engine) -> bool:
    """Return whether the database has no tables of this program, without creating a SQLite file."""
    return missing_file(engine) is not None or current(engine)[1] is State.EMPTY


def current(engine: sa.Engine) -> tuple[str | None, State]:
    """Return the revision of the database and its relation to this version."""
    require_file(engine)
    return _current(engine)


def _current(engine: sa.Engine) -> tuple[str | None, State]:
    with translate_errors(engine), engine.connect() as connection:
        found = revision(connection)
    return found, state_of(found)


def upgrade(engine: sa.Engine, target: str = "head", *, waiting: Callable[[str], None] = lambda _holder: None) -> None:
    """Upgrade the schema to a revision; several processes may call it at once, and again after a failure.

    An active run is waited for, and its name passed to `waiting`. On a Galera cluster the upgrade of another node can cancel this
    one before it has the lock, so it is retried.
    """
    create_file(engine)
    for retries_left in range(10, -1, -1):
        try:
            _upgrade(engine, target, waiting)
        except DatabaseError as error:
            code = code_of(getattr(error.__cause__, "orig", None))
            if engine.dialect.name != "mysql" or code not in _CONCURRENT_DDL or not retries_left:
                raise
            time.sleep(random.uniform(1, 3))  # noqa: S311 - jitter
        else:
            return


_CONCURRENT_DDL = {1213, 1684}
"""MariaDB: another node altered a table meanwhile."""


def _upgrade(engine: sa.Engine, target: str, waiting: Callable[[str], None]) -> None:
    from alembic import command

    from sync.store.upgrade_lease import hold_lease_for_upgrade

    is_downgrade = target == "base" or target.startswith("-")

    def needed() -> bool:
        state = _current(engine)[1]  # without a file, SQLite's error names the reason why it could not be created
        return state is State.BEHIND or (state is State.CURRENT and is_downgrade)

    with hold_lease_for_upgrade(engine, needed=needed, waiting=waiting), translate_errors(engine), engine.connect() as connection:
        if state_of(revision(connection)) is State.AHEAD:
            require_current(connection)
        connection.rollback()
        config = _config()
        config.attributes["connection"] = connection
        step = command.downgrade if is_downgrade else command.upgrade
        step(config, target)


def _config() -> Config:
    """Configure Alembic in code with a connection, because ConfigParser would print a password with a % from a URL."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrations() -> Path:
    """Return the folder of the migrations: next to the package in a checkout, inside it in a wheel.

    The checkout has precedence, because an editable install also copies an old version into the environment.
    """
    package = Path(__file__).parent.parent
    checkout = package.parent / "migrations"
    return checkout if (checkout / "env.py").exists() else package / "_migrations"


def differences(engine: sa.Engine) -> Iterable[str]:
    """Return the differences between the database and the tables and views of this version, one phrase each."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    require_file(engine)
    with translate_errors(engine), engine.connect() as connection:
        require_current(connection)
        context = MigrationContext.configure(connection, opts={"include_name": is_own_table, "version_table": VERSION_TABLE})
        # A run is not affected by an additional index, unless it is unique; upgrades keep it.
        compared = [
            str(each) for each in compare_metadata(context, metadata) if not (each[0] == "remove_index" and not each[1].unique)
        ]
        # Views and rows can be read only if the tables are there.
        return compared or [*_differing_views(connection), *_differing_single_rows(connection)]


def _differing_views(connection: sa.Connection) -> Iterator[str]:
    """Alembic does not compare views."""
    there = {*sa.inspect(connection).get_view_names()}
    for name, columns in VIEWS.items():
        if name not in there:
            yield f"The view {name} is missing."
            continue
        try:
            found = {*connection.execute(sa.select(sa.text("*")).select_from(sa.table(name)).limit(0)).keys()}
        except sa.exc.OperationalError as error:  # SQLite, MariaDB; PostgreSQL drops no table that a view selects from
            if error.connection_invalidated:
                raise
            yield f"The view {name} cannot be read: {error.orig}."
            continue
        if missing := [column for column in columns if column not in found]:
            yield f"The view {name} lacks columns: {', '.join(missing)}."


def _differing_single_rows(connection: sa.Connection) -> Iterator[str]:
    for name in ("sync_lease", "sync_state"):
        rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name)))
        if rows != 1:
            yield f"{name} has {rows} rows instead of one; docs/database.md describes how to insert it."


def is_own_table(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether Alembic compares a table: tables of an app in the same database are ignored."""
    return kind != "table" or name in metadata.tables
