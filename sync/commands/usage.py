"""Slips on the command line: told as every other error is, a sentence and what to do."""

from __future__ import annotations

from difflib import get_close_matches

import click

from sync.errors import UsageError


def slip(error: click.ClickException) -> UsageError:
    """Put what click found wrong into this program's words."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "template-sync"
    hint = f"`{path} --help` shows the usage."
    match error:
        case click.NoSuchCommand():
            names = context.command.list_commands(context) if context else []
            return UsageError(f"There is no command {error.command_name!r}.", hint=_meant(error.command_name, names) + hint)
        case click.NoSuchOption():
            names = _options(context.command, context) if context else []
            return UsageError(f"`{path}` has no option {error.option_name}.", hint=_meant(error.option_name, names) + hint)
        case click.MissingParameter():
            return UsageError(f"{_name(error.param)} is missing.", hint=hint)
        case click.BadParameter():
            return UsageError(f"{_name(error.param)}: {error.message}", hint=hint)
    return UsageError(f"{error.format_message().rstrip('.')}.", hint=hint)


def _name(param: click.Parameter | None) -> str:
    """Call a parameter as the help does: an option by its long name, an argument by what it takes."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return str(param.metavar or param.name).strip("[]").upper() if param is not None else "An argument"


def _options(command: click.Command, context: click.Context) -> list[str]:
    """Name the options that the help shows."""
    shown = [each for each in command.get_params(context) if isinstance(each, click.Option) and not each.hidden]
    return [name for each in shown for name in each.opts]


def _meant(word: str, names: list[str]) -> str:
    near = get_close_matches(word, names)
    return f"Did you mean {' or '.join(near)}? " if near else ""
