"""`schema`: the JSON Schema of each JSON output."""

from __future__ import annotations

from difflib import get_close_matches

import click

from sync.commands.base import Context, sync_command
from sync.errors import UsageError


@sync_command(
    "Print the JSON Schema (2020-12) of one JSON output; without NAME, list the names.", json="Print the list of names as JSON."
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--all", "every", is_flag=True, help="Print all schemas in one document, for code generators.")
def command(context: Context, *, name: str | None, every: bool) -> None:
    """Print a schema, or the list of names."""
    from sync.outputs.commands import SchemaName
    from sync.outputs.schema import NAMED, everything, schema

    if every and name is not None:
        raise UsageError("--all prints every schema; omit NAME.")
    if name is not None and name not in NAMED:
        near = get_close_matches(name, NAMED, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`template-sync schema` lists the names."
        raise UsageError(f"There is no schema {name!r}.", hint=hint)
    if every or name is not None:
        context.out.json(everything() if name is None else schema(name))
    else:
        rows = [["NAME", "DESCRIBES"], *([each, what.replace("`", "")] for each, (what, _) in NAMED.items())]
        context.print_rows([SchemaName(each, what) for each, (what, _) in NAMED.items()], rows)
