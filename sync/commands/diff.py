"""`diff RUN RUN`: what changed between two runs, net."""

from __future__ import annotations

import click

from sync.commands.edge import DATABASE_FLAGS, Context, emit_json, painter, print_lines, sync_command, tell


@sync_command("Show what changed between the catalogs after two runs, net. Reads the database only.", *DATABASE_FLAGS)
@click.argument("before", type=int, metavar="RUN")
@click.argument("after", type=int, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, before: int, after: int, as_json: bool) -> None:
    """Show what changed between two runs."""
    from sync.db.queries import catalog_after
    from sync.diff import net_changes
    from sync.report import change_lines

    engine = context.engine()
    found = net_changes(catalog_after(engine, before), catalog_after(engine, after))
    if as_json:
        emit_json(found)
        return
    paint = painter()
    for change in found:
        print_lines(change_lines(change, paint))
    if not found:
        tell(f"no changes between run {before} and run {after}")
