"""What `template-sync --help` says: kept where nothing has to be imported for it, click included."""

from __future__ import annotations

COMMANDS = {
    "run": "Synchronise once.",
    "daemon": "Synchronise at start, then on schedule.",
    "demo": "See it work: no key, no server, a sample catalog that changes.",
    "sandbox": "Serve the sample catalog, for developers of apps.",
    "status": "Show on one screen how things stand.",
    "runs": "List the newest runs.",
    "changes": "Show what was added, changed and removed.",
    "list": "List the catalog, filtered.",
    "tags": "List the tags, with how many templates have each.",
    "types": "List the types of templates, with how many are of each.",
    "show": "Show one template.",
    "history": "Show how one template changed.",
    "diff": "Show what changed between two runs or instants.",
    "form": "Give a generation request's schema, an example, the whole request; or check an input.",
    "refresh": "Fetch one template now.",
    "export": "Write the catalog as JSON lines, JSON or CSV, or what is new as Atom.",
    "webhooks": "Tell others of changes.",
    "schema": "Give the JSON Schema of what is printed as JSON.",
    "mcp": "Serve the catalog to agents (MCP, over stdio), read-only.",
    "site": "Write the catalog as a gallery: static pages to look at.",
    "doctor": "Check everything that can go wrong, and say what to do.",
    "config": "Show every setting and where it came from.",
    "health": "Answer a container's probe: 0 or 1.",
    "db": "Create, upgrade or check the tables; back them up.",
    "prune": "Delete old history, never breaking the feed.",
    "lease": "Show who may write, or take the lease away.",
}

_BEFORE = """\
Usage: template-sync [OPTIONS] COMMAND [ARGS]...

  Keep Crun's catalog of ByteDance video-effect templates in your database.

    template-sync demo                       see it work, no key needed
    CRUN_API_KEY=ak_... template-sync run    synchronise once
    template-sync status                     how things stand
    template-sync changes                    what changed lately

Options:
  --version   Show the version.
  -h, --help  Show this message and exit.

Commands:
"""


def text() -> str:
    """Write the page."""
    width = max(map(len, COMMANDS))
    return _BEFORE + "\n".join(f"  {name:{width}}  {what}" for name, what in COMMANDS.items())
