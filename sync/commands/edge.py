"""Slips on the command line: told as every other error is, a sentence and what to do.

The edge of every command: settings from flags, errors as sentences and exit codes, once.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sync.commands.output import Output
from sync.config.options import OPTIONS
from sync.config.settings import Loaded, Settings, load
from sync.errors import SyncError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Engine


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


LOG_FLAGS = ("log_format", "log_level")
DATABASE_FLAGS = ("database_url",)
ASKING_FLAGS = (*DATABASE_FLAGS, *LOG_FLAGS, "base_url", "rate", "deadline", "proxy", "ca_bundle")
RUN_FLAGS = (
    *ASKING_FLAGS,
    "page_size",
    "concurrency",
    "max_removed",
    "hold",
    "lease_ttl",
    "metrics_file",
    "site_dir",
    "site_covers",
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a command starts from.

    Attributes:
        quiet: on a terminal, log nothing unless a level was asked for: the command itself says what it did, and what went wrong.
    """

    settings: Settings
    loaded: Loaded
    out: Output
    closing: ExitStack
    quiet: bool = False

    def engine(self) -> Engine:
        """Open the database; it is closed when the command ends."""
        from sync.store.engine import open_engine
        from sync.store.sessions import BUSY_SECONDS

        engine = open_engine(self.settings.database_url, patience=min(BUSY_SECONDS, self.settings.deadline))
        self.closing.callback(engine.dispose)
        return engine

    def start_logging(self, *, only_if_asked: bool = False) -> None:
        """Set logging up as the settings say; not before a command logs: structlog takes 0.1 s to import.

        Args:
            only_if_asked: log nothing off a terminal either, unless a level was asked for.
        """
        from sync.logs import configure

        style, level = self.settings.log_format, self.settings.log_level
        on_terminal = style == "console" or (style == "auto" and sys.stderr.isatty())
        silent = (only_if_asked or (self.quiet and on_terminal)) and self.loaded.source("log_level") == "default"
        configure(style=style, level="critical" if silent else level, secrets=self.out.secrets)


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; where click does not say at which command a slip happened, say it."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


def sync_command(
    help_text: str,
    *fields: str,
    unused: Sequence[str] = LOG_FLAGS,
    quiet: bool = False,
    needs_key: bool = False,
    shows_key: bool = False,
    acts: bool = False,
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command out of a function `(context, **its own options)`; stands above click's decorators for those.

    Args:
        help_text: what `--help` says.
        fields: settings that it takes as flags; each flag's help names its variable.
        unused: flags that it takes, too, but has no use for: scripts pass them to every command. The help is silent about them.
        quiet: see `Context`.
        needs_key: it asks the endpoint, so a missing key is told with all other problems.
        shows_key: it works without the key, but reports on it. Any other command does not even read it, so that it works for a
            user who may not, and while the file is away.
        acts: it does something, or its exit code answers something: what it prints is not all that it is for.
    """
    taken = {*fields, *unused}

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def call(**options: Any) -> None:
            flags = {field: options.pop(field) for field in taken}
            out = Output(sys.stdout, sys.stderr, os.environ)
            with _verdict(out, acts=acts), ExitStack() as closing:
                loaded = load(flags, os.environ, Path(".env"), needs_key=needs_key, keyless=not (needs_key or shows_key))
                out.hide(loaded.secrets)
                for warning in loaded.warnings:
                    out.message(f"warning: {warning}")
                function(Context(loaded.settings, loaded, out, closing, quiet), **options)

        made = click.command(cls=_Command, help=help_text, short_help=help_text.partition(". ")[0].partition("\n")[0])(call)
        for option in (option for option in OPTIONS if option.field in taken):
            name = f"--{option.field.replace('_', '-')}"
            text = f"{option.help} [{option.variable}{f'; default {option.default}' if option.default else ''}]"
            made = click.option(name, option.field, metavar=option.metavar, help=text, hidden=option.field not in fields)(made)
        return made

    return decorate


def tell_slip(error: click.ClickException) -> NoReturn:
    """Tell of a slip on the command line as of any other error; a group without a command shows its help."""
    out = Output(sys.stdout, sys.stderr, os.environ)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        out.message(error.message)
    else:
        out.error(slip(error))
    sys.exit(error.exit_code)


@contextmanager
def _verdict(out: Output, *, acts: bool) -> Iterator[None]:
    """Turn whatever a command raises into a sentence and its exit code."""
    try:
        yield
    except SyncError as error:
        out.error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (click.exceptions.ClickException, click.exceptions.Exit):
        raise
    except Exception as surprise:  # noqa: BLE001 - a bug; here is where it is told
        _report_unforeseen(surprise, out)
        sys.exit(1)
    # A reader that left (`changes | head`) has seen enough. But data that did not fit on a disk was not delivered.
    if out.failure is not None and out.failure.errno != errno.EPIPE and not acts:
        out.message(f"error: The output could not be written: {out.failure.strerror}.")
        sys.exit(1)


def _report_unforeseen(surprise: Exception, out: Output) -> None:
    """Tell of a bug: one sentence for the user, the traceback (without variables) for whoever mends it."""
    if os.environ.get("SYNC_LOG_LEVEL", "").lower() == "debug":
        from sync.logs import configure, get_logger

        configure(style="auto", level="debug", secrets=out.secrets)
        get_logger().error("unforeseen", exc_info=surprise)
    out.message(f"error: Unexpected error: {type(surprise).__name__}: {surprise}")
    out.message("  → This is a bug. SYNC_LOG_LEVEL=debug shows its location.")
