"""`refresh ID`: fetch one template now and record what changed in it."""

from __future__ import annotations

import click

from sync.commands.edge import ASKING_FLAGS, RUN_FLAGS, Context, sync_command
from sync.commands.listing import TEMPLATE_ID
from sync.commands.site import keep_gallery, require_gallery


@sync_command(
    "Fetch one template now and record its changes.",
    *ASKING_FLAGS,
    "lease_ttl",
    unused=RUN_FLAGS,
    quiet=True,
    needs_key=True,
    acts=True,
)
@click.argument("template_id", metavar="ID", type=TEMPLATE_ID)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(context: Context, *, template_id: str, as_json: bool) -> None:
    """Fetch one template."""
    require_gallery(context.settings)
    engine = context.engine()
    context.start_logging()
    from sync.commands.synchronising import endpoint_of, finish, now, refuse_sample, told_as_json
    from sync.logs import log_run
    from sync.reader.catalog import template
    from sync.store.apply import Store
    from sync.store.schema import prepare
    from sync.synchronise import refresh

    with told_as_json(context.out, "refresh", json=as_json):
        prepare(engine)
        refuse_sample(context.settings, engine)
    with endpoint_of(context.settings) as endpoint:
        outcome = refresh(Store(engine), endpoint, template_id, ttl=context.settings.lease_ttl, clock=now)
    log_run(outcome)
    if outcome.plan and (outcome.plan.changes.changes or outcome.plan.changes.unpublished):
        keep_gallery(context.settings, engine)
    if outcome.plan and not outcome.plan.snapshot.ids:
        template(engine, template_id)  # one that was never seen is a slip of the user's, not of the catalog's
        context.out.message(
            "note: the catalog no longer has this template; the next run, which walks the whole catalog, decides whether it is "
            "removed."
        )
    finish(context.out, outcome, json=as_json)
