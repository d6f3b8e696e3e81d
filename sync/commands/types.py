"""`types`: the template types, and the number of templates of each."""

from __future__ import annotations

from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import limit


@sync_command(
    "List the types of present templates with their number of templates, most frequent first.", *DATABASE_FLAGS, json=AS_JSON
)
@limit("Maximum number of rows.")
def command(context: Context, *, limit: int | None) -> None:
    """List types."""
    from sync.reader.catalog import type_counts
    from sync.terminal.tables import type_rows
    from sync.text import count_of

    found = type_counts(context.engine())
    context.print_rows(found[:limit], type_rows(found[:limit]))
    if not context.as_json:
        context.out.message(count_of(len(found), "type"))
