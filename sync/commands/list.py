"""`list`: the templates of the catalog, with filters."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import click

from sync.catalog.selection import SORTS
from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import AS_OF, find_run, limit, report_unknown_words, whole_number

if TYPE_CHECKING:
    from datetime import datetime


@sync_command("List templates, with filters.", *DATABASE_FLAGS, json=AS_JSON)
@click.option("--tag", multiple=True, metavar="TAG", help="Only templates with this tag, in Chinese or English. Repeatable.")
@click.option("--type", "type", metavar="TYPE", help="Only templates of this type, such as BEGIN_END_FRAME.")
@click.option(
    "--requirement", metavar="WORD", help="Only templates with this requirement for the input images, such as SINGLE_PERSON."
)
@click.option("--input", "requirement", hidden=True)
@click.option("--images", type=whole_number(0), metavar="N", help="Only templates with this number of input images.")
@click.option("--resolution", metavar="NAME", help="Only templates with a price at this resolution, such as 720p.")
@click.option("--ratio", metavar="W:H", help="Only templates that support this aspect ratio, such as 9:16.")
@click.option("--min-price", metavar="CREDITS", help="Minimum price at --resolution; without it, at the cheapest resolution.")
@click.option("--max-price", metavar="CREDITS", help="Maximum price at --resolution; without it, at the cheapest resolution.")
@click.option("--search", metavar="WORDS", help="Only templates with each of these words in a title, a tag or the ID.")
@click.option("--text", "search", hidden=True)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="id",
    show_default=True,
    help="newest: by release; price: lowest first, at --resolution if given; name: by title, in English if available.",
)
@limit("Maximum number of rows.")
@AS_OF
def command(context: Context, *, as_of: int | datetime | None, **wanted: Any) -> None:
    """List the catalog."""
    gc.disable()  # as in `run`: collections would scan every document repeatedly, without garbage
    from sync.catalog.selection import make_selection
    from sync.reader.catalog import select_templates
    from sync.reader.stored_templates import printed
    from sync.terminal.tables import template_rows
    from sync.text import count_of

    try:
        selection = make_selection(**wanted)
    except ValueError as error:
        argument, _, why = str(error).partition(": ")
        raise click.UsageError(f"--{argument.replace('_', '-')}: {why}") from None
    engine = context.engine()
    found = [each.document for each in select_templates(engine, selection, after_run=find_run(engine, as_of))]
    if context.as_json:
        context.out.json_parts([], map(printed, found))
    elif found:
        context.out.table(template_rows(found), whole=("ID", "PRICES"), omit=("TAGS", "TYPE", "INPUT"))
    if not context.as_json:
        context.out.message(count_of(len(found), "template"))
    if not found:
        report_unknown_words(context.out, engine, selection)
