"""One scheduled run: synchronise, then log, metrics, heartbeat ping and gallery; and the checks before it."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from sync import __version__
from sync.catalog.run_record import BY_CODE, Run, Status
from sync.client.api_client import ApiClient
from sync.config.resource_limits import as_sync_error, resource_error
from sync.daemon.next_run import RunResult
from sync.errors import CursorLost, DatabaseError, SchemaAhead, SyncError
from sync.logs import get_logger, log_run
from sync.reader.feed import last_cursor, validate_cursor
from sync.reader.status import last_success, overview, overview_if_available
from sync.store.apply import Store
from sync.store.database_url import database_name, sqlite_file
from sync.store.engine import reading
from sync.store.schema import require_current_schema
from sync.store.sqlite_file import identity
from sync.store.state import save_planned_run
from sync.synchronise import Outcome, options_of, synchronise

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import sqlalchemy as sa

    from sync.config.settings import Settings
    from sync.monitoring.heartbeat import Ping
    from sync.monitoring.metrics import Metrics
    from sync.store.sqlite_file import Identity


@dataclass(eq=False)
class Service:
    """The job of the daemon.

    Args:
        settings: the settings at the start.
        key: returns the API key, read for each run, so that a rotated key file needs no restart.
        clock: the wall clock, aware.
        after_run: called after each run, whatever its status.
        site: updates the gallery after a run; returns whether that succeeded, None without a gallery.

    Attributes:
        outdated: the error that ends this process, after the database was upgraded for a newer version.
    """

    settings: Settings
    engine: sa.Engine
    _: KW_ONLY
    key: Callable[[], str]
    metrics: Metrics
    ping: Ping
    clock: Callable[[], datetime]
    after_run: Callable[[], None] = lambda: None
    site: Callable[[], bool | None] = lambda: None
    outdated: SchemaAhead | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._api: ApiClient | None = None
        self._stopping = False
        self._file = self._identity()
        self._cursor: str | None = None
        self._own_success: tuple[int | None, datetime] | None = None

    def run(self) -> RunResult:
        """Run once; return expected failures instead of raising them."""
        with self.ping.run():
            began = self.clock()
            try:
                require_current_schema(self.engine)
                self._check_file()
                self._check_history()
                outcome = self._synchronise()
            except SyncError as error:  # before the run had a row: no key, no database, or a newer schema
                self.outdated = error if isinstance(error, SchemaAhead) else None
                outcome = self._failed(began, error, record=not isinstance(error, DatabaseError))
            except Exception as error:  # noqa: BLE001 - a bug must reach the metrics and the heartbeat
                if resource_error(error) is None:
                    get_logger().error("run_crashed", exc_info=error)
                outcome = self._failed(began, as_sync_error(error))
            log_run(outcome)
            if outcome.run.status is Status.SUCCEEDED:
                self._own_success = (outcome.run.run_id, outcome.run.started_at)
            self.after_run()
            found = overview_if_available(self.engine)
            self.metrics.observe(outcome, found)
            with suppress(SyncError):
                self._cursor = last_cursor(self.engine)
            self.ping.report(outcome, found, self.settings.staleness_budget, self.clock())
        if outcome.plan is not None:
            self.metrics.observe_site(self.site())
        gc.collect()  # statements and errors form cycles, and the next run may be an hour away
        return RunResult(
            outcome.run.status,
            retry=outcome.error is not None and outcome.error.retry,
            retry_after=getattr(outcome.error, "after", None),
        )

    def _check_file(self) -> None:
        """Warn if the SQLite file was replaced since the previous run; the new file is used if it has the schema."""
        before, self._file = self._file, self._identity()
        if before is not None and before != self._file:
            hint = "Stop the daemon before the file is replaced; check that DATABASE_URL names the intended one."
            get_logger().warning("database_replaced", file=database_name(self.engine), hint=hint)

    def _identity(self) -> Identity:
        file = sqlite_file(self.engine)
        return None if file is None else identity(file)

    def _check_history(self) -> None:
        """Warn if the database lost changes since the previous run."""
        if self._cursor is None:
            return
        try:
            with reading(self.engine) as connection:
                validate_cursor(connection, self._cursor)
        except CursorLost as lost:
            if lost.reason != "pruned":
                get_logger().warning("history_went_back", reason=lost.reason, seen=str(lost), hint=BY_CODE["went-back"].action)
                self._cursor = None
        except SyncError:
            pass  # the database is unreachable or lags; the run reports it

    def _failed(self, began: datetime, error: SyncError, *, record: bool = False) -> Outcome:
        """Return the outcome of a failed attempt; `record` inserts a row, so that `status` and `runs` show it."""
        end, text = self.clock(), str(error)
        run = Run(None, "daemon", Status.FAILED, began, end, error_code=error.code, error=text, version=__version__)
        try:
            return Outcome(Store(self.engine).record_failed(run) if record else run, error=error)
        except DatabaseError as unrecorded:
            return Outcome(run, error=error, unrecorded=unrecorded)

    def _synchronise(self) -> Outcome:
        settings = self.settings
        options = options_of(settings)
        with ApiClient(settings, self.key()) as api:
            with self._lock:
                self._api = api
                if self._stopping:
                    api.interrupt()
            try:
                store = Store(self.engine)
                return synchronise(store, api, options, trigger="daemon", ttl=settings.lease_ttl, clock=self.clock)
            finally:
                with self._lock:
                    self._api = None

    def interrupt(self) -> None:
        """Cancel the fetch in progress and every later one; a commit in progress finishes."""
        with self._lock:
            self._stopping = True
            if self._api is not None:
                self._api.interrupt()

    def last_success(self) -> datetime | None:
        """Return when the last success ended; None, with a warning, if the database does not answer."""
        try:
            run = last_success(self.engine)
        except DatabaseError as error:
            get_logger().warning("last_success_unknown", error=str(error))
            return None
        return run.finished_at if run else None

    def last_success_elsewhere(self) -> datetime | None:
        """Return when the last success started; None if this process made it, or if the database does not answer."""
        try:
            run = last_success(self.engine)
        except DatabaseError:
            return None  # the run reports it
        return None if run is None or (run.run_id, run.started_at) == self._own_success else run.started_at

    def save_plan(self, due: datetime | None) -> None:
        """Store when the next run is due, for `status`."""
        try:
            save_planned_run(self.engine, due)
        except DatabaseError as error:
            get_logger().warning("next_run_not_recorded", error=str(error))

    def ready(self) -> tuple[bool, str]:
        """Return whether the database answers and has the current schema, and one line; the API does not matter."""
        try:
            return True, f"{overview(self.engine).present} templates"
        except SyncError as error:
            return False, str(error)
