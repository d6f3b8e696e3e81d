"""`doctor`: every check, what was seen, what to do."""

from __future__ import annotations

import sys

import click

from sync.commands.edge import ASKING_FLAGS, RUN_FLAGS, Context, sync_command

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@sync_command(
    "Check settings, DNS, TLS, API key, clock, disk, database, schema, lease, freshness and webhooks. Changes nothing. Exits "
    "with the code that a run would; 0 if no check failed.",
    *ASKING_FLAGS,
    "webhooks_file",
    unused=RUN_FLAGS,
    quiet=True,
    acts=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, as_json: bool) -> None:
    """Check everything."""
    engine = context.engine()
    context.start_logging()
    from sync.commands.synchronising import now
    from sync.doctor import Result, checks_of
    from sync.terminal.paint import mark

    checks = []
    for check in checks_of(context.loaded, engine, now):
        checks.append(check)
        if not as_json:
            context.out.lines([f"{mark(*_SIGNS[check.result])} {check.name:10} {check.seen}"])
            if check.advice:
                context.out.lines([f"    → {check.advice}"])
    if as_json:
        from sync.outputs.commands import Check

        context.out.json([Check(each.name, each.result, each.seen, each.advice) for each in checks])
    sys.exit(next((check.exit_code for check in checks if check.result is Result.FAILED), 0))
