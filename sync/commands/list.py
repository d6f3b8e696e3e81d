"""`list`: the catalog, filtered."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from sync.commands.edge import DATABASE_FLAGS, Context, sync_command
from sync.errors import UsageError

if TYPE_CHECKING:
    from sync.catalog.template import Document

TITLE_COLUMNS = 20  # on a terminal; prices are worth more room there than the end of a long title


@sync_command("List the present catalog, filtered. Reads the database only.", *DATABASE_FLAGS)
@click.option("--tag", help="Only with this tag, in either language.")
@click.option("--type", "template_type", help="Only of this type, such as BEGIN_END_FRAME.")
@click.option("--resolution", help="Only with a price at this resolution, such as 720p.")
@click.option("--max-price", metavar="CREDITS", help="Only at most so dear, at --resolution or at any.")
@click.option("--input", "input_requirement", help="Only with this input requirement, such as SINGLE_PERSON.")
@click.option("--text", help="Only with this text in a title or tag, in either language.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, as_json: bool, max_price: str | None, **wanted: Any) -> None:
    """List the catalog."""
    from sync.reader.catalog import catalog
    from sync.terminal.paint import mark
    from sync.terminal.rows import template_rows
    from sync.terminal.tables import table

    limit = _credits(max_price)
    found = [each for each in catalog(context.engine()) if matches(each, max_price=limit, **wanted)]
    if as_json:
        context.out.json(found)
        return
    width = context.out.width
    context.out.lines(table(template_rows(found, width and TITLE_COLUMNS), width, mark))
    context.out.message(f"{len(found)} templates")


def matches(
    document: Document,
    *,
    tag: str | None = None,
    template_type: str | None = None,
    resolution: str | None = None,
    max_price: Decimal | None = None,
    input_requirement: str | None = None,
    text: str | None = None,
) -> bool:
    """Tell whether a template passes every filter. In Python, not SQL: the three databases compare letters differently."""
    names = [name for each in document["tags"] for name in (each["name"], each["name_en"]) if name]
    prices = [item for item in document["consume_items"] if resolution is None or item["resolution"] == resolution]
    texts = (document["title"], document["title_en"], *names)
    return (
        (tag is None or any(_same(tag, name) for name in names))
        and (template_type is None or _same(template_type, document["template_type"]))
        and (input_requirement is None or _same(input_requirement, document["input_requirement"]))
        and (resolution is None or bool(prices))
        and (max_price is None or any(Decimal(str(item["credit"])) <= max_price for item in prices))
        and (text is None or any(text.casefold() in each.casefold() for each in texts if each))
    )


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.casefold() == other.casefold()


def _credits(value: str | None) -> Decimal | None:
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UsageError(f"--max-price: {value!r} is not a number of credits.")
    return number
