"""One scheduled run: synchronise, then log, metrics, heartbeat ping and gallery; and the checks before it."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sync import __version__
from sync.catalog.run_record import BY_CODE, Run, Status
from sync.client.api_client import HttpApiClient
from sync.daemon.next_run import RunResult
from sync.errors import CursorLost, DatabaseError, SchemaAhead, SyncError
from sync.logs import get_logger, log_run
from sync.reader.cursor import last_cursor, validate_cursor
from sync.reader.status import last_success, overview, overview_if_available
from sync.resource_limits import as_sync_error, resource_error
from sync.store.apply import Store
from sync.store.database_errors import database_name
from sync.store.engine import reading
from sync.store.schema import require_current_schema
from sync.store.sqlite_wal import identity, sqlite_file
from sync.store.state import save_planned_run
from sync.synchronise import Outcome, RunOptions, synchronise

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import sqlalchemy as sa

    from sync.config.settings import Settings
    from sync.monitoring.heartbeat import Ping
    from sync.monitoring.metrics import Metrics
    from sync.store.sqlite_wal import Identity


class Service:
    """The job of the daemon.

    Args:
        settings: the settings at the start.
        engine: the database.
        key: returns the API key, read for each run, so that a rotated key file needs no restart.
        metrics: the metrics.
        ping: the heartbeat.
        clock: the wall clock, aware.
        after_run: called after each run, whatever its status.
        site: updates the gallery after a run; returns whether that succeeded, None without a gallery.

    Attributes:
        outdated: the error that ends this process, after the database was upgraded for a newer version.
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
        after_run: Callable[[], None] = lambda: None,
        site: Callable[[], bool | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._key = key
        self._metrics = metrics
        self._ping = ping
        self._clock = clock
        self._after_run = after_run
        self._site = site
        self._lock = threading.Lock()
        self._endpoint: HttpApiClient | None = None
        self._stopping = False
        self._file = self._identity()
        self._cursor: str | None = None
        self._own_success: tuple[int | None, datetime] | None = None

    def run(self) -> RunResult:
        """Run once; return expected failures instead of raising them."""
        with self._ping.run():
            began = self._clock()
            try:
                require_current_schema(self._engine)
                self._check_file()
                self._check_history()
                outcome = self._synchronise()
            except SyncError as error:  # before the run had a row: no key, no database, or a newer schema
                self.outdated = error if isinstance(error, SchemaAhead) else None
                outcome = self._recorded(self._failed(began, error))
            except Exception as error:  # noqa: BLE001 - a bug must reach the metrics and the heartbeat
                if resource_error(error) is None:
                    get_logger().error("run_crashed", exc_info=error)
                outcome = self._failed(began, as_sync_error(error))
            log_run(outcome)
            if outcome.run.status is Status.SUCCEEDED:
                self._own_success = (outcome.run.run_id, outcome.run.started_at)
            self._after_run()
            found = overview_if_available(self._engine)
            self._metrics.observe(outcome, found)
            with suppress(SyncError):
                self._cursor = last_cursor(self._engine)
            self._ping.report(outcome, found, self._settings.staleness_budget, self._clock())
        if outcome.plan is not None:
            self._metrics.observe_site(self._site())
        return RunResult(
            outcome.run.status,
            retry=outcome.error is not None and outcome.error.retry,
            retry_after=getattr(outcome.error, "after", None),
            fatal=self.outdated is not None,
        )

    def _check_file(self) -> None:
        """Warn if the SQLite file was replaced since the previous run; the new file is used if it has the schema."""
        before, self._file = self._file, self._identity()
        if before is not None and before != self._file:
            hint = "Stop the daemon before the file is replaced; check that DATABASE_URL names the intended one."
            get_logger().warning("database_replaced", file=database_name(self._engine), hint=hint)

    def _identity(self) -> Identity:
        file = sqlite_file(self._engine)
        return None if file is None else identity(file)

    def _check_history(self) -> None:
        """Warn if the database lost changes since the previous run."""
        if self._cursor is None:
            return
        try:
            with reading(self._engine) as connection:
                validate_cursor(connection, self._cursor)
        except CursorLost as lost:
            if lost.reason != "pruned":
                get_logger().warning("history_went_back", reason=lost.reason, seen=str(lost), hint=BY_CODE["went-back"].action)
                self._cursor = None
        except SyncError:
            pass  # the database is unreachable or lags; the run reports it

    def _failed(self, began: datetime, error: SyncError) -> Outcome:
        run = Run(
            None, "daemon", Status.FAILED, began, self._clock(), error_code=error.code, error=str(error), version=__version__
        )
        return Outcome(run, error=error)

    def _recorded(self, outcome: Outcome) -> Outcome:
        """Insert a row for a failed attempt, so that `status` and `runs` show it, unless the database is the reason."""
        if isinstance(outcome.error, DatabaseError):
            return outcome
        try:
            return replace(outcome, run=Store(self._engine).record_failed(outcome.run))
        except DatabaseError as error:
            return replace(outcome, unrecorded=error)

    def _synchronise(self) -> Outcome:
        settings = self._settings
        with HttpApiClient(settings, self._key()) as endpoint:
            with self._lock:
                self._endpoint = endpoint
                if self._stopping:
                    endpoint.interrupt()
            try:
                options = RunOptions.of(settings)
                return synchronise(
                    Store(self._engine), endpoint, options, trigger="daemon", ttl=settings.lease_ttl, clock=self._clock
                )
            finally:
                with self._lock:
                    self._endpoint = None

    def interrupt(self) -> None:
        """Cancel the fetch in progress and every later one; a commit in progress finishes."""
        with self._lock:
            self._stopping = True
            if self._endpoint is not None:
                self._endpoint.interrupt()

    def last_success(self) -> datetime | None:
        """Return when the last success ended; None, with a warning, if the database does not answer."""
        try:
            run = last_success(self._engine)
        except DatabaseError as error:
            get_logger().warning("last_success_unknown", error=str(error))
            return None
        return run.finished_at if run else None

    def last_success_elsewhere(self) -> datetime | None:
        """Return when the last success started; None if this process made it, or if the database does not answer."""
        try:
            run = last_success(self._engine)
        except DatabaseError:
            return None  # the run reports it
        return None if run is None or (run.run_id, run.started_at) == self._own_success else run.started_at

    def save_plan(self, due: datetime | None) -> None:
        """Store when the next run is due, for `status`."""
        try:
            save_planned_run(self._engine, due)
        except DatabaseError as error:
            get_logger().warning("next_run_not_recorded", error=str(error))

    def ready(self) -> tuple[bool, str]:
        """Return whether the database answers and has the current schema, and one line; the API does not matter."""
        try:
            return True, f"{overview(self._engine).present} templates"
        except SyncError as error:
            return False, str(error)
