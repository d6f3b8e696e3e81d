"""`runs`: the newest runs."""

from __future__ import annotations

import click

from sync.commands.arguments import NUMBER
from sync.commands.edge import DATABASE_FLAGS, Context, sync_command


@sync_command("List the newest runs, newest first. Reads the database only.", *DATABASE_FLAGS)
@click.option("-n", "--most", default=10, show_default=True, type=click.IntRange(1, 2**63 - 1), help="How many.")
@click.option("--rejected", "rejected_run", type=NUMBER, metavar="RUN", help="Show the records that this run could not read.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, most: int, rejected_run: int | None, as_json: bool) -> None:
    """List runs."""
    from sync.reader.runs import rejected, require_run, runs
    from sync.terminal.paint import mark
    from sync.terminal.rows import rejected_rows, run_rows
    from sync.terminal.tables import table

    if rejected_run is not None:
        engine = context.engine()
        require_run(engine, rejected_run)
        records = rejected(engine, rejected_run)
        shown, rows = records, rejected_rows(records)
    else:
        found = runs(context.engine(), most)
        shown, rows = [run.as_json() for run in found], run_rows(found)
    if as_json:
        context.out.json(shown)
    else:
        context.out.lines(table(rows, context.out.width, mark))
