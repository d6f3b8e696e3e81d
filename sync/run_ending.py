"""PURE. How a run's row says that it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sync import __version__
from sync.catalog.run_record import BY_CODE
from sync.errors import DatabaseConflict, Deferred, Interrupted, LeaseBusy, RemovalsHeld, SyncError, WalkUnverified
from sync.run_record import Run, Status

if TYPE_CHECKING:
    from datetime import datetime

    from sync.catalog.removals import Removals
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


def unverified(reason: str) -> SyncError:
    """Give the error of a run that cannot tell which templates are absent."""
    return WalkUnverified(
        f"The walk could not be verified: {reason}. The served records are stored; nothing was removed.",
        hint="The next run walks again; if this persists, the server's responses are inconsistent.",
    )


def removal_problem(
    removals: Removals, absent: int, present: int, *, hold: float, now: datetime, empty: bool
) -> SyncError | None:
    """Give the error of a run whose removals are held, or of which too many are unconfirmed; None if neither.

    Args:
        removals: the decision.
        absent: templates that the walk lacks.
        present: templates that the database holds as present.
        hold: seconds that a held removal waits at least.
        now: when the run began.
        empty: nothing at all was served.
    """
    if removals.held:
        why = removals.why_held(absent, present, hold=hold, now=now, empty=empty)
        return RemovalsHeld(f"{len(removals.held)} removals are held: {why}.", hint=BY_CODE["held"].to_do)
    if removals.too_many_unconfirmed:
        return WalkUnverified(removals.why_unconfirmed(present), hint=BY_CODE["unconfirmed"].to_do, code="unconfirmed")
    return None
