"""`show ID`: one template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import AS_OF, TEMPLATE_ID, find_run

if TYPE_CHECKING:
    from datetime import datetime


@sync_command("Show one template, present or removed.", *DATABASE_FLAGS, json=AS_JSON)
@click.argument("template_id", metavar="ID", type=TEMPLATE_ID)
@AS_OF
def command(context: Context, *, template_id: str, as_of: int | datetime | None) -> None:
    """Show one template."""
    from sync.reader.catalog import find_template
    from sync.reader.stored_templates import printed

    engine = context.engine()
    found = find_template(engine, template_id, after_run=find_run(engine, as_of)).as_json()
    if context.as_json:
        from sync.outputs.catalog import ShownTemplate

        context.out.json(ShownTemplate(**printed(found)))
    else:
        context.out.lines(lines(found))


def lines(found: dict[str, Any]) -> list[str]:
    """Format a template as text, one line per field."""
    from sync.terminal.lines import mark, pad, prices, tag_text, value_text, wide
    from sync.text import escape_control_characters

    shown = {
        **found,
        "consume_items": prices(found) or None,
        "tags": ", ".join(map(tag_text, found["tags"])) or None,
        "aspect_ratios": found["aspect_ratios"],
    }
    extra = shown.pop("extra")
    shown |= {f"extra.{name}": value for name, value in extra.items()}
    named = {escape_control_characters(name): value for name, value in shown.items()}
    width = max(map(wide, named))
    return [f"{mark(pad(name, width), 'bold')}  {value_text(value)}" for name, value in named.items()]
