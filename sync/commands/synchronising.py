"""What `run`, `demo` and `refresh` share: build the edges, run once, tell how it went."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from sync.commands.edge import emit_json, fail, painter, print_lines, tell, tell_error
from sync.options import LOOPBACK
from sync.settings import Settings, require_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from sync.fetch import Endpoint
    from sync.run import Findings, Options, Outcome

CHANGES_SHOWN = 40


def now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


def options_of(settings: Settings, *, accept_removals: bool = False) -> Options:
    """Give a run's options as the settings say."""
    from sync.run import Options

    return Options(settings.page_size, settings.concurrency, settings.max_removed, accept_removals)


@contextmanager
def endpoint_of(settings: Settings) -> Iterator[Endpoint]:
    """Open the endpoint; Ctrl-C and SIGTERM give up what it is asking, so that the run ends cleanly; a second one kills."""
    from sync.fetch import Endpoint

    with Endpoint(settings, require_key(settings)) as endpoint:

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
        from sync.db.queries import refuse_sample_catalog

        refuse_sample_catalog(engine)


def progress_on_terminal(clock: Callable[[], float] = time.monotonic) -> Callable[[int, int | None], None] | None:
    """Give what shows a walk's progress: a line on a terminal, once the walk takes more than two seconds; else None."""
    if not sys.stderr.isatty():
        return None
    began = clock()

    def show(pages: int, expected: int | None) -> None:
        if clock() - began > 2:  # noqa: PLR2004 - seconds; a shorter wait needs no word
            end = "\r" if pages != expected else "\r\x1b[K"
            click.echo(f"\r\x1b[Kpage {pages} of {expected or '?'}", nl=False, err=True)
            click.echo(end, nl=False, err=True)

    return show


def write_metrics(settings: Settings, engine: Engine, outcome: Outcome) -> None:
    """Rewrite the textfile for node_exporter, if one is asked for."""
    if settings.metrics_file is not None:
        from sync.ops.service import write_textfile

        write_textfile(settings.metrics_file, engine, outcome)


@contextmanager
def pinged(settings: Settings, engine: Engine) -> Iterator[Callable[[Outcome], None]]:
    """Tell the dead-man's switch, if there is one, that a run begins; gives what tells it how the run ended."""
    if settings.ping_url is None:
        yield lambda _outcome: None
        return
    from sync.ops.ping import Ping
    from sync.ops.service import figures_of, tell_ping

    ping = Ping(settings.ping_url)
    ping.start()
    yield lambda outcome: tell_ping(ping, outcome, figures_of(outcome, engine)[1], settings.staleness_budget, now())
    ping.close(5.0)


def change_rows(findings: Findings | None) -> list[dict[str, Any]]:
    """Give a run's changes in the form of the feed."""
    if findings is None:
        return []
    return [
        {
            "kind": change.kind,
            "template_id": change.template_id,
            "fields": list(change.fields),
            "evidence": change.evidence,
            "document": change.after.document if change.after else None,
            "before": change.before,
        }
        for change in findings.changes.changes
    ]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Give a run's outcome as JSON: its row, and its changes."""
    hint = outcome.error.hint if outcome.error else None
    return {**outcome.run.as_json(), "hint": hint or None, "changes": change_rows(outcome.findings)}


def finish(outcome: Outcome, *, json: bool, exit_code: bool = False, told: bool = True) -> None:
    """Tell how a run went, and leave with its exit code.

    Args:
        outcome: how it went.
        json: as JSON.
        exit_code: leave with 3 if there were changes.
        told: list the changes, not only their number.
    """
    if json:
        emit_json(as_json(outcome))
    elif outcome.findings:
        show_changes(change_rows(outcome.findings) if told else [], outcome.run.run_id)
        from sync.report import summary

        print_lines([summary(outcome.run)])
        for note in notes(outcome):
            tell(note)
    if outcome.error:
        if json:
            tell_error(outcome.error)
            sys.exit(outcome.error.exit_code)
        fail(outcome.error)
    if exit_code and outcome.run.changes:
        sys.exit(3)


def notes(outcome: Outcome) -> list[str]:
    """Say what is no error but worth a word: fields that came or went, records that could not be read."""
    run = outcome.run
    lines = []
    if run.fields_appeared:
        lines.append(f"note: the catalog sends fields that it did not send before: {', '.join(run.fields_appeared)}.")
    if run.fields_vanished:
        lines.append(f"note: the catalog no longer sends {', '.join(run.fields_vanished)}; the last values are kept.")
    if run.rejected and outcome.findings:
        first = outcome.findings.served.rejected[0]
        lines.append(
            f"note: {run.rejected} records could not be read; the first: {first.template_id or 'no id'}: {first.reason}."
        )
    return lines


def show_changes(rows: list[dict[str, Any]], run_id: int | None, most: int = CHANGES_SHOWN) -> None:
    """List changes, field by field; of many, only the first."""
    from sync.report import change_lines

    paint = painter()
    for row in rows[:most]:
        print_lines(change_lines(row, paint))
    if len(rows) > most:
        all_of_them = f"; `template-sync changes --run {run_id}` shows all" if run_id is not None else ""
        print_lines([f"  ... and {len(rows) - most} more{all_of_them}"])


def require_no_error(outcome: Outcome) -> None:
    """Pass an outcome's error on.

    Raises:
        SyncError: that error.
    """
    if outcome.error:
        raise outcome.error
