"""One scheduled run with everything that an operator watches round it: the log line, the metrics, the ping, the plan."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from sync import __version__
from sync.advice import BY_CODE
from sync.daemon.backoff import Ended
from sync.daemon.metrics import CODES, Metrics, RunFigures
from sync.endpoint.client import Endpoint
from sync.errors import CursorLost, DatabaseError, SchemaAhead, SyncError
from sync.logs import get_logger, log_run
from sync.reader.cursor import newest, prove
from sync.reader.status import last_success, overview
from sync.run_record import Run, Status
from sync.store.apply import Store
from sync.store.engine import reading
from sync.store.next_run import record_next_run
from sync.store.schema import require_current_schema
from sync.synchronise import Outcome, RunOptions, synchronise
from sync.terminal.ages import is_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from sync.daemon.heartbeat import Ping
    from sync.settings import Settings


class Service:
    """The daemon's job.

    Args:
        settings: as they were at the start.
        engine: the database.
        key: gives the API key, anew for each run: a rotated key file needs no restart.
        metrics: where figures go.
        ping: the heartbeat.
        clock: the wall clock, aware.
        ended: called when a run has ended, whatever came of it: there may be something to tell.
        site: keeps the gallery after a run, and tells whether that worked; None where there is none to keep.

    Attributes:
        outdated: why this program can do nothing more, once that is so: the database was upgraded for a newer one.
    """

    outdated: SchemaAhead | None = None

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        *,
        key: Callable[[], str],
        metrics: Metrics,
        ping: Ping,
        clock: Callable[[], datetime],
        ended: Callable[[], None] = lambda: None,
        site: Callable[[], bool | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._key = key
        self._metrics = metrics
        self._ping = ping
        self._clock = clock
        self._ended = ended
        self._site = site
        self._lock = threading.Lock()
        self._endpoint: Endpoint | None = None
        self._stopping = False
        self._cursor: str | None = None
        self._mine: tuple[int | None, datetime] | None = None

    def run(self) -> Ended:
        """Run once; every expected failure is a value."""
        with self._ping.run():
            began = self._clock()
            try:
                require_current_schema(self._engine)
                self._look_back()
                outcome = self._synchronise()
            except SchemaAhead as error:
                self.outdated = error
                outcome = self._failed(began, error)
            except SyncError as error:  # before the run had a row of its own: no key, no database
                outcome = self._failed(began, error)
            except Exception as surprise:  # noqa: BLE001 - a bug: the metrics and the heartbeat must hear of that, too
                get_logger().error("run_crashed", exc_info=surprise)
                outcome = self._failed(began, SyncError(f"Unforeseen: {type(surprise).__name__}."))
            log_run(outcome)
            if outcome.run.status is Status.SUCCEEDED:
                self._mine = (outcome.run.run_id, outcome.run.started_at)
            self._ended()
            success = self._observe(outcome)
            notify_heartbeat(self._ping, outcome, success, self._settings.staleness_budget, self._clock())
        if outcome.plan is not None:
            self._metrics.observe_site(self._site())
        retry = outcome.error is not None and outcome.error.retry
        return Ended(outcome.run.status, retry=retry, last=self.outdated is not None, after=getattr(outcome.error, "after", None))

    def _look_back(self) -> None:
        """Look whether the database still has what it had after the run before: the daemon remembers what a database forgets."""
        if self._cursor is None:
            return
        try:
            with reading(self._engine) as connection:
                prove(connection, self._cursor)
        except CursorLost as lost:
            if lost.reason != "pruned":
                get_logger().warning("history_went_back", reason=lost.reason, seen=str(lost), hint=BY_CODE["went-back"].to_do)
                self._cursor = None
        except SyncError:
            pass  # it is away, or a standby that lags; the run itself tells

    def _failed(self, began: datetime, error: SyncError) -> Outcome:
        run = Run(None, "daemon", Status.FAILED, began, self._clock(), error_code=error.code, error=str(error))
        return Outcome(run, error=error)

    def _synchronise(self) -> Outcome:
        settings = self._settings
        with Endpoint(settings, self._key()) as endpoint:
            with self._lock:
                self._endpoint = endpoint
                if self._stopping:
                    endpoint.interrupt()
            try:
                options = RunOptions(settings.page_size, settings.concurrency, settings.max_removed, hold=settings.hold)
                return synchronise(
                    Store(self._engine), endpoint, options, trigger="daemon", ttl=settings.lease_ttl, clock=self._clock
                )
            finally:
                with self._lock:
                    self._endpoint = None

    def interrupt(self) -> None:
        """Give up the fetch that is under way, if any, and every later one; a commit is finished."""
        with self._lock:
            self._stopping = True
            if self._endpoint is not None:
                self._endpoint.interrupt()

    def last_success(self) -> datetime | None:
        """When the last success ended; None, with a warning, while the database cannot say."""
        try:
            run = last_success(self._engine)
        except DatabaseError as error:
            get_logger().warning("last_success_unknown", error=str(error))
            return None
        return run.finished_at if run else None

    def made_elsewhere(self) -> datetime | None:
        """When the last success began; None where it is this daemon's own, or while the database cannot say."""
        try:
            run = last_success(self._engine)
        except DatabaseError:
            return None  # the run itself tells
        return None if run is None or (run.run_id, run.started_at) == self._mine else run.started_at

    def planned(self, moment: datetime | None) -> None:
        """Write down when the next run is due, for `status`."""
        try:
            record_next_run(self._engine, moment)
        except DatabaseError as error:
            get_logger().warning("next_run_not_recorded", error=str(error))

    def ready(self) -> tuple[bool, str]:
        """Whether a run could work: the database answers and its schema is current. Upstream being down is neither."""
        try:
            found = overview(self._engine)
        except SyncError as error:
            return False, str(error)
        return True, f"{found.present} templates"

    def seed_metrics(self) -> None:
        """Take over what the database knows from before."""
        seed(self._metrics, self._engine)

    def _observe(self, outcome: Outcome) -> datetime | None:
        figures, success = figures_of(outcome, self._engine)
        self._metrics.observe(figures)
        with suppress(SyncError):
            self._cursor = newest(self._engine)
        return success


def seed(metrics: Metrics, engine: sa.Engine) -> None:
    """Seed metrics with what the database knows; nothing while it cannot say."""
    try:
        found = overview(engine)
    except SyncError:
        return
    success, attempt = found.last_success, found.last_attempt
    metrics.seed(
        last_success=success.finished_at.timestamp() if success and success.finished_at else None,
        last_attempt=attempt.started_at.timestamp() if attempt else None,
        last_status=str(attempt.status) if attempt and attempt.status is not Status.RUNNING else None,
        templates=found.present,
        held=found.held,
        unconfirmed=found.unconfirmed,
        rejected=attempt.rejected if attempt else 0,
    )


def figures_of(outcome: Outcome, engine: sa.Engine) -> tuple[RunFigures, datetime | None]:
    """Collect a run's figures for Prometheus, and say when the last success ended as far as the database can say."""
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
    )
    return figures, success


def _by_label(codes: Mapping[int, int]) -> dict[str, int]:
    labelled: dict[str, int] = {}
    for code, count in codes.items():
        label = "network" if code == 0 else str(code) if str(code) in CODES else "other"
        labelled[label] = labelled.get(label, 0) + count
    return labelled


def notify_heartbeat(ping: Ping, outcome: Outcome, last: datetime | None, budget: float, now: datetime) -> None:
    """Tell the heartbeat how a run went.

    Maintenance and a busy lease are no alarm while the catalog is fresh; staleness beyond the budget is one, whatever the
    reason.
    """
    run = outcome.run
    name = "run" if run.run_id is None else f"run {run.run_id}"
    text = f"{name}: {run.status}" + (f", {run.error}" if run.error else "")
    fresh = not is_stale(last, now, budget)
    passing = run.status in {Status.DEFERRED, Status.SKIPPED, Status.INTERRUPTED} and fresh
    (ping.success if run.status is Status.SUCCEEDED or passing else ping.fail)(text)


def write_textfile(path: str, engine: sa.Engine, outcome: Outcome, *, site: bool | None = None) -> None:
    """Put a one-shot run's facts into a textfile; left alone while the database cannot say when the last success was."""
    figures, newest = figures_of(outcome, engine)
    if figures.templates is None:
        get_logger().warning("metrics_not_written", reason="the database could not be asked")
        return
    metrics = Metrics(__version__)
    seed(metrics, engine)
    metrics.observe(figures)
    metrics.observe_site(site)
    try:
        metrics.write_textfile(path)
    except OSError as error:
        get_logger().warning("metrics_not_written", reason=f"{error.strerror}: {path}", last_success=str(newest))
