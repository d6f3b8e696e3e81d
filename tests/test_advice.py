"""What an operator is told at 3 a.m.: whose fault it is, and what to do. It is told in these words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.advice import BY_CODE, Advice, advise
from sync.run_record import Run, Status

LATER = "Nothing: the next run tries again, and what is stored is the last good catalog."
IF_IT_STAYS = (
    "Nothing: the next run tries again, and what is stored is the last good catalog; if it stays, `template-sync doctor` tests "
    "each step."
)
ACCOUNT = "the account's: a person must act"
BY_ITS_CODE = {
    "401": (ACCOUNT, "Check CRUN_API_KEY, or its file; a daemon reads the file anew for every run."),
    "402": (ACCOUNT, "Top the account up, then run again."),
    "403": (ACCOUNT, "Check CRUN_API_KEY and what the account may use."),
    "404": ("ours, or the server's", "Check CRUN_BASE_URL; the default is https://api.crun.ai."),
    "422": ("the server's, or its interface changed", "Look for a newer version of this program."),
    "505": (ACCOUNT, "Ask Crun's support to enable the catalog."),
    "held": (
        "nobody's yet: a person decides",
        "See them with `template-sync changes --pending`; accept them with `template-sync run --accept-removals`, or wait.",
    ),
    "unconfirmed": (
        "the server's: it says in another way that these are gone, or does not answer",
        "See them with `template-sync changes --pending`; `template-sync run --accept-removals` removes those answered.",
    ),
    "deadline": (
        "the server's if it is slow, ours if SYNC_DEADLINE is short",
        "If the server is merely slow, raise SYNC_DEADLINE or SYNC_CONCURRENCY.",
    ),
    "lease-lost": ("ours", "If the machine was not paused, raise SYNC_LEASE_TTL."),
    "conflict": (
        "nobody's: another program's, or another node's, transactions won",
        "Nothing: the next run tries again. If it stays, find out who else writes to these tables or holds a lock on them.",
    ),
    "went-back": (
        "ours: the database, or whoever restored it",
        "Nothing for this program: the next run goes on from what is there. Whoever follows the feed by cursor is told.",
    ),
    "schema": ("ours: the database", "Run `template-sync db upgrade`."),
    "database": ("ours: the database", "`template-sync doctor` tests each step."),
    "unexpected": ("ours", "Report it: SYNC_LOG_LEVEL=debug template-sync run shows where it happened."),
}


def told(status: Status, code: str | None) -> Advice:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return advise(Run(1, "run", status, now, now, error_code=code))


@pytest.mark.parametrize(("status", "fault"), [
    (Status.DEFERRED, "the server's, and announced"),
    (Status.SKIPPED, "nobody's: two runs met"),
    (Status.INTERRUPTED, "nobody's: it was stopped"),
    (Status.INCOMPLETE, "the server's: its answers do not add up, or moved too fast"),
])  # fmt: skip
def test_what_passes_by_itself_asks_for_nothing_whatever_its_code(status: Status, fault: str) -> None:
    assert told(status, None) == (fault, LATER)
    assert told(status, "401") == (fault, LATER)


@pytest.mark.parametrize("code", ["unreachable", "gzip", "500", "503", "599"])
def test_a_server_that_fails_or_is_not_reached_is_not_our_fault(code: str) -> None:
    assert told(Status.FAILED, code) == ("the server's or the network's", IF_IT_STAYS)


@pytest.mark.parametrize("code", [None, "", "499", "600", "shape", "²"])
def test_an_answer_that_nobody_foresaw_may_be_a_changed_interface(code: str | None) -> None:
    assert told(Status.FAILED, code) == ("the server's, or its interface changed", IF_IT_STAYS)


def test_every_code_has_its_own_advice() -> None:
    assert BY_CODE == BY_ITS_CODE
    assert {code: told(Status.FAILED, code) for code in BY_ITS_CODE} == BY_ITS_CODE
