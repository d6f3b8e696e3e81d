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


_ACCOUNT = "the account's: a person must act"
_DATABASE = "ours: the database"

BY_CODE = {
    "401": Advice(_ACCOUNT, "Check CRUN_API_KEY, or its file; a daemon reads the file anew for every run."),
    "402": Advice(_ACCOUNT, "Top the account up, then run again."),
    "403": Advice(_ACCOUNT, "Check CRUN_API_KEY and what the account may use."),
    "404": Advice("ours, or the server's", "Check CRUN_BASE_URL; the default is https://api.crun.ai."),
    "422": Advice("the server's, or its interface changed", "Look for a newer version of this program."),
    "505": Advice(_ACCOUNT, "Ask Crun's support to enable the catalog."),
    "held": Advice(
        "nobody's yet: a person decides",
        "See them with `template-sync changes --pending`; accept them with `template-sync run --accept-removals`, or wait.",
    ),
    "unconfirmed": Advice(
        "the server's: it says in another way that these are gone, or does not answer",
        "See them with `template-sync changes --pending`; `template-sync run --accept-removals` removes those answered.",
    ),
    "deadline": Advice(
        "the server's if it is slow, ours if SYNC_DEADLINE is short",
        "If the server is merely slow, raise SYNC_DEADLINE or SYNC_CONCURRENCY.",
    ),
    "lease-lost": Advice("ours", "If the machine was not paused, raise SYNC_LEASE_TTL."),
    "conflict": Advice(
        "nobody's: another program's, or another node's, transactions won",
        "Nothing: the next run tries again. If it stays, find out who else writes to these tables or holds a lock on them.",
    ),
    "went-back": Advice(
        "ours: the database, or whoever restored it",
        "Nothing for this program: the next run goes on from what is there. Whoever follows the feed by cursor is told.",
    ),
    "schema": Advice(_DATABASE, "Run `template-sync db upgrade`."),
    "database": Advice(_DATABASE, "`template-sync doctor` tests each step."),
    "unexpected": Advice("ours", "Report it: SYNC_LOG_LEVEL=debug template-sync run shows where it happened."),
}
"""What a stored error code means to an operator."""

_BY_STATUS = {
    Status.DEFERRED: "the server's, and announced",
    Status.SKIPPED: "nobody's: two runs met",
    Status.INTERRUPTED: "nobody's: it was stopped",
    Status.INCOMPLETE: "the server's: its answers do not add up, or moved too fast",
}
_LATER = "Nothing: the next run tries again, and what is stored is the last good catalog"
_SERVER_ERRORS = range(500, 600)


def advise(run: Run) -> Advice:
    """Say whose fault it is that a run was no success, and what to do: the two questions at 3 a.m."""
    if run.status in _BY_STATUS:
        return Advice(_BY_STATUS[run.status], f"{_LATER}.")
    code = run.error_code or ""
    if code in BY_CODE:
        return BY_CODE[code]
    theirs = code in {"unreachable", "gzip"} or (code.isdecimal() and int(code) in _SERVER_ERRORS)
    fault = "the server's or the network's" if theirs else "the server's, or its interface changed"
    return Advice(fault, f"{_LATER}; if it stays, `template-sync doctor` tests each step.")
