"""What monitoring shows of a run: figures and facts for Prometheus, the textfile, and the heartbeat ping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync import __version__
from sync.catalog.run_record import Status
from sync.errors import SyncError
from sync.logs import get_logger
from sync.monitoring.metrics import CODES, Facts, Metrics, RunFigures
from sync.monitoring.staleness import is_stale
from sync.reader.status import overview

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from sync.monitoring.heartbeat import Ping
    from sync.synchronise import Outcome


def facts_of(engine: sa.Engine) -> Facts:
    """Return what the metrics show of the database.

    Raises:
        DatabaseError: it does not answer.
    """
    found = overview(engine)
    success, attempt, result = found.last_success, found.last_attempt, found.last_result
    return Facts(
        last_success=success.finished_at.timestamp() if success and success.finished_at else None,
        last_attempt=attempt.started_at.timestamp() if attempt else None,
        last_status=str(result.status) if result else None,
        templates=found.present,
        held=found.held,
        unconfirmed=found.unconfirmed,
        rejected=result.rejected if result else 0,
    )


def figures_of(outcome: Outcome, engine: sa.Engine) -> tuple[RunFigures, datetime | None]:
    """Return the figures of a run for Prometheus, and when the last success ended, None if unknown."""
    run = outcome.run
    present, held, unconfirmed, success = None, run.held, run.unconfirmed, None
    try:
        found = overview(engine)
    except SyncError:
        pass
    else:
        present, held, unconfirmed = found.present, found.held, found.unconfirmed
        success = found.last_success.finished_at if found.last_success else None
    ended = run.finished_at or run.started_at
    figures = RunFigures(
        status=str(run.status),
        started_at=run.started_at.timestamp(),
        finished_at=ended.timestamp(),
        seconds=run.seconds or 0.0,
        added=run.added,
        removed=run.removed,
        changed=run.changed,
        rejected=run.rejected,
        templates=present,
        held=held,
        unconfirmed=unconfirmed,
        requests_by_code=_by_label(outcome.codes),
        last_success=success.timestamp() if success else None,
        recorded=run.run_id is not None and outcome.unrecorded is None,
    )
    return figures, success


def _by_label(codes: Mapping[int, int]) -> dict[str, int]:
    labelled: dict[str, int] = {}
    for code, count in codes.items():
        label = "network" if code == 0 else str(code) if str(code) in CODES else "other"
        labelled[label] = labelled.get(label, 0) + count
    return labelled


def notify_heartbeat(ping: Ping, outcome: Outcome, last: datetime | None, budget: float, now: datetime) -> None:
    """Ping the heartbeat with the result of a run.

    A deferred, skipped or interrupted run counts as a failure only if the last success is stale.
    """
    run = outcome.run
    name = "run" if run.run_id is None else f"run {run.run_id}"
    text = f"{name}: {run.status}" + (f", {run.error}" if run.error else "")
    fresh = not is_stale(last, now, budget)
    passing = run.status in {Status.DEFERRED, Status.SKIPPED, Status.INTERRUPTED} and fresh
    (ping.success if run.status is Status.SUCCEEDED or passing else ping.fail)(text)


def write_textfile(path: str, engine: sa.Engine, outcome: Outcome, *, stale_after: float, site: bool | None = None) -> None:
    """Write the metrics of a one-shot run to a textfile; keep the old file while the database does not answer."""
    figures, newest = figures_of(outcome, engine)
    if figures.templates is None:
        get_logger().warning("metrics_not_written", reason="the database could not be queried")
        return
    metrics = Metrics(__version__, stale_after)
    metrics.observe(figures)
    metrics.observe_site(site)
    try:
        metrics.write_textfile(path)
    except OSError as error:
        get_logger().warning("metrics_not_written", reason=f"{error.strerror}: {path}", last_success=str(newest))
