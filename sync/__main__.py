"""Run the command line: `template-sync`, or `python -m sync`."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

_GC_THRESHOLD = 50_000


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["--help"], ["-h"]):  # no import is needed
        _print_version_or_help(sys.argv[1])
        return
    # The default threshold of 700 starts a collection for every 700 new objects; imports create 100,000, without garbage.
    gc.set_threshold(_GC_THRESHOLD)
    from sync.config.resource_limits import resource_error  # now, because after a MemoryError its import could fail, too

    try:
        _run_command()
    except (MemoryError, ImportError, SystemError) as error:  # of an import; a command itself reports its own
        lack = resource_error(error)
        if lack is None:
            raise
        sys.stderr.write(f"error: {lack}\n  → {lack.hint}\n")
        sys.exit(1 if sys.argv[1:2] == ["health"] else lack.exit_code)


def _run_command() -> None:
    from sync.cli import cli
    from sync.commands.output import flush_streams, open_closed_streams

    open_closed_streams()
    try:
        cli(prog_name="template-sync")
    except SystemExit as end:
        # Docker reserves exit code 2 of a health check, so `health` exits with 0 or 1 only, also for usage errors.
        if sys.argv[1:2] == ["health"] and end.code not in {0, None}:
            sys.exit(1)
        raise
    except OSError as error:  # of click's own output, such as `run --help`
        _report_lost_output(error)
    finally:
        flush_streams()
        gc.freeze()  # the final collection would take 0.04 s, an eighth of a short run


def _print_version_or_help(flag: str) -> None:
    from sync import __version__, commands

    text = (f"template-sync {__version__}" if flag == "--version" else commands.front_page()) + "\n"
    try:
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError as error:
        _report_lost_output(error)


def _report_lost_output(error: OSError) -> None:
    from sync.commands.output import flush_streams

    flush_streams()
    if not isinstance(error, BrokenPipeError):
        with suppress(OSError):  # stderr may be as full
            sys.stderr.write(f"error: The output could not be written: {error.strerror}.\n")
        flush_streams()
        sys.exit(1)


if __name__ == "__main__":
    main()
