"""What an operator is told at 3 a.m.: whose fault it is, and what to do. It is told in these words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.catalog.run_record import BY_CODE, Advice, Run, Status, advise

LATER = "None: the next run retries, and the database holds the last good catalog."
IF_IT_STAYS = (
    "None: the next run retries, and the database holds the last good catalog; if it persists, `template-sync doctor` tests "
    "each step."
)
ACCOUNT = "the account: an operator must act"
BY_ITS_CODE = {
    "401": (ACCOUNT, "Check CRUN_API_KEY or CRUN_API_KEY_FILE; a daemon reads the file again before every run."),
    "402": (ACCOUNT, "Add credits to the account, then run again."),
    "403": (ACCOUNT, "Check CRUN_API_KEY and the permissions of the account."),
    "404": ("the configuration or the server", "Check CRUN_BASE_URL; the default is https://api.crun.ai."),
    "422": ("the server, or a change of its API", "Check for a newer version of this program."),
    "505": (ACCOUNT, "Ask Crun's support to enable the catalog."),
    "held": (
        "too many removals at once: an operator decides",
        "List them with `template-sync changes --pending`; apply them with `template-sync run --accept-removals`, or wait.",
    ),
    "unconfirmed": (
        "the server: its look-up responses do not confirm the removals",
        "List them with `template-sync changes --pending`; `run --accept-removals` applies those with a look-up response.",
    ),
    "deadline": (
        "a slow server, or a short SYNC_DEADLINE",
        "If the server is slow, raise SYNC_DEADLINE or SYNC_CONCURRENCY.",
    ),
    "lease-lost": ("this machine: the lease expired during the run", "If the machine was not paused, raise SYNC_LEASE_TTL."),
    "conflict": (
        "conflicting transactions of another program or node",
        "None: the next run retries. If it persists, look for other writers to these tables or for locks on them.",
    ),
    "went-back": (
        "the database: a failover or a restore",
        "None: the next run continues from the current tables. A consumer whose cursor is affected gets an error.",
    ),
    "configuration": (
        "the settings of the process that made the run",
        "Correct what the error names, such as the file of the key; a daemon reads its files again before every run.",
    ),
    "schema": ("the database", "Run `template-sync db upgrade`."),
    "database": ("the database", "`template-sync doctor` tests each step."),
    "unexpected": ("this program", "Report the bug; SYNC_LOG_LEVEL=debug template-sync run shows its location."),
}


def told(status: Status, code: str | None) -> Advice:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return advise(Run(1, "run", status, now, now, error_code=code))


@pytest.mark.parametrize(("status", "fault"), [
    (Status.DEFERRED, "the server, announced by its response"),
    (Status.SKIPPED, "another run was active"),
    (Status.INTERRUPTED, "the run was stopped"),
    (Status.INCOMPLETE, "the server: its responses are inconsistent, or changed during the walk"),
])  # fmt: skip
def test_what_passes_by_itself_asks_for_nothing_whatever_its_code(status: Status, fault: str) -> None:
    assert told(status, None) == (fault, LATER)
    assert told(status, "401") == (fault, LATER)


@pytest.mark.parametrize("code", ["unreachable", "gzip", "500", "503", "599"])
def test_a_server_that_fails_or_is_not_reached_is_not_our_fault(code: str) -> None:
    assert told(Status.FAILED, code) == ("the server or the network", IF_IT_STAYS)


@pytest.mark.parametrize("code", [None, "", "499", "600", "shape", "²"])
def test_an_unknown_answer_is_reported_as_a_possible_change_of_the_api(code: str | None) -> None:
    assert told(Status.FAILED, code) == ("the server, or a change of its API", IF_IT_STAYS)


def test_every_code_has_its_own_advice() -> None:
    assert BY_CODE == BY_ITS_CODE
    assert {code: told(Status.FAILED, code) for code in BY_ITS_CODE} == BY_ITS_CODE
