"""PURE. What a person can do about a run that was no success, and whose fault it is: one table, by error code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sync.run_record import Status

if TYPE_CHECKING:
    from sync.run_record import Run


class Advice(NamedTuple):
    """Whose fault it is, and what to do, one sentence."""

    fault: str
    to_do: str


_ACCOUNT = "the account: an operator must act"
_DATABASE = "the database"

BY_CODE = {
    "401": Advice(_ACCOUNT, "Check CRUN_API_KEY or CRUN_API_KEY_FILE; a daemon reads the file again before every run."),
    "402": Advice(_ACCOUNT, "Add credits to the account, then run again."),
    "403": Advice(_ACCOUNT, "Check CRUN_API_KEY and the permissions of the account."),
    "404": Advice("the configuration or the server", "Check CRUN_BASE_URL; the default is https://api.crun.ai."),
    "422": Advice("the server, or a change of its API", "Check for a newer version of this program."),
    "505": Advice(_ACCOUNT, "Ask Crun's support to enable the catalog."),
    "held": Advice(
        "too many removals at once: an operator decides",
        "List them with `template-sync changes --pending`; apply them with `template-sync run --accept-removals`, or wait.",
    ),
    "unconfirmed": Advice(
        "the server: its look-up responses do not confirm the removals",
        "List them with `template-sync changes --pending`; `run --accept-removals` applies those with a look-up response.",
    ),
    "deadline": Advice(
        "a slow server, or a short SYNC_DEADLINE",
        "If the server is slow, raise SYNC_DEADLINE or SYNC_CONCURRENCY.",
    ),
    "lease-lost": Advice(
        "this machine: the lease expired during the run", "If the machine was not paused, raise SYNC_LEASE_TTL."
    ),
    "conflict": Advice(
        "conflicting transactions of another program or node",
        "None: the next run retries. If it persists, look for other writers to these tables or for locks on them.",
    ),
    "went-back": Advice(
        "the database: a failover or a restore",
        "None: the next run continues from the current tables. A consumer whose cursor is affected gets an error.",
    ),
    "schema": Advice(_DATABASE, "Run `template-sync db upgrade`."),
    "database": Advice(_DATABASE, "`template-sync doctor` tests each step."),
    "unexpected": Advice("this program", "Report the bug; SYNC_LOG_LEVEL=debug template-sync run shows its location."),
}
"""What a stored error code means to an operator."""

_BY_STATUS = {
    Status.DEFERRED: "the server, announced by its response",
    Status.SKIPPED: "another run was active",
    Status.INTERRUPTED: "the run was stopped",
    Status.INCOMPLETE: "the server: its responses are inconsistent, or changed during the walk",
}
_LATER = "None: the next run retries, and the database holds the last good catalog"
_SERVER_ERRORS = range(500, 600)


def advise(run: Run) -> Advice:
    """Say whose fault it is that a run was no success, and what to do: the two questions at 3 a.m."""
    if run.status in _BY_STATUS:
        return Advice(_BY_STATUS[run.status], f"{_LATER}.")
    code = run.error_code or ""
    if code in BY_CODE:
        return BY_CODE[code]
    theirs = code in {"unreachable", "gzip"} or (code.isdecimal() and int(code) in _SERVER_ERRORS)
    fault = "the server or the network" if theirs else "the server, or a change of its API"
    return Advice(fault, f"{_LATER}; if it persists, `template-sync doctor` tests each step.")
