"""PURE. How a run's row says that it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sync import __version__
from sync.errors import DatabaseConflict, Deferred, Interrupted, LeaseBusy, RemovalsHeld, SyncError, WalkUnverified
from sync.run_record import Run, Status

if TYPE_CHECKING:
    from datetime import datetime

    from sync.endpoint.statistics import RequestStatistics

_OF_A_PROBLEM: dict[type[SyncError], Status] = {RemovalsHeld: Status.HELD, WalkUnverified: Status.INCOMPLETE}
"""What is not believed waits; everything else of such a run is applied."""


def concluded(run: Run, problem: SyncError | None, statistics: RequestStatistics, now: datetime) -> Run:
    """Say how a run ends that has something to write."""
    status = _OF_A_PROBLEM[type(problem)] if problem else Status.SUCCEEDED
    return _with_error(_counted(run, statistics), status, problem, now)


def ended(run: Run, error: SyncError, statistics: RequestStatistics, now: datetime) -> Run:
    """Say how a run ends that applies nothing."""
    return _with_error(_counted(run, statistics), _status_of(error), error, now)


def _status_of(error: SyncError) -> Status:
    if isinstance(error, Deferred):
        return Status.DEFERRED
    if isinstance(error, Interrupted):
        return Status.INTERRUPTED
    return Status.SKIPPED if isinstance(error, LeaseBusy | DatabaseConflict) else Status.FAILED


def _with_error(run: Run, status: Status, error: SyncError | None, now: datetime) -> Run:
    return replace(
        run, status=status, finished_at=now, error_code=error.code if error else None, error=str(error) if error else None
    )


def _counted(run: Run, statistics: RequestStatistics) -> Run:
    return replace(run, requests=statistics.requests, retries=statistics.retries, bytes=statistics.bytes, version=__version__)
