"""The row of a run: what it counted, how it ended, and the advice for an operator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync import __version__
from sync.catalog.run_record import (
    BY_CODE,
    Advice,
    Run,
    Status,
    advise,
    finish,
    from_row,
    unverified_error,
)
from sync.client.network import RequestStatistics
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

START = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Run(
    41, "daemon", Status.HELD, START, START + timedelta(seconds=2.1234), catalog_total=9, pages=1, requests=2, retries=3, bytes=4,
    seen=5, added=60, removed=7, changed=8, unchanged=9, rejected=10, held=11, unconfirmed=13,
    fields_appeared=("A", "B"), fields_vanished=("C",),
    error_code="held", error="11 removals wait", fence=12, holder="host", version="1.0", template_id="7",
)  # fmt: skip
ROW: dict[str, Any] = {
    "trigger": "daemon", "status": "held", "started_at": START, "finished_at": START + timedelta(seconds=2.1234),
    "catalog_total": 9, "pages": 1, "requests": 2, "retries": 3, "bytes": 4, "seen": 5, "added": 60, "removed": 7, "changed": 8,
    "unchanged": 9, "rejected": 10, "held": 11, "unconfirmed": 13,
    "fields_appeared": ["A", "B"], "fields_vanished": ["C"], "error_code": "held",
    "error": "11 removals wait", "fence": 12, "holder": "host", "version": "1.0", "template_id": "7",
}  # fmt: skip
NEW = Run(1, "run", Status.RUNNING, START)
NEW_ROW: dict[str, Any] = {
    **{name: 0 if isinstance(value, int) else None for name, value in ROW.items()},
    "trigger": "run", "status": "running", "started_at": START, "holder": "", "catalog_total": None, "fence": None,
}  # fmt: skip


def test_the_statuses_do_not_change() -> None:
    assert [*map(str, Status)] == [
        "running", "succeeded", "held", "incomplete", "deferred", "failed", "skipped", "interrupted",
    ]  # fmt: skip


def test_a_row_has_all_values_of_a_run_and_null_for_an_empty_list() -> None:
    assert FULL.row() == ROW
    assert type(FULL.row()["status"]) is str  # which every driver accepts
    assert NEW.row() == NEW_ROW


def test_json_has_times_as_text_and_the_duration() -> None:
    times = {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:02.123400Z"}
    assert FULL.as_json() == {"run_id": 41, **ROW, "seconds": 2.123, **times}
    new = {"started_at": "2026-01-01T00:00:00Z", "fields_appeared": [], "fields_vanished": []}
    assert NEW.as_json() == {"run_id": 1, **NEW_ROW, "seconds": None, **new}


def test_a_row_is_converted_back_to_the_run() -> None:
    assert from_row({**ROW, "run_id": 41, "token": "t"}) == FULL
    assert from_row({**NEW_ROW, "run_id": 1}) == NEW
    assert from_row({**ROW, "run_id": 41}).status is Status.HELD


def test_changes_are_additions_removals_and_changes() -> None:
    assert (FULL.changes, NEW.changes) == (75, 0)


# The result -----------------------------------------------------------------------------------------------------------


BEGAN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 12, 5, tzinfo=UTC)
RUN = Run(7, "daemon", Status.RUNNING, BEGAN, pages=6, seen=280, added=3, holder="host:1", fence=9)
STATISTICS = RequestStatistics(requests=8, retries=2, bytes=4096, decompressed=65536)


def row(status: Status, error_code: str | None = None, error: str | None = None) -> Run:
    """Return the expected row: the values of RUN, the statistics, and the result."""
    return Run(
        7, "daemon", status, BEGAN, NOW, pages=6, requests=8, retries=2, bytes=4096, seen=280, added=3, holder="host:1", fence=9,
        error_code=error_code, error=error, version=__version__,
    )  # fmt: skip


def test_a_run_without_an_error_succeeded() -> None:
    assert finish(RUN, None, STATISTICS, NOW) == row(Status.SUCCEEDED)


@pytest.mark.parametrize(("error", "status", "code"), [
    (RemovalsHeld("Odd."), Status.HELD, "held"),
    (WalkUnverified("Odd."), Status.INCOMPLETE, "unverified"),
    (Deferred("Odd."), Status.DEFERRED, "deferred"),
    (Maintenance("Odd."), Status.DEFERRED, "deferred"),
    (Interrupted("Odd."), Status.INTERRUPTED, "interrupted"),
    (LeaseBusy("Odd."), Status.SKIPPED, "lease-busy"),
    (DatabaseConflict("Odd."), Status.SKIPPED, "conflict"),
    (SyncError("Odd."), Status.FAILED, "unexpected"),
    (Unreachable("Odd."), Status.FAILED, "unreachable"),
    (Unreachable("Odd.", code="503"), Status.FAILED, "503"),  # the server's own code
    (DeadlineExceeded("Odd."), Status.FAILED, "deadline"),
    (LeaseLost("Odd."), Status.FAILED, "lease-lost"),
    (InvalidResponse("Odd."), Status.FAILED, "bad-answer"),
    (AccessDenied("Odd.", code="401"), Status.FAILED, "401"),
    (DatabaseAway("Odd."), Status.FAILED, "database"),
])  # fmt: skip
def test_a_run_has_the_status_code_and_message_of_its_error(error: SyncError, status: Status, code: str) -> None:
    assert finish(RUN, error, STATISTICS, NOW) == row(status, code, "Odd.")


def test_the_error_of_an_unverified_walk_has_its_reason() -> None:
    error = unverified_error("the counts differ")
    assert (type(error), error.code, str(error), error.hint) == (
        WalkUnverified,
        "unverified",
        "The walk could not be verified: the counts differ. The served records are stored; nothing was removed.",
        "The next run walks again; if this persists, the server's responses are inconsistent.",
    )


# Advice ---------------------------------------------------------------------------------------------------------------


LATER = "None: the next run retries; the database keeps the last good catalog."
IF_IT_STAYS = (
    "None: the next run retries; the database keeps the last good catalog. If it persists, `template-sync doctor` tests "
    "each step."
)
ADVICE = Path(__file__).with_name("advice.txt")
"""Code, cause and action of each failure, a line each."""


def advice(status: Status, code: str | None) -> Advice:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return advise(Run(1, "run", status, now, now, error_code=code))


@pytest.mark.parametrize(("status", "cause"), [
    (Status.DEFERRED, "the server, which asks to retry later"),
    (Status.SKIPPED, "another run was active"),
    (Status.INTERRUPTED, "the run was stopped"),
    (Status.INCOMPLETE, "the server: its responses are inconsistent, or changed during the walk"),
])  # fmt: skip
def test_the_advice_of_these_statuses_needs_no_action(status: Status, cause: str) -> None:
    assert advice(status, None) == (cause, LATER)
    assert advice(status, "401") == (cause, LATER)


@pytest.mark.parametrize("code", ["unreachable", "gzip", "500", "503", "599"])
def test_server_errors_have_the_server_or_the_network_as_cause(code: str) -> None:
    assert advice(Status.FAILED, code) == ("the server or the network", IF_IT_STAYS)


@pytest.mark.parametrize("code", [None, "", "499", "600", "shape", "²"])
def test_unknown_codes_have_a_change_of_the_api_as_possible_cause(code: str | None) -> None:
    assert advice(Status.FAILED, code) == ("the server, or a change of its API", IF_IT_STAYS)


def test_every_code_has_its_own_advice() -> None:
    assert [f"{code} | {cause} | {action}" for code, (cause, action) in BY_CODE.items()] == ADVICE.read_text().splitlines()
    assert {code: advice(Status.FAILED, code) for code in BY_CODE} == BY_CODE
