"""`run`: one synchronisation. `refresh`, `demo` and `daemon` share its parts: API client, heartbeat, gallery, report."""

from __future__ import annotations

import gc
import random as randomness
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import RUN_FLAGS, Context, now, sync_command
from sync.commands.output import progress_on_terminal
from sync.config.load_settings import require_key
from sync.errors import SyncError
from sync.text import count_of, join_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Engine

    from sync.catalog.plan import Plan
    from sync.client.api_client import ApiClient
    from sync.commands.output import Output
    from sync.config.settings import Settings
    from sync.outputs import commands as outputs
    from sync.outputs.catalog import RunChange
    from sync.recording.record import Recording
    from sync.synchronise import Outcome

CHANGES_SHOWN = 40
PING_CLOSE_TIMEOUT = 5.0


@sync_command(
    "Synchronise once: fetch every page, compare it with the database, store and print the changes.\n\n"
    "Exit codes: 0 done; 3 changes (with --exit-code); 4 removals held; 69 database; 75 try again later; "
    "76 invalid, incomplete or inconsistent responses; 77 API key or account; 78 configuration.",
    *RUN_FLAGS, quiet=True, needs_key=True, has_effect=True, json="Print the result as JSON.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Fetch and compare, but write nothing.")
@click.option(
    "--accept-removals",
    is_flag=True,
    help="Apply held removals, and unconfirmed ones whose look-up is answered without the template; see docs/operations.md.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 if there were changes.")
@click.option(
    "--record",
    metavar="FILE",
    help="Record the responses, without the API key, for `sandbox --replay FILE`; see docs/operations.md.",
)
def command(context: Context, *, dry_run: bool, accept_removals: bool, exit_code: bool, record: str | None) -> None:
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
    from sync.synchronise import options_of, preview, synchronise

    options = options_of(settings, accept_removals=accept_removals)
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
        with report_errors_as_json(out, "dry-run", json=context.as_json):
            store = None if engine.dialect.name == "sqlite" and is_empty(engine) else Store(engine)
            if store:
                require_current_schema(engine)
        with open_endpoint(settings, recording) as endpoint:
            outcome = preview(store, endpoint, options, clock=now, random=random, progress=progress)
        finish(out, outcome, json=context.as_json, exit_code=exit_code)
        return
    with report_errors_as_json(out, "run", json=context.as_json):
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
    finish(out, outcome, json=context.as_json, exit_code=exit_code)


@contextmanager
def open_endpoint(settings: Settings, recording: Recording | None = None) -> Iterator[ApiClient]:
    """Open the endpoint; the first SIGINT or SIGTERM cancels its requests, so that the run ends cleanly, the second one kills."""
    from sync.client.api_client import ApiClient

    with ApiClient(settings, require_key(settings), record=recording.add if recording else None) as endpoint:

        def stop(number: int, _frame: Any) -> None:
            signal.signal(number, signal.SIG_DFL)
            endpoint.interrupt()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield endpoint
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def heartbeat_for_run(settings: Settings, engine: Engine) -> Iterator[Callable[[Outcome], None]]:
    """Ping SYNC_PING_URL at the start of a run; yield the function that pings its result. An earlier exception is a failure."""
    if settings.ping_url is None:
        yield lambda _outcome: None
        return
    from sync.client.network import Network
    from sync.monitoring.heartbeat import Ping
    from sync.reader.status import overview_if_available

    ping = Ping(settings.ping_url, Network.of(settings))
    try:
        with ping.run():
            yield lambda outcome: ping.report(outcome, overview_if_available(engine), settings.staleness_budget, now())
    finally:
        ping.close(PING_CLOSE_TIMEOUT)


def write_metrics(settings: Settings, engine: Engine, outcome: Outcome, *, site: bool | None = None) -> None:
    """Write the textfile for node_exporter, if SYNC_METRICS_FILE is set."""
    if settings.metrics_file is not None:
        from sync.monitoring.metrics import write_run
        from sync.reader.status import overview_if_available

        found = overview_if_available(engine)
        write_run(settings.metrics_file, outcome, found, stale_after=settings.staleness_budget, site=site)


def require_gallery(settings: Settings) -> None:
    """Raise MissingExtra at the start if SYNC_SITE_DIR is set and the gallery cannot be rendered."""
    if settings.site_dir is not None:
        from sync.commands.site import require_renderer

        require_renderer("SYNC_SITE_DIR")


def update_gallery(settings: Settings, engine: Engine) -> bool | None:
    """Update the gallery of SYNC_SITE_DIR; return whether that succeeded, None if it is not set.

    A failure is logged and does not fail the run, because the catalog is stored and the next run tries again.
    """
    if settings.site_dir is None:
        return None
    from sync.commands.site import write
    from sync.logs import get_logger

    try:
        built = write(settings, engine, Path(settings.site_dir))
    except SyncError as error:
        get_logger().warning("site_not_written", reason=str(error), hint=error.hint)
        return False
    except Exception as error:  # noqa: BLE001 - a bug in the gallery must not stop the synchronisation
        get_logger().error("site_not_written", exc_info=error)
        return False
    if built.written:
        counts = {name: getattr(built, name) for name in built.__struct_fields__}
        get_logger().info("site_written", folder=settings.site_dir, **counts)
    return True


@contextmanager
def report_errors_as_json(out: Output, trigger: str, *, json: bool) -> Iterator[None]:
    """With --json, print an error before the run has a row (no database, an old schema) in the form of a run's result."""
    began = now()
    try:
        yield
    except SyncError as error:
        if json:
            from sync.catalog.run_record import Run, Status
            from sync.synchronise import Outcome

            run = Run(None, trigger, Status.FAILED, began, now(), error_code=error.code, error=str(error))
            out.json(outcome_output(Outcome(run, error=error), ()))
        raise


def finish(out: Output, outcome: Outcome, *, json: bool, exit_code: bool = False, list_changes: bool = True) -> None:
    """Print the result of a run, and raise its error; with `exit_code`, exit with 3 if there were changes."""
    if json:
        out.json_parts(outcome_output(outcome, ()), changes_output(outcome))  # a first run has very many
    elif outcome.plan:
        from sync.terminal.lines import change_lines, summary

        if list_changes:
            for row in _change_rows(outcome.plan, CHANGES_SHOWN):
                out.lines(change_lines(row))
            if (more := len(outcome.plan.changes.changes) - CHANGES_SHOWN) > 0:
                run_id = outcome.run.run_id
                shows_all = f"; `template-sync changes --run {run_id}` shows all" if run_id is not None else ""
                out.lines([f"  ... and {more} more{shows_all}"])
        out.lines([summary(outcome.run)])
        for note in _notes(outcome):
            out.note(note)
    if outcome.error:
        raise outcome.error
    if exit_code and outcome.run.changes:
        sys.exit(3)


def outcome_output(outcome: Outcome, changes: Iterable[RunChange]) -> outputs.Outcome:
    """Build the JSON output of a run: its row, and these of its changes."""
    from sync.outputs.commands import Outcome

    hint = outcome.error.hint if outcome.error else None
    return Outcome(**outcome.run.as_json(), hint=hint or None, changes=list(changes))


def changes_output(outcome: Outcome) -> Iterator[RunChange]:
    """Build the JSON output of each change of a run."""
    from sync.outputs.catalog import RunChange
    from sync.reader.stored_templates import printed

    for row in _change_rows(outcome.plan) if outcome.plan else ():
        yield RunChange(**{**row, **{which: printed(row[which]) for which in ("document", "before") if row[which]}})


def _change_rows(plan: Plan, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Convert the first `limit` changes of a run to the form of the feed."""
    for change in plan.changes.changes[:limit]:
        document = plan.document_of(change)
        after, before = (None, document) if change.kind == "removed" else (document, None)
        row = {"kind": change.kind, "template_id": change.template_id, "fields": list(change.fields)}
        yield {**row, "evidence": change.evidence, "document": after, "before": before}


def _notes(outcome: Outcome) -> list[str]:
    run, lines = outcome.run, []
    if run.fields_appeared:
        lines.append(f"note: new fields in the catalog: {join_limited(run.fields_appeared)}.")
    if run.fields_vanished:
        lines.append(f"note: fields missing from the catalog: {join_limited(run.fields_vanished)}; their last values are kept.")
    if run.rejected and outcome.plan:
        first = outcome.plan.rejected()[0]
        records = count_of(run.rejected, "record")
        lines.append(f"note: {records} rejected; the first: {first.template_id or 'no ID'}: {first.reason}.")
    return lines
