"""Run the command line: `template-sync`, or `python -m sync`."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

_GC_THRESHOLD = 50_000


def main() -> None:
    """Run the command line."""
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
    stdout = sys.stdout
    try:
        cli(prog_name="template-sync")
    except SystemExit as end:
        if sys.stdout is not stdout:  # click replaced it, because the reader of a help text closed the pipe: no error
            sys.exit(0)
        # Docker reserves exit code 2 of a health check, so `health` exits with 0 or 1 only, also for usage errors.
        if sys.argv[1:2] == ["health"] and end.code not in {0, None}:
            sys.exit(1)
        raise
    except OSError as error:  # of click's own output, such as `run --help`
        flush_streams()
        with suppress(OSError):  # stderr may be as full
            sys.stderr.write(f"error: The output could not be written: {error.strerror}.\n")
        sys.exit(1)
    finally:
        flush_streams()
        gc.freeze()  # the final collection would take 0.04 s, an eighth of a short run


if __name__ == "__main__":
    main()
