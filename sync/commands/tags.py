"""`tags`: the tags, and the number of templates of each."""

from __future__ import annotations

from sync.commands.base import DATABASE_FLAGS, Context, json_flag, sync_command
from sync.commands.listing import limit


@sync_command("List the tags of present templates with their number of templates, most frequent first.", *DATABASE_FLAGS)
@limit("Maximum number of rows.")
@json_flag()
def command(context: Context, *, limit: int | None, as_json: bool) -> None:
    """List tags."""
    from sync.reader.catalog import tag_counts
    from sync.terminal.tables import tag_rows
    from sync.text import count_of

    found = tag_counts(context.engine())
    if as_json:
        from sync.outputs.commands import TagCount

        context.out.json([TagCount(**each) for each in found[:limit]])
        return
    if found[:limit]:
        context.out.table(tag_rows(found[:limit]))
    context.out.message(f"{count_of(len(found), 'tag')}; `template-sync list --tag TAG` accepts either language")
