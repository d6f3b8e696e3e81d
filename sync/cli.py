"""The command group. Each command is imported only when it is called, because every cron call pays for start-up."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Any

import click

from sync import __version__
from sync.commands import front_page


class LazyGroup(click.Group):
    """A group that lists its commands from `front_page`, and imports one when it is called."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line; report usage errors of click in the form of all other errors."""
        try:
            return super().main(*arguments, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            from sync.commands.base import report_usage_error

            report_usage_error(error)
        except click.Abort:
            sys.exit(128 + signal.SIGINT)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names of the commands in the order of the front page."""
        return list(front_page.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature is click's
        """Import one command."""
        if cmd_name not in front_page.COMMANDS:
            return None
        command: click.Command = import_module(f"sync.commands.{cmd_name}").command
        return command

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - the signature is click's
        """Return the front page."""
        return front_page.text()


def _version(ctx: click.Context, _option: click.Parameter, wanted: Any) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"template-sync {__version__}")
        ctx.exit()


@click.group("template-sync", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Define the group."""
