"""`diff RUN RUN`: what changed between two runs, net."""

from __future__ import annotations

import click

from sync.commands.arguments import NUMBER
from sync.commands.edge import DATABASE_FLAGS, Context, sync_command


@sync_command("Show what changed between the catalogs after two runs, net. Reads the database only.", *DATABASE_FLAGS)
@click.argument("before", type=NUMBER, metavar="RUN")
@click.argument("after", type=NUMBER, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, before: int, after: int, as_json: bool) -> None:
    """Show what changed between two runs."""
    from sync.catalog.net_changes import net_changes
    from sync.reader.history import catalog_after
    from sync.terminal.changes import change_lines
    from sync.terminal.paint import mark

    engine = context.engine()
    found = net_changes(catalog_after(engine, before), catalog_after(engine, after))
    if as_json:
        context.out.json(found)
        return
    for change in found:
        context.out.lines(change_lines(change, mark))
    if not found:
        context.out.message(f"no changes between run {before} and run {after}")
