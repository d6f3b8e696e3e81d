"""The list of commands. Each lives in a file of its own, imported when it is called: every cron call pays for start-up."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from sync import __version__

COMMANDS = {
    "run": "Synchronise once.",
    "daemon": "Synchronise at start, then on schedule.",
    "demo": "See it work: no key, no server, a sample catalog that changes.",
    "sandbox": "Serve the sample catalog, for developers of apps.",
    "status": "Show on one screen how things stand.",
    "runs": "List the newest runs.",
    "changes": "Show what was added, changed and removed.",
    "list": "List the catalog, filtered.",
    "show": "Show one template.",
    "history": "Show how one template changed.",
    "diff": "Show what changed between two runs.",
    "form": "Give the JSON Schema of one template's generation request.",
    "refresh": "Fetch one template now.",
    "export": "Write the catalog as JSON lines, JSON or CSV.",
    "doctor": "Check everything that can go wrong, and say what to do.",
    "config": "Show every setting and where it came from.",
    "health": "Answer a container's probe: 0 or 1.",
    "db": "Create or upgrade the tables, or check them.",
    "prune": "Delete old history, never breaking the feed.",
    "lease": "Show who may write, or take the lease away.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Name the commands in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature is click's
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"sync.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the signature is click's
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _option: click.Parameter, wanted: Any) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"template-sync {__version__}")
        ctx.exit()


EXAMPLES = """\b
  template-sync demo                       see it work, no key needed
  CRUN_API_KEY=ak_... template-sync run    synchronise once
  template-sync status                     how things stand
  template-sync changes                    what changed lately"""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"Keep Crun's catalog of ByteDance video-effect templates in your database.\n\n{EXAMPLES}",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Hold the commands together; the help above is what users see."""
