"""The base of every command: settings from flags and environment, errors as messages and exit codes."""

from __future__ import annotations

import errno
import functools
import os
import re
import signal
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync.commands.output import Output, ServiceOutput, background_stderr
from sync.config.load_settings import Loaded, dotenv_file, load
from sync.config.resource_limits import resource_error
from sync.config.settings import OPTIONS, Settings
from sync.errors import SyncError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")

    from sqlalchemy import Engine


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


AS_JSON = "Print as JSON."
LOG_FLAGS = ("log_format", "log_level")
DATABASE_FLAGS = ("database_url",)
ASKING_FLAGS = (*DATABASE_FLAGS, *LOG_FLAGS, "base_url", "rate", "deadline", "proxy", "ca_bundle")
RUN_FLAGS = (
    *ASKING_FLAGS, "page_size", "concurrency", "max_removed", "hold", "lease_ttl", "metrics_file", "site_dir", "site_covers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, the output and the resources of one command.

    Attributes:
        as_json: whether `--json` was given.
        quiet: on a terminal, log only if a level is set, because the command itself prints its result and its errors.
    """

    settings: Settings
    loaded: Loaded
    out: Output
    closing: ExitStack
    as_json: bool = False
    quiet: bool = False

    def refuse_file_in_use(self, path: str) -> None:
        """Raise UsageError for a file to write that is the database, a side file, or the file of a setting or webhook."""
        from sync.config.files import files_in_use, owner_of

        used = files_in_use(self.settings.database_url, self.loaded.files)
        if self.settings.webhooks_file is not None:
            from sync.webhooks.configuration import secret_files

            used += [("the file of a webhook's secret", file) for file in secret_files(self.settings.webhooks_file)]
        if owner := owner_of(path, used):
            raise UsageError(f"{path} is {owner}.", hint="Name another file.")

    def engine(self) -> Engine:
        """Open the database; it is closed at the end of the command."""
        from sync.store.engine import open_engine
        from sync.store.server_hosts import BUSY_SECONDS

        engine = open_engine(self.settings.database_url, lock_timeout=min(BUSY_SECONDS, self.settings.deadline))
        self.closing.callback(engine.dispose)
        return engine

    def print_rows(self, values: Sequence[Any], rows: Sequence[Sequence[str]]) -> None:
        """Print values as JSON, or as a table, whose first row is its heading; without values no table."""
        if self.as_json:
            self.out.json(values)
        elif values:
            self.out.table(rows)

    def start_logging(self, *, only_if_asked: bool = False) -> None:
        """Configure logging from the settings, in commands that log only: structlog takes 0.1 s to import.

        With `only_if_asked`, log only if a level is set, without a terminal, too.
        """
        from sync.logs import configure

        style, level = self.settings.log_format, self.settings.log_level
        on_terminal = style == "console" or (style == "auto" and sys.stderr.isatty())
        silent = (only_if_asked or (self.quiet and on_terminal)) and self.loaded.origins["log_level"].source == "default"
        configure(style=style, level="critical" if silent else level, secrets=self.out.secrets)


def output_of(*, service: bool, log_format: str | None = None) -> Output:
    """Choose how a command reports: a service as its log does, also while its settings are not read yet or are invalid."""
    if service:
        style = log_format or os.environ.get("SYNC_LOG_FORMAT") or ""
        with suppress(SyncError):
            style = (style or dotenv_file(Path(".env")).get("SYNC_LOG_FORMAT") or "").strip().lower()
        if style == "json" or (style != "console" and not sys.stderr.isatty()):
            return ServiceOutput(sys.stdout, sys.stderr, os.environ)
    return Output(sys.stdout, sys.stderr, os.environ)


class _Command(click.Command):
    service: bool = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add the context to usage errors that lack it, because the hint names the command."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


def sync_command(
    help_text: str,
    *fields: str,
    unused: Sequence[str] = LOG_FLAGS,
    json: str | None = None,
    quiet: bool = False,
    needs_key: bool = False,
    shows_key: bool = False,
    service: bool = False,
    has_effect: bool = False,
    group: click.Group | None = None,
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a click command from a function `(context, **its own options)`, whose click decorators stand below this one.

    Args:
        help_text: the text of `--help`.
        fields: settings that the command accepts as flags; the help of each flag names its variable.
        unused: flags that are accepted without effect, because scripts pass them to every command; not in the help.
        json: the help of its flag `--json`.
        quiet: see `Context`.
        needs_key: the command calls the API, so a missing key is reported with all other invalid settings.
        shows_key: the command works without the key, and reports on it. Other commands do not read the key, so that they work for
            a user who may not, and while its file is away.
        service: the command runs until it is stopped, so a reader of stderr that stops reading must not block it.
        has_effect: the command does more than print, or its exit code is a result, so a full disk at stdout is no error.
        group: the group of the command; its name there is the first word of the function's name.
    """
    taken = {*fields, *unused}

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def call(**options: Any) -> None:
            flags = {field: options.pop(field) for field in taken}
            as_json = options.pop("as_json", False)
            with background_stderr() if service else nullcontext():
                out = output_of(service=service, log_format=flags.get("log_format"))
                with exit_on_error(out, has_effect=has_effect), ExitStack() as closing:
                    loaded = load(flags, os.environ, Path(".env"), needs_key=needs_key, keyless=not (needs_key or shows_key))
                    out.hide(loaded.secrets)
                    for warning in loaded.warnings:
                        out.warning(warning)
                    function(Context(loaded.settings, loaded, out, closing, as_json, quiet), **options)

        first_sentence = re.split(r"\.\s", f"{help_text} ")[0] + "."
        made = click.command(cls=_Command, help=help_text, short_help=first_sentence)(call)
        made.service = service
        if json is not None:
            made = click.option("--json", "as_json", is_flag=True, help=json)(made)
        for option in (option for option in OPTIONS if option.field in taken):
            name = f"--{option.field.replace('_', '-')}"
            text = f"{option.help} [{option.variable}{f'; default {option.default}' if option.default else ''}]"
            made = click.option(name, option.field, metavar=option.metavar, help=text, hidden=option.field not in fields)(made)
        if group is not None:
            group.add_command(made, function.__name__.partition("_")[0])
        return made

    return decorate


@contextmanager
def exit_on_error(out: Output, *, has_effect: bool) -> Iterator[None]:
    """Convert every exception of a command to a message and an exit code."""
    try:
        yield
    except SyncError as error:
        out.error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (click.exceptions.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:  # noqa: BLE001 - the last handler before the interpreter
        if lack := resource_error(error):
            out.error(lack)
            sys.exit(lack.exit_code)
        _report_unexpected(error, out)
        sys.exit(1)
    # EPIPE is no error: `changes | head` closes the pipe on purpose. Any other failure lost output.
    if out.failure is not None and out.failure.errno != errno.EPIPE and not has_effect:
        out.message(f"error: The output could not be written: {out.failure.strerror}.")
        sys.exit(1)


def _report_unexpected(error: Exception, out: Output) -> None:
    # At level debug also the traceback, without variables, as they may hold secrets.
    if os.environ.get("SYNC_LOG_LEVEL", "").lower() == "debug":
        from sync.logs import configure, get_logger

        configure(style="auto", level="debug", secrets=out.secrets)
        get_logger().error("unexpected_error", exc_info=error)
    hint = "This is a bug. SYNC_LOG_LEVEL=debug shows its location."
    out.error(SyncError(f"Unexpected error: {type(error).__name__}: {error}", hint=hint))
