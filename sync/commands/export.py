"""`export`: the catalog as JSON lines, JSON or CSV; equal catalogs give equal bytes."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import AS_OF, find_run, whole_number
from sync.errors import UsageError
from sync.reader.catalog import open_catalog
from sync.reader.stored_templates import printed
from sync.text import escape_control_characters, json_parts, json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from sync.catalog.document import Document
    from sync.commands.output import Output

FORMATS = ("jsonl", "json", "csv", "atom")
_FORMULA = re.compile(r"(^|[;,|\t\r\n])(?=[=+\-@\t\r\n＝＋－＠])")
"""The positions where a spreadsheet may see a formula; semicolon, tab and line break may end a cell."""


@sync_command("Write the catalog to stdout, ordered by ID; with --format atom the newest changes.", *DATABASE_FLAGS)
@click.option("--format", "style", type=click.Choice(FORMATS), default="jsonl", show_default=True, help="Output format.")
@click.option(
    "--newest", type=whole_number(1, 1000), metavar="N", default=50, show_default=True,
    help="With --format atom: maximum number of changes.",
)  # fmt: skip
@AS_OF
@click.option(
    "--with-cursor",
    is_flag=True,
    help="Also write the cursor from which `changes --since` continues. JSON: an object with `cursor` and `templates`. JSON "
    "lines: a first line with `cursor`.",
)
@click.option("--json", "as_one", is_flag=True, help="Same as --format json.")
def command(context: Context, *, style: str, newest: int, as_one: bool, as_of: int | datetime | None, with_cursor: bool) -> None:
    """Write the catalog."""
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
        from sync.reader import feed, status
        from sync.terminal.lines import as_atom

        _write(context.out, iter([as_atom(feed.changes(engine, most=newest), status.overview(engine).feed_epoch)]))
        return
    with open_catalog(engine, after_run=after_run) as (cursor, documents):
        if style == "csv":
            parts = as_csv(documents)
        else:
            parts = (as_json if style == "json" else as_json_lines)(documents, cursor if with_cursor else None)
        _write(context.out, parts)


def _write(out: Output, parts: Iterator[str]) -> None:
    if out.on_terminal:  # the lines of CSV end with CR LF
        parts = ("\n".join(map(escape_control_characters, part.replace("\r\n", "\n").split("\n"))) for part in parts)
    out.parts(parts)


def as_json_lines(documents: Iterable[Document], cursor: str | None = None) -> Iterator[str]:
    """Yield one JSON object per line, after a line with the cursor if there is one."""
    if cursor is not None:
        yield json_text({"cursor": cursor}) + "\n"
    for document in documents:
        yield json_text(printed(document)) + "\n"


def as_json(documents: Iterable[Document], cursor: str | None = None) -> Iterator[str]:
    """Yield one JSON array; with a cursor, an object with the cursor and the array."""
    whole: Any = [] if cursor is None else {"cursor": cursor, "templates": []}
    yield from json_parts(whole, map(printed, documents), 2)
    yield "\n"


def as_csv(documents: Iterable[Document]) -> Iterator[str]:
    """Yield rows of CSV (RFC 4180): lists are joined by semicolons, unknown fields are JSON."""
    from sync.catalog.fields import SCALARS

    columns = ["template_id", *SCALARS.values(), "consume_items", "tags", "tags_en", "aspect_ratios", "extra"]
    out = io.StringIO()
    writer = csv.writer(out)

    def row(values: Iterable[object]) -> str:
        out.seek(0)
        out.truncate()
        writer.writerow(values)
        return out.getvalue()

    yield row(columns)
    for document in documents:
        flat = {
            **document,
            "consume_items": ";".join(f"{item['resolution']}={item['credit']}" for item in document["consume_items"]),
            "tags": ";".join(tag["name"] for tag in document["tags"]),
            "tags_en": ";".join(tag["name_en"] or "" for tag in document["tags"]),
            "aspect_ratios": ";".join(document["aspect_ratios"]),
            "extra": json_text(document["extra"]) if document["extra"] else "",
        }
        yield row(_cell(flat[column]) for column in columns)


def _cell(value: object) -> object:
    """Prefix an apostrophe where a spreadsheet would run the catalog's text as a formula."""
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
