"""The command group. Each command is imported only when it is called, because every cron call pays for start-up."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sync import __version__, commands

if TYPE_CHECKING:
    from sync.errors import UsageError


class LazyGroup(click.Group):
    """A group that lists its commands from `sync.commands`, and imports one when it is called."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line; report usage errors of click in the form of all other errors."""
        try:
            return super().main(*arguments, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            _report_usage_error(error)
        except click.Abort:
            sys.exit(128 + signal.SIGINT)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names of the commands in the order of the help."""
        return list(commands.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature is click's
        """Import one command."""
        if cmd_name not in commands.COMMANDS:
            return None
        command: click.Command = import_module(f"sync.commands.{cmd_name}").command
        return command

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - the signature is click's
        """Return the front page."""
        return commands.front_page()


@click.group("template-sync", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="template-sync %(version)s", help="Show the version.")
def cli() -> None:
    """Define the group."""


def _report_usage_error(error: click.ClickException) -> NoReturn:
    """Print a usage error and exit with its code; for a group without a command, print the help."""
    from sync.commands.base import output_of

    context = getattr(error, "ctx", None)
    out = output_of(service=getattr(context and context.command, "service", False))
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        out.message(error.message)
    else:
        out.error(_usage_error(error))
    sys.exit(error.exit_code)


def _usage_error(error: click.ClickException) -> UsageError:
    """Convert an error of click to a UsageError with a message and a hint in the form of this program."""
    from sync.errors import UsageError

    context = getattr(error, "ctx", None)
    path = context.command_path if context else "template-sync"
    hint = f"`{path} --help` shows the usage."
    match error:
        case click.NoSuchCommand():
            names = context.command.list_commands(context) if context else []
            return UsageError(
                f"There is no command {error.command_name!r}.", hint=_did_you_mean(error.command_name, names) + hint
            )
        case click.NoSuchOption():
            options = context.command.get_params(context) if context else []
            shown = (each for each in options if isinstance(each, click.Option) and not each.hidden)
            names = [name for each in shown for name in each.opts]
            return UsageError(f"`{path}` has no option {error.option_name}.", hint=_did_you_mean(error.option_name, names) + hint)
        case click.MissingParameter():
            return UsageError(f"{_name(error.param)} is missing.", hint=hint)
        case click.BadParameter():
            return UsageError(f"{_name(error.param)}: {error.message}", hint=hint)
    return UsageError(f"{error.format_message().rstrip('.')}.", hint=hint)


def _name(param: click.Parameter | None) -> str:
    """Return the name of a parameter in the help: the long name of an option, the metavar of an argument."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return str(param.metavar or param.name).strip("[]").upper() if param is not None else "An argument"


def _did_you_mean(word: str, names: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, names)
    return f"Did you mean {' or '.join(near)}? " if near else ""
