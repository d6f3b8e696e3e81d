"""`diff BEFORE [AFTER]`: the net changes between two points in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, now, sync_command
from sync.commands.listing import AS_OF, POINT_IN_TIME, limit

if TYPE_CHECKING:
    from datetime import datetime


@sync_command(
    "Show the differences between the catalogs after two runs or at two times. Without a second one: up to --as-of, or to now.",
    *DATABASE_FLAGS, json=AS_JSON,
)  # fmt: skip
@click.argument("before", type=POINT_IN_TIME, metavar="RUN|INSTANT")
@click.argument("after", type=POINT_IN_TIME, metavar="[RUN|INSTANT]", required=False)
@AS_OF
@limit("Maximum number of changes.")
def command(
    context: Context, *, before: int | datetime, after: int | datetime | None, as_of: int | datetime | None, limit: int | None
) -> None:
    """Show the net changes."""
    from sync.reader.past import difference
    from sync.terminal.lines import change_lines

    if after is not None and as_of is not None:
        raise click.UsageError("diff accepts a second run or instant, or --as-of, not both.")
    found = difference(context.engine(), before, as_of if after is None else after, now())
    shown = found.changes[:limit]
    if context.as_json:
        context.out.json([_as_json(change) for change in shown])
        return
    for change in shown:
        context.out.lines(change_lines(change))
    if len(shown) < len(found.changes):
        context.out.message(f"only the first {len(shown)} of {len(found.changes)} changes are shown")
    if not found.changes:
        context.out.message(f"no changes between run {found.before_run} and run {found.after_run}")


def _as_json(change: dict[str, Any]) -> dict[str, Any]:
    from sync.reader.stored_templates import printed

    return {name: printed(value) if name in {"document", "before"} and value else value for name, value in change.items()}
