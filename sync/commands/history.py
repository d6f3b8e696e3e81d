"""`history ID`: how one template changed."""

from __future__ import annotations

import click

from sync.commands.edge import DATABASE_FLAGS, Context, emit_json, painter, print_lines, sync_command, tell


@sync_command("Show how one template changed, oldest first. Reads the database only.", *DATABASE_FLAGS)
@click.argument("template_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, template_id: str, as_json: bool) -> None:
    """Show one template's changes."""
    from sync.db.queries import changes, template
    from sync.report import change_lines

    engine = context.engine()
    known = template(engine, template_id)
    found = changes(engine, template_id=template_id)
    if as_json:
        emit_json(found)
        return
    paint = painter()
    for change in found:
        print_lines(
            [paint(f"run {change['run_id']}, {change['at']}", "bold"), *(f"  {line}" for line in change_lines(change, paint))]
        )
    if not found:
        tell(f"no changes on record; the last one was at {known['changed_at']}, and the feed before it was pruned")
