"""What all commands share at the edge: settings from flags, errors as sentences and exit codes, what a terminal can take."""

from __future__ import annotations

import functools
import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync.errors import ConfigurationError, SyncError
from sync.options import OPTIONS
from sync.settings import Loaded, Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

DATABASE_FLAGS = ("database_url", "log_format", "log_level")
RUN_FLAGS = (
    *DATABASE_FLAGS, "base_url", "page_size", "concurrency", "rate", "deadline", "max_removed", "lease_ttl", "proxy",
    "ca_bundle", "metrics_file",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What a command starts from."""

    settings: Settings
    loaded: Loaded
    closing: ExitStack

    def engine(self) -> Engine:
        """Open the database; it is closed when the command ends."""
        from sync.db.engine import open_engine

        engine = open_engine(self.settings.database_url)
        self.closing.callback(engine.dispose)
        return engine


def sync_command(
    help_text: str, *fields: str, quiet: bool = False, needs_key: bool = False
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command out of a function `(context, **its own options)`; stands above click's decorators for those.

    Args:
        help_text: what `--help` says.
        fields: settings that it takes as flags; each flag's help names its variable.
        needs_key: it asks the endpoint, so a missing key is told with all other problems.
        quiet: on a terminal, log nothing unless a level was asked for: the command itself says what it did, and what went wrong.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def call(**options: Any) -> None:
            flags = {field: options.pop(field) for field in fields}
            with Edge(), ExitStack() as closing:
                loaded = load(flags, os.environ, Path(".env"), needs_key=needs_key)
                Edge.secrets = loaded.secrets
                _configure_logs(loaded, quiet=quiet)
                for warning in loaded.warnings:
                    tell(f"warning: {warning}")
                function(Context(loaded.settings, loaded, closing), **options)

        made = click.command(help=help_text)(call)
        for option in (option for option in OPTIONS if option.field in fields):
            name = f"--{option.field.replace('_', '-')}"
            text = f"{option.help} [{option.variable}{f'; default {option.default}' if option.default else ''}]"
            made = click.option(name, option.field, default=None, metavar="VALUE", help=text)(made)
        return made

    return decorate


def _configure_logs(loaded: Loaded, *, quiet: bool) -> None:
    """Set logging up, but not before a command logs: structlog takes 0.1 s to import, and most commands log nothing."""
    style, level = loaded.settings.log_format, loaded.settings.log_level
    on_terminal = style == "console" or (style == "auto" and sys.stderr.isatty())
    asked = loaded.source("log_level") != "default"
    Edge.logging = {
        "style": style,
        "level": "critical" if quiet and on_terminal and not asked else level,
        "secrets": loaded.secrets,
    }


def start_logging() -> None:
    """Set logging up as the settings say."""
    from sync.logs import configure

    configure(**Edge.logging)


class Edge:
    """Where errors become sentences, once: a context manager round a whole command."""

    secrets: tuple[str, ...] = ()
    logging: dict[str, Any] = {"style": "auto", "level": "info", "secrets": ()}  # noqa: RUF012 - replaced whole, per process

    def __enter__(self) -> None:
        if sys.stdout is None:  # closed by the caller: `template-sync list >&-`
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123 - for the rest of the process

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, SyncError):
            fail(error)
        if isinstance(error, BrokenPipeError):  # `template-sync changes | head`: the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        if isinstance(error, KeyboardInterrupt):
            sys.exit(128 + signal.SIGINT)
        if isinstance(error, Exception) and not isinstance(error, click.exceptions.ClickException | click.exceptions.Exit):
            _report_unforeseen(error)


def fail(error: SyncError) -> None:
    """Tell an error and leave with its exit code."""
    tell_error(error)
    sys.exit(error.exit_code)


def tell_error(error: SyncError) -> None:
    """Tell what happened, and on a line of its own what to do."""
    problems = error.problems if isinstance(error, ConfigurationError) else [str(error)]
    for problem in problems:
        tell(f"error: {problem}")
    if error.hint:
        tell(f"  → {error.hint}")


def _report_unforeseen(error: Exception) -> None:
    """Tell of a bug: one sentence for the user, the traceback (without variables) for whoever mends it."""
    if os.environ.get("SYNC_LOG_LEVEL", "").lower() == "debug":
        start_logging()
        from sync.logs import get_logger

        get_logger().error("unforeseen", exc_info=error)
    tell(f"error: Unforeseen: {type(error).__name__}: {error}")
    tell("  → This is a bug. SYNC_LOG_LEVEL=debug shows where it happened.")
    sys.exit(1)


def tell(text: str) -> None:
    """Say something to a person, on stderr, with secrets hidden and control characters visible."""
    from sync.decode import visible

    for secret in Edge.secrets:
        text = text.replace(secret, "[secret]") if len(secret) >= 6 else text  # noqa: PLR2004 - as in `sync.logs`
    click.echo("\n".join(visible(line) for line in text.split("\n")), err=True)


def emit_json(value: Any) -> None:
    """Print data as JSON, readable on a terminal, on one line elsewhere. Every form is documented in docs/json.md."""
    from sync.decode import json_text

    indent = 2 if sys.stdout.isatty() else None
    click.echo(json_text(value, indent))


def color_wanted() -> bool:
    """Whether stdout should be coloured: on a terminal, unless NO_COLOR or TERM=dumb; FORCE_COLOR asks for it anyway."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def painter() -> Callable[[str, str], str]:
    """Give the function that colours a text, or leaves it as it is."""
    from sync.report import plain

    if not color_wanted():
        return plain
    return lambda text, color: click.style(text, bold=True) if color == "bold" else click.style(text, fg=color)


def print_lines(lines: list[str]) -> None:
    """Print lines, keeping the colours that were put in on purpose."""
    for line in lines:
        click.echo(line, color=True)


def terminal_width() -> int | None:
    """Give the terminal's width in columns; None for a pipe, where nothing is cut."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns
