"""`health`: a container's probe: 0 if the last success is within the staleness budget, else 1."""

from __future__ import annotations

import sys

from sync.commands.edge import DATABASE_FLAGS, Context, sync_command, tell


@sync_command("Answer a container's probe: 0 if the last success is fresh enough, else 1.", *DATABASE_FLAGS, "stale_after")
def command(context: Context) -> None:
    """Answer 0 or 1; `main` turns every other exit code of this command into 1."""
    from sync.commands.synchronising import now
    from sync.db.queries import last_success
    from sync.report import age

    ended = last_success(context.engine())
    budget = context.settings.staleness_budget
    if ended is None:
        tell("unhealthy: there was no successful run yet")
        sys.exit(1)
    seconds = (now() - ended).total_seconds()
    verdict = "unhealthy" if seconds > budget else "healthy"
    tell(f"{verdict}: the last success was {age(seconds)} ago, the budget is {age(budget)}")
    sys.exit(seconds > budget)
