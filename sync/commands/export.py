"""`export`: the present catalog, byte for byte the same for the same catalog."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import click

from sync.commands.edge import DATABASE_FLAGS, Context, sync_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.snapshot import Document

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@sync_command("Write the present catalog to stdout, by id. Reads the database only.", *DATABASE_FLAGS)
@click.option(
    "--format", "style", type=click.Choice(["jsonl", "json", "csv"]), default="jsonl", show_default=True, help="How to write it."
)
def command(context: Context, *, style: str) -> None:
    """Write the catalog."""
    from sync.db.queries import catalog

    writers = {"jsonl": as_json_lines, "json": as_json, "csv": as_csv}
    click.echo(writers[style](catalog(context.engine())).encode(), nl=False)


def as_json_lines(documents: Sequence[Document]) -> str:
    """Write one JSON object a line."""
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)


def as_json(documents: Sequence[Document]) -> str:
    """Write one JSON array."""
    return json.dumps(documents, ensure_ascii=False, indent=2) + "\n"


def as_csv(documents: Sequence[Document]) -> str:
    """Write a spreadsheet (RFC 4180): lists joined by semicolons, unknown fields as JSON."""
    from sync.snapshot import SCALARS

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
            "extra": json.dumps(document["extra"], ensure_ascii=False) if document["extra"] else "",
        }
        writer.writerow([_cell(flat[column]) for column in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    """Keep a stranger's text from being run as a formula by a spreadsheet: an apostrophe makes it plain text there."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
