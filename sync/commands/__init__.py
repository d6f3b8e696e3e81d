"""One command a file; here the text of `template-sync --help`, for which no command is imported."""

from __future__ import annotations

COMMANDS = {
    "run": "Synchronise once.",
    "daemon": "Synchronise on a schedule until SIGTERM or Ctrl-C.",
    "demo": "Try it with a sample catalog that changes; needs no API key.",
    "sandbox": "Serve a sample catalog over HTTP, for app development.",
    "status": "Show the status of the catalog, the runs and the feed.",
    "runs": "List the most recent runs.",
    "changes": "List added, changed and removed templates.",
    "list": "List templates, with filters.",
    "tags": "List the tags with their number of templates.",
    "types": "List the template types with their number of templates.",
    "show": "Show one template.",
    "history": "Show the change history of one template.",
    "diff": "Show the differences between the catalogs at two times.",
    "form": "Print the schema or an example of a generation request, or validate an input.",
    "refresh": "Fetch one template now.",
    "export": "Export the catalog as JSON lines, JSON or CSV, or recent changes as Atom.",
    "webhooks": "Manage and deliver webhooks.",
    "schema": "Print the JSON Schema of a JSON output.",
    "mcp": "Serve the catalog to AI agents (MCP over stdio), read-only.",
    "site": "Write the catalog as a gallery of static web pages.",
    "doctor": "Check settings, network, database and schedule, and suggest fixes.",
    "config": "Show every setting and its source.",
    "health": "Health probe for containers: exit code 0 or 1.",
    "db": "Create, upgrade, check, back up or restore the tables.",
    "prune": "Delete old history.",
    "lease": "Show or release the lease, the lock of the active run.",
}

_BEFORE = """\
Usage: template-sync [OPTIONS] COMMAND [ARGS]...

  Keep Crun's catalog of ByteDance video-effect templates in your database.

    template-sync demo                       try it, no API key needed
    CRUN_API_KEY=ak_... template-sync run    synchronise once
    template-sync status                     show the status
    template-sync changes                    list recent changes

  Only run, daemon, refresh and doctor call Crun's API and need its key.

Options:
  --version   Show the version.
  -h, --help  Show this message and exit.

Commands:
"""


def front_page() -> str:
    """Return the text of `template-sync --help`."""
    width = max(map(len, COMMANDS))
    return _BEFORE + "\n".join(f"  {name:{width}}  {purpose}" for name, purpose in COMMANDS.items())
