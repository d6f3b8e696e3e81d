"""The schema's version, and the only home of Alembic: it costs half a second to import, so only an upgrade pays for it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.db.engine import plain_errors, require_file, sqlite_file
from sync.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.config import Config

HEAD = "0001"
"""The newest revision in migrations/versions; a test holds the two equal."""
VERSION_TABLE = "sync_alembic_version"
"""Not Alembic's usual name: an app may keep its own tables, and its own Alembic, in the same database."""
_REVISIONS = ("0001",)


class State(Enum):
    """How the database's schema stands to this version of the program."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"


def revision(connection: sa.Connection) -> str | None:
    """Give the database's revision; None if it has none of our tables."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE)))


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
    if file is not None and not file.exists():
        return True
    with plain_errors(engine), engine.connect() as connection:
        return state_of(revision(connection)) is State.EMPTY


def current(engine: sa.Engine) -> tuple[str | None, State]:
    """Give the database's revision and how it stands to this version."""
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


def differences(engine: sa.Engine) -> Iterable[str]:
    """Name what differs between the database and this version's tables, one phrase each; empty when all is well."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sync.db.tables import metadata

    require_file(engine)
    with plain_errors(engine), engine.connect() as connection:
        require_current(connection)
        context = MigrationContext.configure(connection, opts={"include_name": only_ours, "version_table": VERSION_TABLE})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def only_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell Alembic which tables are ours: an app's own tables in the same database are none of its business."""
    from sync.db.tables import metadata

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
