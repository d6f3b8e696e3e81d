"""`run`: one synchronisation."""

from __future__ import annotations

import gc
import random as randomness

import click

from sync.commands.base import RUN_FLAGS, Context, json_flag, now, sync_command
from sync.commands.output import progress_on_terminal
from sync.commands.synchronising import (
    finish,
    heartbeat_for_run,
    open_endpoint,
    report_errors_as_json,
    require_gallery,
    update_gallery,
    write_metrics,
)


@sync_command(
    "Synchronise once: fetch every page, compare it with the database, store and print the changes.\n\n"
    "Exit codes: 0 done; 3 changes (with --exit-code); 4 removals held; 69 database; 75 try again later; "
    "76 invalid response, or the walk could not be verified; 77 API key or account; 78 configuration.",
    *RUN_FLAGS,
    quiet=True,
    needs_key=True,
    has_effect=True,
)
@click.option("--dry-run", is_flag=True, help="Fetch and compare, but write nothing.")
@click.option(
    "--accept-removals", is_flag=True, help="Apply held removals, and unconfirmed ones whose look-up gets a 404 or an empty list."
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 if there were changes.")
@click.option(
    "--record",
    metavar="FILE",
    help="Record every response, without the API key, for `sandbox --replay FILE`; see docs/operations.md.",
)
@json_flag("Print the result as JSON.")
def command(
    context: Context, *, dry_run: bool, accept_removals: bool, exit_code: bool, record: str | None, as_json: bool
) -> None:
    """Synchronise once."""
    # The process makes one run: collections would scan the objects of a large catalog repeatedly, without garbage.
    gc.disable()
    settings, out = context.settings, context.out
    require_gallery(settings)
    engine = context.engine()
    context.start_logging()
    from sync.logs import log_run
    from sync.store.apply import Store
    from sync.store.schema import is_empty, prepare, require_current_schema
    from sync.store.state import require_origin
    from sync.synchronise import RunOptions, preview, synchronise

    options = RunOptions.of(settings, accept_removals=accept_removals)
    progress = progress_on_terminal(out)
    recording, random = None, randomness.random
    if record is not None:
        from sync.recording.record import start_recording

        context.refuse_file_in_use(record)
        recording = start_recording(record, settings, now())
        random = recording.random
        context.closing.callback(lambda: out.message(recording.summary()))
        context.closing.enter_context(recording)
    if dry_run:
        with report_errors_as_json(out, "dry-run", json=as_json):
            store = None if engine.dialect.name == "sqlite" and is_empty(engine) else Store(engine)
            if store:
                require_current_schema(engine)
        with open_endpoint(settings, recording) as endpoint:
            outcome = preview(store, endpoint, options, clock=now, random=random, progress=progress)
        finish(out, outcome, json=as_json, exit_code=exit_code)
        return
    with report_errors_as_json(out, "run", json=as_json):
        prepare(engine)
        require_origin(engine, settings.base_url)
    with heartbeat_for_run(settings, engine) as report_result, open_endpoint(settings, recording) as endpoint:
        outcome = synchronise(
            Store(engine), endpoint, options, trigger="run", ttl=settings.lease_ttl, clock=now, random=random, progress=progress
        )
        report_result(outcome)
    log_run(outcome)
    site = update_gallery(settings, engine) if outcome.plan else None
    write_metrics(settings, engine, outcome, site=site)
    finish(out, outcome, json=as_json, exit_code=exit_code)
