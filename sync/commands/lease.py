"""`lease`: show the holder of the lease, or release it."""

from __future__ import annotations

import click

from sync.commands.base import DATABASE_FLAGS, LOG_FLAGS, Context, json_flag, sync_command
from sync.errors import UsageError


@click.group(help="Show or release the lease that runs hold.")
def command() -> None:
    """Define the group."""


@sync_command("Show the lease holder.", *DATABASE_FLAGS)
@json_flag()
def show(context: Context, *, as_json: bool) -> None:
    """Show the holder."""
    from sync.reader.status import overview

    holder = overview(context.engine()).holder
    if as_json:
        from sync.outputs.commands import Lease

        left = max(0.0, round(holder.seconds_left, 1)) if holder.active else 0
        name = holder.name if holder.active else None
        context.out.json(Lease(active=holder.active, holder=name, fence=holder.fence, seconds_left=left))
    elif holder.active:
        context.out.lines(
            [f"{holder.name}, expires in {holder.seconds_left:.0f} s unless renewed (fencing token {holder.fence})"]
        )
    elif holder.dead:
        context.out.lines([f"free: {holder.name} ended without releasing the lease; the next run acquires it"])
    else:
        context.out.lines(["free: no run is active"])


@sync_command(
    "Release the lease of the current holder by force. The lease of a dead holder expires by itself.",
    *DATABASE_FLAGS,
    *LOG_FLAGS,
    quiet=True,
    has_effect=True,
)
@click.option("--force", is_flag=True, help="Confirm the release. The run that holds the lease can then no longer commit.")
def release(context: Context, *, force: bool) -> None:
    """Release the lease."""
    if not force:
        raise UsageError("The active run will then not commit.", hint="Add --force to confirm.")
    context.start_logging()
    from sync.logs import get_logger
    from sync.store.lease import break_lease

    former = break_lease(context.engine())
    get_logger().warning("lease_released_by_force", holder=former.name, fence=former.fence)
    if not former.active:
        context.out.message("The lease was free.")
        return
    context.out.message(f"The lease of {former.name} was released; its run cannot commit.")


for _name, _command in (("show", show), ("release", release)):
    command.add_command(_command, _name)
