"""The schema's version, and the only home of Alembic: it costs half a second to import, so only an upgrade pays for it."""

from __future__ import annotations

import random
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import DatabaseError, SchemaAhead, SchemaError
from sync.store.database_errors import code_of, translate_errors
from sync.store.sqlite_wal import enable_wal, exists, require_file, sqlite_file
from sync.store.tables import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alembic.config import Config


HEAD = "0007"
"""The newest revision in migrations/versions; a test holds the two equal."""


VERSION_TABLE = "sync_alembic_version"
"""Not Alembic's usual name: an app may keep its own tables, and its own Alembic, in the same database."""


_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")


_ADDED_LATER = {
    "wire_hash", "until_run_id", "oldest_run_id", "ttl", "version",
    "document_hash", "breaking", "cursor", "feed_epoch", "last_cursor", "pruned_cursor",
    "token", "turn", "unconfirmed", "since_at", "unreconciled_since",
}  # fmt: skip
"""Columns that revision 0001 did not have."""
_DROPPED = {"fingerprint", "wire_fields", "absent_fields", "next_run_at"}
"""Columns that revision 0001 had and the newest one does not."""


_SINCE = {
    "price_changes": "0003",
    "current_tags": "0004",
    "picker": "0004",
    "webhook_endpoints": "0005",
    "planned_runs": "0006",
    "unconfirmed_removals": "0007",
}
"""Tables and views that revision 0001 did not have, and which one brought them."""


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
        SchemaError: with the command that mends it; SchemaAhead where that is an upgrade of the program.
    """
    found = revision(connection)
    state = state_of(found)
    if state is State.EMPTY:
        raise SchemaError("The database has none of this program's tables yet.", hint="Run `template-sync db upgrade` once.")
    if state is State.BEHIND:
        raise SchemaError(f"The database's schema is {found}, this version needs {HEAD}.", hint="Run `template-sync db upgrade`.")
    if state is State.AHEAD:
        raise SchemaAhead(
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
    enable_wal(engine)


def require_current_schema(engine: sa.Engine) -> None:
    """Refuse a database whose schema is not this version's.

    Raises:
        SchemaError: with the command that mends it; a SQLite file that does not exist is not made by looking.
    """
    require_file(engine)
    with translate_errors(engine), engine.connect() as connection:
        require_current(connection)


def is_empty(engine: sa.Engine) -> bool:
    """Tell whether there is nothing of ours yet; a SQLite file that does not exist is not made by looking."""
    file = sqlite_file(engine)
    if file is not None and not exists(file):
        return True
    with translate_errors(engine), engine.connect() as connection:
        return state_of(revision(connection)) is State.EMPTY


def current(engine: sa.Engine) -> tuple[str | None, State]:
    """Read the database's revision and how it stands to this version."""
    require_file(engine)
    with translate_errors(engine), engine.connect() as connection:
        found = revision(connection)
    return found, state_of(found)


def upgrade(engine: sa.Engine, target: str = "head", *, waiting: Callable[[str], None] = lambda _holder: None) -> None:
    """Bring the schema to a revision; safe to call from several processes at once, and again after a failure.

    A run under way is waited for, and `waiting` is told its name. On a Galera cluster another node's upgrade ends this one's
    first look, before it has the lock: then it looks again.
    """
    for _ in range(_TRIES):
        try:
            return _upgrade(engine, target, waiting)
        except DatabaseError as error:
            if not (engine.dialect.name == "mysql" and code_of(getattr(error.__cause__, "orig", None)) in _ANOTHER_IS_AT_IT):
                raise
            time.sleep(random.uniform(1, 3))  # noqa: S311 - two that met must not meet again
    return _upgrade(engine, target, waiting)


_TRIES = 10
_ANOTHER_IS_AT_IT = {1213, 1684}
"""MariaDB: another node altered what was looked at, or is just altering it."""


def _upgrade(engine: sa.Engine, target: str, waiting: Callable[[str], None]) -> None:
    from alembic import command

    from sync.store.upgrade_lease import hold_lease_for_upgrade

    def needed() -> bool:
        with translate_errors(engine), engine.connect() as connection:
            state = state_of(revision(connection))
        return state is State.BEHIND or (state is State.CURRENT and _is_older(target))

    with hold_lease_for_upgrade(engine, needed=needed, waiting=waiting), translate_errors(engine), engine.connect() as connection:
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
    tables without that row: those have our columns and, but for what the migration itself puts in, nothing in them.
    The caller holds the lock of migrations: another process may be half-way.

    Raises:
        SchemaError: naming them.
    """
    from sync.store.tables import metadata

    inspector = sa.inspect(connection)
    found = {name.casefold(): name for name in (*inspector.get_table_names(), *inspector.get_view_names())}
    names = metadata.tables.keys() | VIEWS
    if version := revision(connection):
        ours = {name for name in names if _SINCE.get(name, version) <= version}
        if missing := sorted((metadata.tables.keys() & ours) - found.keys()):
            raise SchemaError(
                f"The database says that its schema is {version}, but lacks the tables {', '.join(missing)}.",
                hint="Restore a backup, or start anew in an empty database.",
            )
        names = names - ours
    half_made = connection.dialect.name == "mysql"
    taken = sorted(names & found.keys())
    if foreign := [found[name] for name in taken if not (half_made and _may_be_ours(connection, name))]:
        raise SchemaError(
            f"The database has tables or views of the same names that are not this program's: {', '.join(foreign)}.",
            hint="Give this program a database, or on PostgreSQL a schema, of its own.",
        )


def _may_be_ours(connection: sa.Connection, name: str) -> bool:
    from sync.store.tables import metadata

    inspector = sa.inspect(connection)
    columns = {each["name"] for each in inspector.get_columns(name)}
    if name in VIEWS:  # they come after the first revision's tables; an upgrade makes the newer ones as they are now
        tables, expected = set(inspector.get_table_names()), set(VIEWS[name])
        return metadata.tables.keys() - _SINCE.keys() <= tables and (
            columns == expected or (name not in _SINCE and columns < expected)
        )
    expected = set(metadata.tables[name].columns.keys())
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0
    put_in = {"sync_lease": 1, "sync_state": 1, "price_changes": rows}  # the last one is filled from the feed that was there
    return expected - _ADDED_LATER <= columns <= expected | _DROPPED and rows <= put_in.get(name, 0)


def differences(engine: sa.Engine) -> Iterable[str]:
    """Name what differs between the database and this version's tables, one phrase each; empty when all is well."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sync.store.tables import metadata

    require_file(engine)
    with translate_errors(engine), engine.connect() as connection:
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
