"""What a run's row says of how it ended: who reads `sync_runs`, or waits for an alarm, knows no more than that."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync import __version__
from sync.catalog.removals import HeldRemoval, Removals, Unconfirmed
from sync.catalog.run_record import BY_CODE, Run, Status, finish_applied, finish_failed, removal_problem, unverified_error
from sync.client.params import RequestStatistics
from sync.errors import (
    AccessDenied,
    DatabaseAway,
    DatabaseConflict,
    DeadlineExceeded,
    Deferred,
    Interrupted,
    InvalidResponse,
    LeaseBusy,
    LeaseLost,
    Maintenance,
    RemovalsHeld,
    SyncError,
    Unreachable,
    WalkUnverified,
)

BEGAN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 12, 5, tzinfo=UTC)
RUN = Run(7, "daemon", Status.RUNNING, BEGAN, pages=6, seen=280, added=3, holder="host:1", fence=9)
ASKED = RequestStatistics(requests=8, retries=2, bytes=4096, decompressed=65536)


def row(status: Status, error_code: str | None = None, error: str | None = None) -> Run:
    """Say what is to stand in the row: what was known before, what was asked for, and the end."""
    return Run(
        7, "daemon", status, BEGAN, NOW, pages=6, requests=8, retries=2, bytes=4096, seen=280, added=3, holder="host:1", fence=9,
        error_code=error_code, error=error, version=__version__,
    )  # fmt: skip


def test_a_run_without_a_problem_succeeded_and_has_no_error() -> None:
    assert finish_applied(RUN, None, ASKED, NOW) == row(Status.SUCCEEDED)


@pytest.mark.parametrize(("problem", "expected"), [
    (RemovalsHeld("40 removals wait."), row(Status.HELD, "held", "40 removals wait.")),
    (WalkUnverified("The counts differ."), row(Status.INCOMPLETE, "unverified", "The counts differ.")),
])  # fmt: skip
def test_a_run_that_held_removals_or_was_unverified_reports_why_although_it_applied_the_rest(
    problem: SyncError, expected: Run
) -> None:
    assert finish_applied(RUN, problem, ASKED, NOW) == expected


@pytest.mark.parametrize("error", [Deferred("Come back."), Maintenance("Come back.")])
def test_a_deferral_is_no_failure(error: SyncError) -> None:
    assert finish_failed(RUN, error, ASKED, NOW) == row(Status.DEFERRED, "deferred", "Come back.")


def test_a_run_that_was_asked_to_stop_did_not_fail() -> None:
    assert finish_failed(RUN, Interrupted("Stopped."), ASKED, NOW) == row(Status.INTERRUPTED, "interrupted", "Stopped.")


@pytest.mark.parametrize(("error", "code"), [(LeaseBusy("Taken."), "lease-busy"), (DatabaseConflict("Taken."), "conflict")])
def test_a_run_that_left_the_work_to_another_was_skipped(error: SyncError, code: str) -> None:
    assert finish_failed(RUN, error, ASKED, NOW) == row(Status.SKIPPED, code, "Taken.")


@pytest.mark.parametrize(("error", "code"), [
    (SyncError("Odd."), "unexpected"),
    (Unreachable("Odd."), "unreachable"),
    (Unreachable("Odd.", code="503"), "503"),  # the server's own code, where it gave one
    (DeadlineExceeded("Odd."), "deadline"),
    (LeaseLost("Odd."), "lease-lost"),
    (InvalidResponse("Odd."), "bad-answer"),
    (AccessDenied("Odd.", code="401"), "401"),
    (DatabaseAway("Odd."), "database"),
])  # fmt: skip
def test_everything_else_that_applied_nothing_failed_with_its_code_and_its_sentence(error: SyncError, code: str) -> None:
    assert finish_failed(RUN, error, ASKED, NOW) == row(Status.FAILED, code, "Odd.")


# Absences ------------------------------------------------------------------------------------------------------------------


def said(error: SyncError | None) -> tuple[type[SyncError], str, str, str | None]:
    assert error is not None
    return type(error), error.code, str(error), error.hint


def test_a_run_whose_walk_proves_nothing_of_absences_says_why() -> None:
    assert said(unverified_error("the counts differ")) == (
        WalkUnverified,
        "unverified",
        "The walk could not be verified: the counts differ. The served records are stored; nothing was removed.",
        "The next run walks again; if this persists, the server's responses are inconsistent.",
    )


def problem(removals: Removals) -> SyncError | None:
    return removal_problem(removals, 2, 9, hold=3600.0, now=NOW, empty=True)


def test_a_run_that_removes_everything_or_keeps_a_few_has_no_problem() -> None:
    assert problem(Removals({"1": "lookup"}, limit=10)) is None
    assert problem(Removals(unconfirmed={"1": Unconfirmed("why", answered=True)}, limit=1)) is None


def test_a_run_whose_removals_are_held_says_how_many_and_why() -> None:
    held = {"1": HeldRemoval(1, NOW), "2": HeldRemoval(1, NOW)}
    assert said(problem(Removals(held=held, unconfirmed={"3": Unconfirmed("why", answered=True)}))) == (
        RemovalsHeld,
        "held",
        "2 removals are held: the catalog is empty, which only an operator can accept.",
        BY_CODE["held"].action,
    )


def test_a_run_with_too_many_unconfirmed_absences_says_so() -> None:
    unconfirmed = {each: Unconfirmed("silence", answered=False) for each in "12"}
    assert said(problem(Removals(unconfirmed=unconfirmed, limit=1))) == (
        WalkUnverified,
        "unconfirmed",
        (
            "2 of 9 templates are missing and their removal is not confirmed, and at most 1 may be; most of them: silence. "
            "They are kept."
        ),
        BY_CODE["unconfirmed"].action,
    )
