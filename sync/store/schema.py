"""The schema's version, and the only home of Alembic: it costs half a second to import, so only an upgrade pays for it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import SchemaError
from sync.store.engine import exists, keep_write_ahead, plain_errors, require_file, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.config import Config


HEAD = "0002"
"""The newest revision in migrations/versions; a test holds the two equal."""


VERSION_TABLE = "sync_alembic_version"
"""Not Alembic's usual name: an app may keep its own tables, and its own Alembic, in the same database."""


_REVISIONS = ("0001", "0002")


VIEWS = {"current_templates", "current_prices", "price_history", "change_feed", "sync_status"}


_ADDED_LATER = {"wire_hash", "until_run_id", "oldest_run_id", "ttl", "version"}
"""Columns that revision 0001 did not have."""


class State(Enum):
    """How the database's schema stands to this version of the program."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"


def revision(connection: sa.Connection) -> str | None:
    """Read the database's revision; None if it has none of our tables.

    Raises:
        SchemaError: the database cannot hold the catalog's texts, or has several revisions at once.
    """
    _refuse_other_encodings(connection)
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: list[str] = [*connection.scalars(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE)))]
    if len(found) > 1:
        raise SchemaError(
            f"The database has {len(found)} versions at once: {', '.join(map(str, found))}.",
            hint="Restore a backup, or delete from sync_alembic_version what the tables are not.",
        )
    return found[0] if found else None


def _refuse_other_encodings(connection: sa.Connection) -> None:
    """Refuse a PostgreSQL database that is not in UTF-8: some texts would be refused there, or kept as bytes of no encoding."""
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        encoding = driver.info.parameter_status("server_encoding")  # told at the connection's start: nothing is asked
        if encoding not in {"UTF8", None}:  # a pooler may not say
            raise SchemaError(
                f"The database's encoding is {encoding}, which cannot hold the catalog's texts.",
                hint="Create one with ENCODING 'UTF8' TEMPLATE template0, and name it in DATABASE_URL.",
            )


def state_of(found: str | None) -> State:
    """Compare a revision with HEAD."""
    if found is None:
        return State.EMPTY
    if found == HEAD:
        return State.CURRENT
    return State.BEHIND if found in _REVISIONS else State.AHEAD


def require_current(connection: sa.Connection) -> None:
    """Refuse a schema that is not this version's.

    Raises:
        SchemaError: with the command that mends it.
    """
    found = revision(connection)
    state = state_of(found)
    if state is State.EMPTY:
        raise SchemaError("The database has none of this program's tables yet.", hint="Run `template-sync db upgrade` once.")
    if state is State.BEHIND:
        raise SchemaError(f"The database's schema is {found}, this version needs {HEAD}.", hint="Run `template-sync db upgrade`.")
    if state is State.AHEAD:
        raise SchemaError(
            f"The database's schema ({found}) is newer than this version knows ({HEAD}).",
            hint="Upgrade crun-template-sync on this machine: pip install --upgrade crun-template-sync.",
        )


def prepare(engine: sa.Engine) -> None:
    """Make sure that the schema is current; an empty SQLite database is set up on the spot.

    Raises:
        SchemaError: a server's schema is not current, or a SQLite file's is behind or ahead.
    """
    if engine.dialect.name == "sqlite" and is_empty(engine):
        upgrade(engine)
    require_current_schema(engine)
    keep_write_ahead(engine)


def require_current_schema(engine: sa.Engine) -> None:
    """Refuse a database whose schema is not this version's.

    Raises:
        SchemaError: with the command that mends it.
    """
    with plain_errors(engine), engine.connect() as connection:
        require_current(connection)


def is_empty(engine: sa.Engine) -> bool:
    """Tell whether there is nothing of ours yet; a SQLite file that does not exist is not made by looking."""
    file = sqlite_file(engine)
    if file is not None and not exists(file):
        return True
    with plain_errors(engine), engine.connect() as connection:
        return state_of(revision(connection)) is State.EMPTY


def current(engine: sa.Engine) -> tuple[str | None, State]:
    """Read the database's revision and how it stands to this version."""
    require_file(engine)
    with plain_errors(engine), engine.connect() as connection:
        found = revision(connection)
    return found, state_of(found)


def upgrade(engine: sa.Engine, target: str = "head") -> None:
    """Bring the schema to a revision; safe to call from several processes at once, and again after a failure."""
    from alembic import command

    with plain_errors(engine), engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        if state_of(revision(connection)) is State.AHEAD:
            require_current(connection)
        connection.rollback()
        step = command.downgrade if _is_older(target) else command.upgrade
        step(config, target)


def refuse_foreign_tables(connection: sa.Connection) -> None:
    """Refuse to take over tables and views that merely have our names, or to go on where ours are gone.

    Only the version's row says that they are ours. On MariaDB, whose DDL is not transactional, an upgrade that was killed leaves
    tables without that row: those have our columns and, but for the two single rows that the migration makes, nothing in them.
    The caller holds the lock of migrations: another process may be half-way.

    Raises:
        SchemaError: naming them.
    """
    from sync.store.tables import metadata

    inspector = sa.inspect(connection)
    found = {name.casefold(): name for name in (*inspector.get_table_names(), *inspector.get_view_names())}
    if version := revision(connection):
        if missing := sorted(metadata.tables.keys() - found.keys()):
            raise SchemaError(
                f"The database says that its schema is {version}, but lacks the tables {', '.join(missing)}.",
                hint="Restore a backup, or start anew in an empty database.",
            )
        return
    half_made = connection.dialect.name == "mysql"
    taken = sorted((metadata.tables.keys() | VIEWS) & found.keys())
    if foreign := [found[name] for name in taken if not (half_made and _may_be_ours(connection, name))]:
        raise SchemaError(
            f"The database has tables or views of the same names that are not this program's: {', '.join(foreign)}.",
            hint="Give this program a database, or on PostgreSQL a schema, of its own.",
        )


def _may_be_ours(connection: sa.Connection, name: str) -> bool:
    from sync.store.tables import metadata

    inspector = sa.inspect(connection)
    if name in VIEWS:  # they come last
        return metadata.tables.keys() <= set(inspector.get_table_names())
    expected, columns = set(metadata.tables[name].columns.keys()), {each["name"] for each in inspector.get_columns(name)}
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0
    return expected - _ADDED_LATER <= columns <= expected and rows <= (name in {"sync_lease", "sync_state"})


def differences(engine: sa.Engine) -> Iterable[str]:
    """Name what differs between the database and this version's tables, one phrase each; empty when all is well."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sync.store.tables import metadata

    require_file(engine)
    with plain_errors(engine), engine.connect() as connection:
        require_current(connection)
        context = MigrationContext.configure(connection, opts={"include_name": only_ours, "version_table": VERSION_TABLE})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def only_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell Alembic which tables are ours: an app's own tables in the same database are none of its business."""
    from sync.store.tables import metadata

    return kind != "table" or name in metadata.tables


def _is_older(target: str) -> bool:
    return target == "base" or target.startswith("-")


def _config() -> Config:
    """Configure Alembic in code: by a connection, never by URL, because a % in a password makes ConfigParser print it."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrations() -> Path:
    """Find the migrations: beside the package in a checkout, inside it in a wheel.

    The checkout's come first: an editable install also drops a copy into the environment, which grows stale.
    """
    package = Path(__file__).parent.parent
    checkout = package.parent / "migrations"
    return checkout if (checkout / "env.py").exists() else package / "_migrations"
