"""Run the command line: `template-sync`, or `python -m sync`."""

from __future__ import annotations

import gc
import sys

_GC_THRESHOLD = 50_000


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["--help"], ["-h"]):  # answered before anything is imported
        _print_version_or_help(sys.argv[1])
        return
    # The collector looks for cycles after every 700 new objects: importing alone makes a hundred thousand, and none is garbage.
    gc.set_threshold(_GC_THRESHOLD)
    from sync.cli import cli
    from sync.commands.output import flush_streams, open_closed_streams

    open_closed_streams()
    try:
        cli(prog_name="template-sync")
    except SystemExit as end:
        # A container's probe answers 0 or 1 only, even to a wrong flag: Docker keeps 2 for itself.
        if sys.argv[1:2] == ["health"] and end.code not in {0, None}:
            sys.exit(1)
        raise
    finally:
        flush_streams()
        gc.freeze()  # else Python looks at every object once more before it leaves: 0.04 s, an eighth of a short run


def _print_version_or_help(asked: str) -> None:
    from sync import __version__
    from sync.commands import front_page

    sys.stdout.write((f"template-sync {__version__}" if asked == "--version" else front_page.text()) + "\n")


if __name__ == "__main__":
    main()
