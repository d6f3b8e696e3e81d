"""The steps that `run`, `refresh`, `demo` and `daemon` share: set up a run, report its result, record its responses."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync import __version__
from sync.commands.base import now
from sync.config.settings import Settings, require_key
from sync.errors import SyncError
from sync.text import count_of, iso, join_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from sync.client.api_client import HttpApiClient
    from sync.commands.base import Context
    from sync.commands.output import Output
    from sync.outputs import commands as outputs
    from sync.recording.record import Recording
    from sync.synchronise import Outcome, Plan, RunOptions


CHANGES_SHOWN = 40
PROGRESS_DELAY = 2.0
"""Seconds after which a walk or the gallery shows its progress."""
PING_CLOSE_TIMEOUT = 5.0


def run_options(settings: Settings, *, accept_removals: bool = False) -> RunOptions:
    """Build the options of a run from the settings."""
    from sync.synchronise import RunOptions

    return RunOptions(settings.page_size, settings.concurrency, settings.max_removed, accept_removals, settings.hold)


@contextmanager
def open_endpoint(settings: Settings, recording: Recording | None = None) -> Iterator[HttpApiClient]:
    """Open the endpoint; the first SIGINT or SIGTERM cancels its requests, so that the run ends cleanly, the second one kills."""
    from sync.client.api_client import HttpApiClient

    with HttpApiClient(settings, require_key(settings), record=recording.add if recording else None) as endpoint:

        def stop(number: int, _frame: Any) -> None:
            signal.signal(number, signal.SIG_DFL)
            endpoint.interrupt()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield endpoint
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def progress_on_terminal(
    out: Output, what: str = "page", clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int | None], None] | None:
    """Return a function that shows how much of a long task is done on a terminal; None without a terminal."""
    if not sys.stderr.isatty():
        return None
    began = clock()

    def show(pages: int, expected: int | None) -> None:
        if clock() - began > PROGRESS_DELAY:
            out.progress(f"{what} {pages} of {expected or '?'}" if pages != expected else "")

    return show


@contextmanager
def heartbeat_for_run(settings: Settings, engine: Engine) -> Iterator[Callable[[Outcome], None]]:
    """Ping SYNC_PING_URL at the start of a run; yield the function that pings its result.

    An exception in the block, before that function is called, is reported as a failure.
    """
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


@contextmanager
def record_to(context: Context, file: str) -> Iterator[Recording]:
    """Record every response of the block. The file is created first, so that an invalid path fails before any request.

    Raises:
        UsageError: the file cannot be written, or is the database.
    """
    from sync.recording.format import SETTINGS, RecordedRun
    from sync.recording.record import Recording

    settings = context.settings
    context.refuse_file_in_use(file)
    recorded_settings = {name: format(Decimal(str(getattr(settings, name))).normalize(), "f") for name in SETTINGS}
    run = RecordedRun(__version__, iso(now().replace(microsecond=0)), recorded_settings, secrets.randbits(64))
    recording = Recording(file, require_key(settings), run)
    try:
        with recording:
            yield recording
    finally:
        context.out.message(_recording_summary(recording, file))


def _recording_summary(recording: Recording, file: str) -> str:
    if recording.failure:
        return f"warning: The recording could not be written: {recording.failure}. {file} is unchanged."
    if not recording.responses:
        return f"note: no request was made, so nothing is recorded; {file} is unchanged."
    more = f"; {count_of(recording.left_out, 'response')} more exceeded the size limit" if recording.left_out else ""
    return f"note: {count_of(recording.responses, 'response')} recorded in {file}, without the API key{more}."


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
            out.json(outcome_output(Outcome(run, error=error)))
        raise


def finish(out: Output, outcome: Outcome, *, json: bool, exit_code: bool = False, list_changes: bool = True) -> None:
    """Print the result of a run, and exit with its code.

    Args:
        out: the output of the command.
        outcome: the result of the run.
        json: print as JSON.
        exit_code: exit with 3 if there were changes.
        list_changes: print the changes, not only their number.

    Raises:
        SyncError: the error of the run.
    """
    if json:
        out.json(outcome_output(outcome))
    elif outcome.plan:
        if list_changes:
            show_changes(out, change_rows(outcome.plan, CHANGES_SHOWN), outcome.run.changes, outcome.run.run_id)
        from sync.terminal.changes import summary

        out.lines([summary(outcome.run)])
        for note in notes(outcome):
            out.message(note)
    require_no_error(outcome)
    if exit_code and outcome.run.changes:
        sys.exit(3)


def require_no_error(outcome: Outcome) -> None:
    """Raise the error of a run, if it has one.

    Raises:
        SyncError: that error.
    """
    if outcome.error:
        raise outcome.error


def change_rows(plan: Plan | None, limit: int | None = None) -> list[dict[str, Any]]:
    """Convert the first `limit` changes of a run to the form of the feed."""
    if plan is None:
        return []
    rows = []
    for change in plan.changes.changes[:limit]:
        document = plan.document_of(change)
        removed = change.kind == "removed"
        rows.append(
            {
                "kind": change.kind,
                "template_id": change.template_id,
                "fields": list(change.fields),
                "evidence": change.evidence,
                "document": None if removed else document,
                "before": document if removed else None,
            }
        )
    return rows


def outcome_output(outcome: Outcome) -> outputs.Outcome:
    """Build the JSON output of a run: its row and its changes."""
    from sync.outputs.catalog import RunChange
    from sync.outputs.commands import Outcome
    from sync.reader.stored_templates import printed

    hint = outcome.error.hint if outcome.error else None
    rows = change_rows(outcome.plan)
    for row in rows:
        row.update({which: printed(row[which]) for which in ("document", "before") if row[which]})
    return Outcome(**outcome.run.as_json(), hint=hint or None, changes=[RunChange(**row) for row in rows])


def notes(outcome: Outcome) -> list[str]:
    """Describe events that are no errors: new fields, missing fields, rejected records."""
    run = outcome.run
    lines = []
    if run.fields_appeared:
        lines.append(f"note: new fields in the catalog: {join_limited(run.fields_appeared)}.")
    if run.fields_vanished:
        lines.append(f"note: fields missing from the catalog: {join_limited(run.fields_vanished)}; their last values are kept.")
    if run.rejected and outcome.plan:
        first = outcome.plan.rejected()[0]
        records = count_of(run.rejected, "record")
        lines.append(f"note: {records} rejected; the first: {first.template_id or 'no ID'}: {first.reason}.")
    return lines


def show_changes(out: Output, rows: list[dict[str, Any]], total: int, run_id: int | None) -> None:
    """Print changes field by field, and the number of those that are not shown."""
    if not rows:
        return
    from sync.terminal.changes import change_lines
    from sync.terminal.tables import mark

    for row in rows:
        out.lines(change_lines(row, mark))
    if total > len(rows):
        shows_all = f"; `template-sync changes --run {run_id}` shows all" if run_id is not None else ""
        out.lines([f"  ... and {total - len(rows)} more{shows_all}"])
