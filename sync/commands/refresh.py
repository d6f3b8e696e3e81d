"""`refresh ID`: fetch one template now and record its changes."""

from __future__ import annotations

import click

from sync.commands.base import ASKING_FLAGS, RUN_FLAGS, Context, now, sync_command
from sync.commands.listing import TEMPLATE_ID, Parsed
from sync.commands.run import finish, open_endpoint, report_errors_as_json, require_gallery, update_gallery
from sync.config.settings import parse_duration_or_zero


@sync_command(
    "Fetch one template now and record its changes.",
    "lease_ttl",
    *ASKING_FLAGS, unused=RUN_FLAGS, quiet=True, needs_key=True, has_effect=True, json="Print the result as JSON.",
)  # fmt: skip
@click.argument("template_id", metavar="ID", type=TEMPLATE_ID)
@click.option(
    "--wait", metavar="DURATION", type=Parsed(parse_duration_or_zero, "expected {error}, not {text}."), default="30s",
    help="Maximum wait for an active run or refresh; default 30s.",
)  # fmt: skip
def command(context: Context, *, template_id: str, wait: float) -> None:
    """Fetch one template."""
    require_gallery(context.settings)
    engine = context.engine()
    context.start_logging()
    from sync.logs import log_run
    from sync.reader.catalog import find_template
    from sync.refresh import refresh
    from sync.store.apply import Store
    from sync.store.schema import prepare
    from sync.store.state import require_origin

    with report_errors_as_json(context.out, "refresh", json=context.as_json):
        prepare(engine)
        require_origin(engine, context.settings.base_url)
    with open_endpoint(context.settings) as endpoint:
        outcome = refresh(Store(engine), endpoint, template_id, ttl=context.settings.lease_ttl, clock=now, wait=wait)
    log_run(outcome)
    if outcome.plan and (outcome.plan.changes.changes or outcome.plan.changes.unpublished):
        update_gallery(context.settings, engine)
    if outcome.plan and not outcome.plan.snapshot.ids:
        if find_template(engine, template_id).removed_at is None:  # it raises a usage error for an unknown ID
            context.out.message(
                "note: the catalog no longer has this template; the next run, which walks the whole catalog, decides whether it "
                "is removed."
            )
        else:
            context.out.message("note: this template is removed, and the catalog still does not have it.")
    finish(context.out, outcome, json=context.as_json)
