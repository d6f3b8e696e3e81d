"""`types`: the template types, and the number of templates of each."""

from __future__ import annotations

from sync.commands.base import DATABASE_FLAGS, Context, json_flag, sync_command
from sync.commands.listing import limit


@sync_command("List the types of present templates with their number of templates, most frequent first.", *DATABASE_FLAGS)
@limit("Maximum number of rows.")
@json_flag()
def command(context: Context, *, limit: int | None, as_json: bool) -> None:
    """List types."""
    from sync.reader.catalog import type_counts
    from sync.terminal.tables import type_rows
    from sync.text import count_of

    found = type_counts(context.engine())
    if as_json:
        from sync.outputs.commands import TypeCount

        context.out.json([TypeCount(**each) for each in found[:limit]])
        return
    if found[:limit]:
        context.out.table(type_rows(found[:limit]))
    context.out.message(count_of(len(found), "type"))
