"""`prune`: delete old history; the catalog and the rest of the feed stay complete."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from sync.commands.base import DATABASE_FLAGS, LOG_FLAGS, Context, now, sync_command
from sync.commands.listing import whole_number
from sync.config.settings import parse_duration
from sync.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sync.webhooks.endpoints import Position


@sync_command(
    "Delete old runs, changes, versions of templates and rejected records, but no template. A cursor is lost if changes after it "
    "are deleted.",
    *DATABASE_FLAGS, *LOG_FLAGS, has_effect=True, json="Print the counts as JSON.",
)  # fmt: skip
@click.option("--older-than", metavar="AGE", help="Delete history that is older, such as 90d.")
@click.option(
    "--keep-runs", type=whole_number(1, 2**63 - 1), metavar="N", help="Keep the newest N runs; delete the history of older ones."
)
@click.option("--dry-run", is_flag=True, help="Only count.")
def command(context: Context, *, older_than: str | None, keep_runs: int | None, dry_run: bool) -> None:
    """Delete old history."""
    if (older_than is None) == (keep_runs is None):
        raise UsageError("Give either --older-than or --keep-runs.", hint="For example --older-than 90d, or --keep-runs 1000.")
    if older_than and older_than.strip()[-1:].isdecimal():
        raise UsageError(f"--older-than: {older_than} has no unit.", hint="Add a unit: 90d, 12h, 30m or 45s.")
    try:
        age = timedelta(seconds=parse_duration(older_than)) if older_than else None
    except ValueError as error:
        raise UsageError(f"--older-than: expected {error}.") from None
    context.start_logging()
    from sync.store.prune import prune
    from sync.text import count_of
    from sync.webhooks.outbox import positions

    engine = context.engine()
    delivery_positions = positions(engine)
    counts = prune(engine, before=None if age is None else now() - age, keep_runs=keep_runs, dry_run=dry_run)
    for name in endpoints_passed((position for position in delivery_positions if not position.paused), counts["oldest_seq"]):
        context.out.message(
            f"warning: undelivered changes of webhook endpoint {name} {'would be' if dry_run else 'were'} deleted; "
            f"it {'would be' if dry_run else 'will be'} paused as lost."
        )
    if context.as_json:
        from sync.outputs.commands import Pruned

        context.out.json(Pruned(**{name.replace(" ", "_"): count for name, count in counts.items()}))
        return
    verb = "would delete" if dry_run else "deleted"
    context.out.message(
        f"{verb} " + ", ".join(count_of(count, what.removesuffix("s")) for what, count in counts.items() if what != "oldest_seq")
    )
    begins = "would begin" if dry_run else "begins"
    context.out.message(f"the feed {begins} at seq {counts['oldest_seq']}")


def endpoints_passed(delivery_positions: Iterable[Position], oldest_seq: int) -> list[str]:
    """Return the names of endpoints whose next change was deleted."""
    return [position.name for position in delivery_positions if position.seq < oldest_seq - 1]
