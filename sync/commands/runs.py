"""`runs`: the newest runs, or the rejected records of one."""

from __future__ import annotations

import click

from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import NUMBER, limit

NEWEST = 10


@sync_command("List the most recent runs, newest first.", *DATABASE_FLAGS, json=AS_JSON)
@limit(f"Maximum number of runs, by default {NEWEST}; with --rejected, of records, by default all.", "--most")
@click.option("--rejected", "rejected_run", type=NUMBER, metavar="RUN", help="List instead the records that this run rejected.")
def command(context: Context, *, limit: int | None, rejected_run: int | None) -> None:
    """List runs."""
    from sync.reader.status import rejected, require_run, runs
    from sync.terminal.tables import rejected_rows, run_rows

    if rejected_run is not None:
        engine = context.engine()
        require_run(engine, rejected_run)
        records = rejected(engine, rejected_run)[:limit]
        shown, rows, none = records, rejected_rows(records), f"run {rejected_run} rejected no records"
    else:
        found = runs(context.engine(), NEWEST if limit is None else limit)
        shown, rows = [run.as_json() for run in found], run_rows(found)
        none = "no runs yet; `template-sync run` makes the first"
    context.print_rows(shown, rows)
    if not (shown or context.as_json or limit == 0):
        context.out.message(none)
