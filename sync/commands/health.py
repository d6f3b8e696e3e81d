"""`health`: the probe of a container: exit code 0 if the last success is not stale, else 1."""

from __future__ import annotations

import sys

from sync.commands.base import DATABASE_FLAGS, Context, now, sync_command


@sync_command(
    "Health probe for containers: exit code 0 if the last run with the status `succeeded` is not stale, else 1.",
    "stale_after",
    *DATABASE_FLAGS, has_effect=True,
)  # fmt: skip
def command(context: Context) -> None:
    """Exit with 0 or 1; `main` replaces every other exit code of this command by 1."""
    from sync.reader.status import is_stale, last_success
    from sync.text import age, ago

    success = last_success(context.engine())
    ended = success.finished_at if success else None
    budget = context.settings.staleness_budget
    if ended is None:
        context.out.message("unhealthy: no successful run yet")
        sys.exit(1)
    moment = now()
    stale = is_stale(ended, moment, budget)
    when = ago((moment - ended).total_seconds())
    context.out.message(f"{'unhealthy' if stale else 'healthy'}: the last success was {when}, stale after {age(budget)}")
    sys.exit(stale)
