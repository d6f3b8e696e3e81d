"""`lease`: show the holder of the lease, or release it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sync.commands.base import AS_JSON, DATABASE_FLAGS, LOG_FLAGS, Context, sync_command
from sync.errors import UsageError

if TYPE_CHECKING:
    from sync.outputs.catalog import Output
    from sync.store.lease import Holder


@click.group(help="Show or release the lease, the lock of the active run.")
def command() -> None:
    """Define the group."""


@sync_command("Show which process holds the lease.", *DATABASE_FLAGS, group=command, json=AS_JSON)
def show(context: Context) -> None:
    """Show the holder."""
    from sync.reader.status import overview

    holder = overview(context.engine()).holder
    if context.as_json:
        from sync.outputs.commands import Lease

        context.out.json(lease_output(Lease, holder))
        return
    line = "free: no run is active"
    if holder.active:
        line = f"{holder.name}, expires in {holder.seconds_left:.0f} s unless renewed (fencing token {holder.fence})"
    elif holder.dead:
        line = f"free: {holder.name} ended without releasing the lease; the next run acquires it"
    context.out.lines([line])


def lease_output(kind: type[Output], holder: Holder) -> Output:
    """Build the JSON output of the lease; a free one has no holder."""
    from sync.outputs.catalog import built

    name, seconds_left = (holder.name, round(holder.seconds_left, 1)) if holder.active else (None, 0)
    return built(kind, holder, holder=name, seconds_left=seconds_left)


@sync_command(
    "Release the lease of the active run by force. The lease of a dead process expires by itself.",
    *DATABASE_FLAGS, *LOG_FLAGS, quiet=True, has_effect=True, group=command,
)  # fmt: skip
@click.option("--force", is_flag=True, help="Confirm. The run that holds the lease can then not commit.")
def release(context: Context, *, force: bool) -> None:
    """Release the lease."""
    if not force:
        raise UsageError("The run that holds the lease cannot commit after its release.", hint="Add --force to confirm.")
    context.start_logging()
    from sync.logs import get_logger
    from sync.store.lease import break_lease

    former = break_lease(context.engine())
    get_logger().warning("lease_released_by_force", holder=former.name, fence=former.fence)
    released = f"The lease of {former.name} was released; its run cannot commit."
    context.out.message(released if former.active else "The lease was free.")
