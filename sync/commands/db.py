"""`db`: create, upgrade, check, back up or restore the tables; the origin of the catalog that they are a copy of."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.commands.base import AS_JSON, DATABASE_FLAGS, LOG_FLAGS, Context, sync_command
from sync.errors import DatabaseError, SchemaError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

_NO_SECRETS = {"host", "port", "user", "sslmode", "sslrootcert"}
"""Query parameters of a PostgreSQL URL that hold no secret, so that they may appear in a printed command."""


@click.group(help="Create, upgrade, check, back up or restore the tables.")
def command() -> None:
    """Define the group."""


@sync_command(
    "Create the tables, or upgrade them to this version. Several machines may do this at once; on a Galera cluster, only one "
    "machine may create the tables.",
    *DATABASE_FLAGS, *LOG_FLAGS, has_effect=True, group=command,
)  # fmt: skip
def upgrade(context: Context) -> None:
    """Upgrade the schema."""
    context.start_logging()
    from sync.logs import get_logger
    from sync.store import schema

    engine = context.engine()
    before = None if schema.is_empty(engine) else schema.current(engine)[0]
    schema.upgrade(engine, waiting=lambda holder: get_logger().info("upgrade_waits", holder=holder))
    upgraded = f"The schema was upgraded: {before or 'empty'} → {schema.HEAD}."
    context.out.message(f"The schema is {schema.HEAD}." if before == schema.HEAD else upgraded)


@sync_command("Show the schema version of the tables and of this program.", *DATABASE_FLAGS, group=command, json=AS_JSON)
def current(context: Context) -> None:
    """Show the version of the schema."""
    from sync.store import schema

    found, state = schema.current(context.engine())
    if context.as_json:
        from sync.outputs.commands import TablesVersion

        context.out.json(TablesVersion(revision=found, head=schema.HEAD, state=state.value))
    else:
        context.out.lines([f"{found or '(none)'} ({state.value}; this version's is {schema.HEAD})"])


@sync_command(
    "Check that the tables match this version, and that the feed is intact and agrees with them.\n\n"
    "Exit codes: 0 no differences; 69 differences.",
    *DATABASE_FLAGS, *LOG_FLAGS, has_effect=True, group=command, json="Print the differences as a JSON list.",
)  # fmt: skip
def check(context: Context) -> None:
    """Check the schema and the consistency of the data."""
    context.start_logging()
    from sync.reader.feed_check import feed_problems
    from sync.store import schema

    engine = context.engine()
    differing = list(schema.differences(engine))
    broken = [] if differing else feed_problems(engine)
    (context.out.json if context.as_json else context.out.lines)([*differing, *broken])
    if differing:
        raise SchemaError(
            f"The tables or views differ from those of revision {schema.HEAD}.", hint="Revert the manual changes to them."
        )
    if broken:
        raise DatabaseError(
            "The feed and the tables are inconsistent.",
            hint="Restore a backup; until then, consumers of the feed may differ from the tables.",
        )
    context.out.message(
        f"The schema is {schema.HEAD} and matches this version. The feed's hash chain is intact. Applying the feed from its "
        "start gives the contents of the tables."
    )


@sync_command(
    "Show the origin of the API (scheme, host and port) from which the database was filled. `run`, `refresh`, `daemon` and "
    "`demo` refuse another one, with exit code 78.",
    "base_url",
    *DATABASE_FLAGS, has_effect=True, group=command, json=AS_JSON,
)  # fmt: skip
@click.option("--accept", is_flag=True, help="Record the origin of CRUN_BASE_URL instead.")
def origin(context: Context, *, accept: bool) -> None:
    """Show or replace the recorded origin."""
    from sync.config.addresses import origin_of
    from sync.store.state import accept_origin, recorded_origin

    engine = context.engine()
    configured = origin_of(context.settings.base_url)
    if accept:
        before = accept_origin(engine, context.settings.base_url)
        moved = f"The recorded origin was {before} and is now {configured}."
        context.out.message(moved if before else f"The origin {configured} was recorded.")
    recorded = recorded_origin(engine)
    if context.as_json:
        from sync.outputs.commands import CatalogOrigin

        context.out.json(CatalogOrigin(recorded, configured))
    else:
        other = "" if recorded == configured else f"; CRUN_BASE_URL is {configured}"
        context.out.lines([f"{recorded or 'not recorded yet'}{other}"])


@sync_command(
    "Copy a SQLite database to FILE, also while a daemon runs. For a database server, show the command of its own tool.",
    *DATABASE_FLAGS, has_effect=True, group=command,
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def backup(context: Context, *, file: Path) -> None:
    """Back up the database."""
    from sync.store.backup import back_up

    engine = _sqlite_only(context, file, restore=False)
    context.refuse_file_in_use(str(file))
    back_up(engine, file)
    context.out.message(f"The backup {file} was written and verified, {file.stat().st_size:,} bytes.")


@sync_command(
    "Replace a SQLite database by a backup. No process may have the database open. For a database server, show the command of "
    "its own tool.",
    *DATABASE_FLAGS, has_effect=True, group=command,
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def restore(context: Context, *, file: Path) -> None:
    """Restore a backup."""
    from sync.store import backup as backups

    backups.restore(_sqlite_only(context, file, restore=True), file)
    context.out.message(
        f"The database was restored from {file}. `template-sync db current` shows whether its tables need an upgrade."
    )


def _sqlite_only(context: Context, file: Path, *, restore: bool) -> Engine:
    engine = context.engine()
    if engine.dialect.name != "sqlite":
        hint = native_command(engine, file, restore=restore)
        raise UsageError("This database is on a server; use the server's own tool.", hint=hint)
    return engine


def native_command(engine: Engine, file: Path, *, restore: bool) -> str:
    """Return the shell command of the server's own backup or restore tool, without the password, which the tool requests."""
    from sqlalchemy import URL

    url = engine.url
    if engine.dialect.name == "postgresql":
        kept = {name: value for name, value in url.query.items() if name in _NO_SECRETS}
        where = URL.create("postgresql", url.username, None, url.host, url.port, url.database, kept).render_as_string()
        options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", f"--dbname={where}"]
        return shlex.join(
            ["pg_restore", *options, str(file)] if restore else ["pg_dump", "--format=custom", f"--file={file}", where]
        )
    socket = url.query.get("unix_socket")
    # These tools take `localhost` for a socket and ignore the port; the driver takes it for an address.
    options = [f"--socket={socket}"] if socket else [f"--host={url.host or '127.0.0.1'}", f"--port={url.port or 3306}"]
    options += [f"--user={url.username}"] * bool(url.username) + ["--password"] * bool(url.password)
    if restore:
        return f"{shlex.join(['mariadb', *options, str(url.database)])} < {shlex.quote(str(file))}"
    return shlex.join(["mariadb-dump", "--single-transaction", *options, f"--result-file={file}", str(url.database)])
