"""`history ID`: the changes of one template."""

from __future__ import annotations

import click

from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import TEMPLATE_ID, limit
from sync.reader.catalog import find_template
from sync.reader.feed import changes
from sync.terminal.lines import change_lines, mark


@sync_command("Show the changes of one template, oldest first.", *DATABASE_FLAGS, json=AS_JSON)
@click.argument("template_id", metavar="ID", type=TEMPLATE_ID)
@limit("Only the newest N changes.")
def command(context: Context, *, template_id: str, limit: int | None) -> None:
    """Show one template's changes."""
    engine = context.engine()
    known = find_template(engine, template_id).as_json()
    found = changes(engine, template_id=template_id, most=limit)
    if context.as_json:
        context.out.json(found)
        return
    for change in found:
        context.out.lines([mark(f"run {change['run_id']}, {change['at']}", "bold")])
        context.out.lines(f"  {line}" for line in change_lines(change))
    if not found and limit != 0:
        context.out.message(f"no changes are retained: the last one, at {known['changed_at']}, was pruned")
