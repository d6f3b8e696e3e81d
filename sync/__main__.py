"""Run the command line: `template-sync`, or `python -m sync`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from sync.cli import cli

    cli()


if __name__ == "__main__":
    main()
