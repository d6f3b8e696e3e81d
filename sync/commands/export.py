"""`export`: the catalog as JSON lines, JSON or CSV; equal catalogs give equal bytes."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import click

from sync.commands.base import DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import AS_OF, WholeNumber
from sync.errors import UsageError
from sync.text import escape_control_characters, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.catalog.document import Document

FORMATS = ("jsonl", "json", "csv", "atom")
_FORMULA = re.compile(r"(^|[;,|\t\r\n])(?=[=+\-@\t\r\n＝＋－＠])")
"""The positions where a spreadsheet may see a formula; semicolon, tab and line break may end a cell."""


@sync_command(
    "Write the catalog to stdout, ordered by ID; with --format atom the newest changes. Reads the database only.", *DATABASE_FLAGS
)
@click.option("--format", "style", type=click.Choice(FORMATS), default="jsonl", show_default=True, help="Output format.")
@click.option(
    "--newest",
    type=WholeNumber(1, 1000),
    metavar="N",
    default=50,
    show_default=True,
    help="With --format atom: maximum number of changes.",
)
@AS_OF
@click.option(
    "--with-cursor",
    is_flag=True,
    help="Also write the feed cursor of this snapshot, to continue with `changes --since`. JSON: an object with `cursor` and "
    "`templates`. JSON lines: a first line with `cursor`.",
)
@click.option("--json", "as_one", is_flag=True, help="Same as --format json.")
def command(context: Context, *, style: str, newest: int, as_one: bool, as_of: int | datetime | None, with_cursor: bool) -> None:
    """Write the catalog."""
    from sync.commands.listing import find_run
    from sync.reader.catalog import catalog, catalog_and_cursor

    if as_one and style in {"csv", "atom"}:
        raise UsageError(f"--json and --format {style} cannot be combined.", hint="Use one of them.")
    style = "json" if as_one else style
    if with_cursor and style not in {"jsonl", "json"}:
        raise UsageError(f"--format {style} cannot contain a cursor.", hint="Use --format jsonl or json with --with-cursor.")
    if style == "atom" and as_of is not None:
        raise UsageError("An Atom feed has no --as-of: it lists the newest changes.", hint="Use --as-of with another format.")
    engine = context.engine()
    after_run = find_run(engine, as_of)
    if style == "atom":
        text = _atom(engine, newest)
    elif with_cursor:
        cursor, documents = catalog_and_cursor(engine, after_run=after_run)
        text = as_json_with_cursor(documents, cursor) if style == "json" else as_json_lines_with_cursor(documents, cursor)
    else:
        writers = {"jsonl": as_json_lines, "json": as_json, "csv": as_csv}
        text = writers[style](catalog(engine, after_run=after_run))
    if context.out.on_terminal:
        text = "\n".join(map(escape_control_characters, text.split("\n")))
    context.out.data(text)


def _atom(engine: Engine, newest: int) -> str:
    from sync.reader import feed, status
    from sync.terminal.changes import as_atom

    return as_atom(feed.changes(engine, most=newest), status.overview(engine).feed_epoch)


def as_json_lines(documents: Sequence[Document]) -> str:
    """Return one JSON object per line."""
    from sync.reader.stored_templates import printed

    return "".join(json_text(printed(document)) + "\n" for document in documents)


def as_json(documents: Sequence[Document]) -> str:
    """Return one JSON array."""
    from sync.reader.stored_templates import printed

    return json_text([printed(document) for document in documents], indent=2) + "\n"


def as_json_lines_with_cursor(documents: Sequence[Document], cursor: str) -> str:
    """Return a line with the cursor, then one JSON object per line."""
    return json_text({"cursor": cursor}) + "\n" + as_json_lines(documents)


def as_json_with_cursor(documents: Sequence[Document], cursor: str) -> str:
    """Return one JSON object: the cursor, and the catalog at that cursor."""
    from sync.reader.stored_templates import printed

    return json_text({"cursor": cursor, "templates": [printed(document) for document in documents]}, indent=2) + "\n"


def as_csv(documents: Sequence[Document]) -> str:
    """Return CSV (RFC 4180): lists are joined by semicolons, unknown fields are JSON."""
    from sync.catalog.fields import SCALARS

    columns = ["template_id", *SCALARS.values(), "consume_items", "tags", "tags_en", "aspect_ratios", "extra"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for document in documents:
        flat = {
            **document,
            "consume_items": ";".join(f"{item['resolution']}={item['credit']}" for item in document["consume_items"]),
            "tags": ";".join(tag["name"] for tag in document["tags"]),
            "tags_en": ";".join(tag["name_en"] or "" for tag in document["tags"]),
            "aspect_ratios": ";".join(document["aspect_ratios"]),
            "extra": json_text(document["extra"]) if document["extra"] else "",
        }
        writer.writerow([_cell(flat[column]) for column in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    """Prefix an apostrophe where a spreadsheet would run the catalog's text as a formula."""
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
