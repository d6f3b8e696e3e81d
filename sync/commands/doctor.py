"""`doctor`: every check, what was seen, what to do."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from sync.commands.edge import RUN_FLAGS, Context, emit_json, painter, print_lines, start_logging, sync_command

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@sync_command(
    "Check settings, name, TLS, key, clock, disk, database, schema, lease and freshness. Changes nothing. "
    "Leaves with the exit code that a run would, 0 if nothing failed.",
    *RUN_FLAGS,
    quiet=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, as_json: bool) -> None:
    """Check everything."""
    engine = context.engine()
    start_logging()
    from sync.commands.synchronising import now
    from sync.decode import visible
    from sync.ops.doctor import Result, examine

    paint = painter()
    checks = []
    for check in examine(context.loaded, engine, now):
        checks.append(check)
        if not as_json:
            mark, color = _MARKS[check.result]
            print_lines([f"{paint(mark, color)} {check.name:10} {visible(check.seen)}"])
            if check.advice:
                print_lines([f"    → {visible(check.advice)}"])
    if as_json:
        emit_json([{name: value for name, value in asdict(check).items() if name != "exit_code"} for check in checks])
    sys.exit(next((check.exit_code for check in checks if check.result is Result.FAILED), 0))
