"""Write the man page from the help of the commands: python docs/write_man.py > deploy/template-sync.1."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync import __version__
from sync.cli import cli
from sync.config.settings import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator


def page() -> str:
    """Return the man page as roff."""
    return "\n".join([
        f'.TH TEMPLATE-SYNC 1 "" "crun-template-sync {__version__}" "User Commands"',
        ".SH NAME",
        "template\\-sync \\- keep Crun's catalog of ByteDance video\\-effect templates in a database",
        ".SH SYNOPSIS",
        ".B template\\-sync",
        "[\\fB\\-\\-version\\fR] [\\fB\\-\\-help\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        "Settings are read from the environment and from a file .env; options of a command override them.",
        ".SH COMMANDS",
        *(line for name, command in commands() for line in describe(name, command)),
        ".SH ENVIRONMENT",
        *(line for option in OPTIONS for line in item(option.variable, f"{option.help}{default(option.default)}")),
        ".SH EXIT STATUS",
        *(line for code, meaning in exit_codes() for line in item(str(code), meaning)),
    ]) + "\n"  # fmt: skip


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with the words that call it, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif command is not None:
            yield " ".join((*path, name)), command


def describe(name: str, command: click.Command) -> Iterator[str]:
    """Yield the section of one command."""
    context = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{escape(f"{name} {usage}")}"'
    yield escape(command.help or "")
    for parameter in command.get_params(context):
        record = None if parameter.name == "help" else parameter.get_help_record(context)
        if record:
            yield from item(*record)


def exit_codes() -> Iterator[tuple[str, str]]:
    """Yield each exit code of README.md with its meaning."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    paragraph = readme.partition("\nExit codes: ")[2].partition(".\n\n")[0]
    for each in " ".join(paragraph.replace("`", "").split()).split(" · "):
        code, _, meaning = each.partition(" ")
        yield code, meaning


def item(term: str, text: str) -> list[str]:
    """Return a term and its explanation."""
    return [".TP", f"\\fB{escape(term)}\\fR", escape(text)]


def default(value: str | None) -> str:
    """Return the default of a setting as a sentence."""
    return "" if value is None else f" Default: {value}."


def escape(text: str) -> str:
    """Escape a text for roff: backslashes, hyphens, and a dot or apostrophe that would begin a request."""
    text = re.sub(r"\s+", " ", text).strip().replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    sys.stdout.write(page())
