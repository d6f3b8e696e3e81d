"""`export`: the present catalog, byte for byte the same for the same catalog."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import click

from sync.commands.edge import DATABASE_FLAGS, Context, sync_command
from sync.text import escape_control_characters, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.catalog.template import Document

_FORMULA = re.compile(r"(^|[;,|\t\r\n])(?=[=+\-@\t\r\n＝＋－＠])")
"""Where a spreadsheet may see the beginning of a formula: it may also take a semicolon, a tab or a line for the end of a cell."""


@sync_command("Write the present catalog to stdout, by id. Reads the database only.", *DATABASE_FLAGS)
@click.option(
    "--format", "style", type=click.Choice(["jsonl", "json", "csv"]), default="jsonl", show_default=True, help="How to write it."
)
@click.option("--json", "as_one", is_flag=True, help="The same as --format json.")
def command(context: Context, *, style: str, as_one: bool) -> None:
    """Write the catalog."""
    from sync.reader.catalog import catalog

    writers = {"jsonl": as_json_lines, "json": as_json, "csv": as_csv}
    text = writers["json" if as_one else style](catalog(context.engine()))
    if context.out.on_terminal:
        text = "\n".join(map(escape_control_characters, text.split("\n")))
    context.out.data(text)


def as_json_lines(documents: Sequence[Document]) -> str:
    """Write one JSON object a line."""
    return "".join(json_text(document) + "\n" for document in documents)


def as_json(documents: Sequence[Document]) -> str:
    """Write one JSON array."""
    return json_text(documents, indent=2) + "\n"


def as_csv(documents: Sequence[Document]) -> str:
    """Write a spreadsheet (RFC 4180): lists joined by semicolons, unknown fields as JSON."""
    from sync.catalog.template import SCALARS

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
    """Keep a stranger's text from being run as a formula: an apostrophe makes it plain text for a spreadsheet."""
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
