"""`mcp`: serve the catalog to agents over stdin and stdout."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from sync.commands.base import DATABASE_FLAGS, LOG_FLAGS, Context, sync_command
from sync.errors import DatabaseError, MissingExtra, SchemaError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sync.api import Catalog


@sync_command(
    "Serve the catalog to AI agents: an MCP server on stdin and stdout, which an MCP host such as an editor starts. Read-only.",
    *DATABASE_FLAGS, *LOG_FLAGS, has_effect=True,
)  # fmt: skip
def command(context: Context) -> None:
    """Serve until stdin ends."""
    from importlib.util import find_spec

    if find_spec("mcp") is None:  # checked without an import, which takes most of a second
        raise MissingExtra("`template-sync mcp`", "mcp", "mcp")
    from sync.api import Catalog

    engine = context.engine()
    _require_file(engine)
    context.start_logging()
    catalog = Catalog(engine)
    _require_tables(catalog)
    from sync.agents.server import serve

    if sys.stdin.isatty():
        context.out.message(
            "Waiting for an MCP client on stdin; Ctrl-D ends. docs/agents.md describes how to configure an MCP host."
        )
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a clean exit would wait for the thread that reads stdin
    serve(catalog)


def _require_file(engine: Engine) -> None:
    """Fail if the file does not exist: an MCP host starts servers in its own folder, so a relative path is usually wrong."""
    from sync.store.database_url import missing_file

    if (file := missing_file(engine)) is not None:
        raise SchemaError(
            f"There is no database at {file.absolute()}.",
            hint="Set DATABASE_URL, with an absolute path (sqlite:////...), in the environment that the MCP host passes.",
        )


def _require_tables(catalog: Catalog) -> None:
    """Fail for tables of another version; only log an unreachable server, because it may be up at the first call."""
    try:
        catalog.status()
    except SchemaError:
        raise
    except DatabaseError as error:
        from sync.logs import get_logger

        get_logger().warning("database_unreachable", error=str(error), hint=error.hint)
