"""`--record FILE`: the file is opened before anything is done, and what became of it is told at the end.

What `run`, `demo` and `refresh` share: build the edges, run once, tell how it went.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sync import __version__
from sync.config.addresses import LOOPBACK
from sync.config.settings import Settings, require_key
from sync.errors import SyncError, UsageError
from sync.recording.format import SETTINGS, RecordedRun
from sync.recording.record import Recording
from sync.store.sqlite_file import sqlite_file
from sync.text import count_of, iso, some_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from sync.client.api_client import Endpoint
    from sync.commands.edge import Context
    from sync.commands.output import Output
    from sync.outputs import commands as outputs
    from sync.synchronise import Outcome, Plan, RunOptions


_SIDE_FILES = ("", "-wal", "-shm", "-journal")


@contextmanager
def recorded(context: Context, engine: Engine, file: str) -> Iterator[Recording]:
    """Record what is asked meanwhile.

    Raises:
        UsageError: the file cannot be written, or is the database.
    """
    settings = context.settings
    _refuse_database(engine, file)
    asks = {name: format(Decimal(getattr(settings, name)), "f") for name in SETTINGS}
    run = RecordedRun(__version__, iso(now().replace(microsecond=0)), asks, secrets.randbits(64))
    recording = Recording(file, require_key(settings), run)
    try:
        with recording:
            yield recording
    finally:
        context.out.message(_told(recording, file))


def _told(recording: Recording, file: str) -> str:
    if recording.failure:
        return f"warning: The recording could not be written: {recording.failure}. {file} is unchanged."
    if not recording.answers:
        return f"note: no request was made, so nothing is recorded; {file} is unchanged."
    more = f"; {count_of(recording.left_out, 'response')} more exceeded the size limit" if recording.left_out else ""
    return f"note: {count_of(recording.answers, 'response')} recorded in {file}, without the API key{more}."


def _refuse_database(engine: Engine, file: str) -> None:
    """A recording takes its place by its name: that of the database would be the end of it."""
    database = sqlite_file(engine)
    if database is not None and os.path.realpath(file.replace("\0", "")) in {
        os.path.realpath(f"{database}{side}".replace("\0", "")) for side in _SIDE_FILES
    }:
        raise UsageError(f"{file} is the database itself.", hint="Name another file for the recording.")


CHANGES_SHOWN = 40


def now() -> datetime:
    """Read the wall clock, aware, in UTC."""
    return datetime.now(UTC)


def options_of(settings: Settings, *, accept_removals: bool = False) -> RunOptions:
    """Build a run's options from the settings."""
    from sync.synchronise import RunOptions

    return RunOptions(settings.page_size, settings.concurrency, settings.max_removed, accept_removals, settings.hold)


@contextmanager
def endpoint_of(settings: Settings, recording: Recording | None = None) -> Iterator[Endpoint]:
    """Open the endpoint; Ctrl-C and SIGTERM give up what it is asking, so that the run ends cleanly; a second one kills."""
    from sync.client.api_client import Endpoint

    with Endpoint(settings, require_key(settings), recording=recording) as endpoint:

        def stop(number: int, _frame: Any) -> None:
            signal.signal(number, signal.SIG_DFL)
            endpoint.interrupt()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield endpoint
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def refuse_sample(settings: Settings, engine: Engine) -> None:
    """Refuse to bring the real catalog into a database that holds the demo's; a sandbox on loopback may."""
    if urlsplit(settings.base_url).hostname not in LOOPBACK:
        from sync.reader.sample_catalog import refuse_sample_catalog

        refuse_sample_catalog(engine)


def progress_on_terminal(out: Output, clock: Callable[[], float] = time.monotonic) -> Callable[[int, int | None], None] | None:
    """Choose what shows a walk's progress: a line on a terminal, once the walk takes more than two seconds; else None."""
    if not sys.stderr.isatty():
        return None
    began = clock()

    def show(pages: int, expected: int | None) -> None:
        if clock() - began > 2:  # noqa: PLR2004 - seconds; a shorter wait needs no word
            out.progress(f"page {pages} of {expected or '?'}" if pages != expected else "")

    return show


def write_metrics(settings: Settings, engine: Engine, outcome: Outcome, *, site: bool | None = None) -> None:
    """Rewrite the textfile for node_exporter, if one is asked for."""
    if settings.metrics_file is not None:
        from sync.daemon.service import write_textfile

        write_textfile(settings.metrics_file, engine, outcome, stale_after=settings.staleness_budget, site=site)


@contextmanager
def pinged(settings: Settings, engine: Engine) -> Iterator[Callable[[Outcome], None]]:
    """Tell the heartbeat, if there is one, that a run begins; gives what tells it how the run ended.

    Whatever the block raises, before that was told, is told as a failure.
    """
    if settings.ping_url is None:
        yield lambda _outcome: None
        return
    from sync.client.network import Network
    from sync.daemon.service import figures_of, notify_heartbeat
    from sync.monitoring.heartbeat import Ping

    ping = Ping(settings.ping_url, Network.of(settings))
    try:
        with ping.run():
            yield lambda outcome: notify_heartbeat(
                ping, outcome, figures_of(outcome, engine)[1], settings.staleness_budget, now()
            )
    finally:
        ping.close(5.0)


def change_rows(plan: Plan | None, most: int | None = None) -> list[dict[str, Any]]:
    """Write a run's changes in the form of the feed; of many, the first so many."""
    if plan is None:
        return []
    rows = []
    for change in plan.changes.changes[:most]:
        document = plan.document_of(change)
        gone = change.kind == "removed"
        rows.append(
            {
                "kind": change.kind,
                "template_id": change.template_id,
                "fields": list(change.fields),
                "evidence": change.evidence,
                "document": None if gone else document,
                "before": document if gone else None,
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


@contextmanager
def told_as_json(out: Output, trigger: str, *, json: bool) -> Iterator[None]:
    """Print what keeps a run from even having a row (no database, an old schema) in the form of its outcome, too."""
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


def finish(out: Output, outcome: Outcome, *, json: bool, exit_code: bool = False, told: bool = True) -> None:
    """Tell how a run went, and leave with its exit code.

    Args:
        out: where to.
        outcome: how it went.
        json: as JSON.
        exit_code: leave with 3 if there were changes.
        told: list the changes, not only their number.
    """
    if json:
        out.json(outcome_output(outcome))
    elif outcome.plan:
        if told:
            show_changes(out, change_rows(outcome.plan, CHANGES_SHOWN), outcome.run.changes, outcome.run.run_id)
        from sync.terminal.changes import summary

        out.lines([summary(outcome.run)])
        for note in notes(outcome):
            out.message(note)
    if outcome.error:
        raise outcome.error
    if exit_code and outcome.run.changes:
        sys.exit(3)


def notes(outcome: Outcome) -> list[str]:
    """Say what is no error but worth a word: fields that came or went, records that could not be read."""
    run = outcome.run
    lines = []
    if run.fields_appeared:
        lines.append(f"note: new fields in the catalog: {some_of(run.fields_appeared)}.")
    if run.fields_vanished:
        lines.append(f"note: fields missing from the catalog: {some_of(run.fields_vanished)}; their last values are kept.")
    if run.rejected and outcome.plan:
        first = outcome.plan.rejected()[0]
        bad = count_of(run.rejected, "record")
        lines.append(f"note: {bad} rejected; the first: {first.template_id or 'no ID'}: {first.reason}.")
    return lines


def show_changes(out: Output, rows: list[dict[str, Any]], of: int, run_id: int | None) -> None:
    """List the first of a run's changes, field by field, and say how many more there are."""
    if not rows:
        return
    from sync.terminal.changes import change_lines
    from sync.terminal.tables import mark

    for row in rows:
        out.lines(change_lines(row, mark))
    if of > len(rows):
        all_of_them = f"; `template-sync changes --run {run_id}` shows all" if run_id is not None else ""
        out.lines([f"  ... and {of - len(rows)} more{all_of_them}"])


def require_no_error(outcome: Outcome) -> None:
    """Pass an outcome's error on.

    Raises:
        SyncError: that error.
    """
    if outcome.error:
        raise outcome.error
