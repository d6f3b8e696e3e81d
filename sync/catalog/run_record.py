"""PURE. The record of a run: its row in `sync_runs`, its result, and cause and action for each error code."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sync import __version__
from sync.catalog.document import to_plain_json
from sync.errors import DatabaseConflict, Deferred, Interrupted, LeaseBusy, RemovalsHeld, SyncError, WalkUnverified

if TYPE_CHECKING:
    from datetime import datetime


class Requests(Protocol):
    """Counts of a run's requests; `sync.client.network.RequestStatistics` is the implementation."""

    requests: int
    retries: int
    bytes: int


class Status(StrEnum):
    """The status of a run; all but `running` are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD = "held"
    INCOMPLETE = "incomplete"
    DEFERRED = "deferred"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as a row of `sync_runs`.

    Attributes:
        bytes: number of bytes received, as transferred.
        held: number of held removals.
        unconfirmed: number of missing templates that are kept, because their removal is not confirmed.
        fence: fencing token; None if the run did not get the lease.
        template_id: the template that a refresh fetches; None: the run walks the catalog.
    """

    run_id: int | None
    trigger: str
    status: Status
    started_at: datetime
    finished_at: datetime | None = None
    catalog_total: int | None = None
    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seen: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    held: int = 0
    unconfirmed: int = 0
    fields_appeared: tuple[str, ...] = ()
    fields_vanished: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = None
    fence: int | None = None
    holder: str = ""
    version: str | None = None
    template_id: str | None = None

    @property
    def seconds(self) -> float | None:
        """Duration in seconds; None while the run is active."""
        return None if self.finished_at is None else round((self.finished_at - self.started_at).total_seconds(), 3)

    @property
    def changes(self) -> int:
        """Number of published changes."""
        return self.added + self.removed + self.changed

    def row(self) -> dict[str, Any]:
        """Return the row of `sync_runs`, without its key."""
        row = {column.name: getattr(self, column.name) for column in fields(self) if column.name != "run_id"}
        row["status"] = str(self.status)
        for name in ("fields_appeared", "fields_vanished"):
            row[name] = list(row[name]) or None
        return row

    def as_json(self) -> dict[str, Any]:
        """Return the row for JSON: times as text, with the duration in seconds."""
        return {**to_plain_json(self), "seconds": self.seconds}


def from_row(row: dict[str, Any]) -> Run:
    """Convert a row of `sync_runs`."""
    known = {column.name: row[column.name] for column in fields(Run)}  # without the columns that only the store uses
    lists = {name: tuple(row[name] or ()) for name in ("fields_appeared", "fields_vanished")}
    return Run(**{**known, **lists, "status": Status(row["status"])})


class Advice(NamedTuple):
    """Cause and action, one sentence each."""

    cause: str
    action: str


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
        "List them with `template-sync changes --pending`; apply them with `template-sync run --accept-removals`, or, unless the "
        "catalog is empty, wait.",
    ),
    "unconfirmed": Advice(
        "the server: its look-up responses do not confirm the removals",
        "List them with `template-sync changes --pending`; `run --accept-removals` applies those that can be accepted.",
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
    "other-origin": Advice(
        "the configuration: CRUN_BASE_URL names another catalog than the one that the database is a copy of",
        "Correct CRUN_BASE_URL or DATABASE_URL; to replace the copy, run `template-sync db origin --accept`.",
    ),
    "configuration": Advice(
        "the settings of the process that made the run",
        "Correct what the error names, such as the file of the key; a daemon reads its files again before every run.",
    ),
    "resources": Advice(
        "this machine: a limit of threads, memory or open files",
        "Raise the limit that the error names: TasksMax or MemoryMax of systemd, or those of the container.",
    ),
    "schema": Advice(_DATABASE, "Run `template-sync db upgrade`."),
    "database": Advice(_DATABASE, "`template-sync doctor` tests each step."),
    "unexpected": Advice("this program", "Report the bug; SYNC_LOG_LEVEL=debug template-sync run shows its location."),
}
"""Error code -> cause and action."""

_BY_STATUS = {
    Status.DEFERRED: "the server, which asks to retry later",
    Status.SKIPPED: "another run was active",
    Status.INTERRUPTED: "the run was stopped",
    Status.INCOMPLETE: "the server: its responses are inconsistent, or changed during the walk",
}
_LATER = "None: the next run retries; the database keeps the last good catalog"
_SERVER_ERRORS = range(500, 600)


def advise(run: Run) -> Advice:
    """Return cause and action for a run that was not a success."""
    if run.status in _BY_STATUS:
        return Advice(_BY_STATUS[run.status], f"{_LATER}.")
    code = run.error_code or ""
    if code in BY_CODE:
        return BY_CODE[code]
    is_upstream = code in {"unreachable", "gzip"} or (code.isdecimal() and int(code) in _SERVER_ERRORS)
    cause = "the server or the network" if is_upstream else "the server, or a change of its API"
    return Advice(cause, f"{_LATER}. If it persists, `template-sync doctor` tests each step.")


_STATUS_OF: dict[type[SyncError], Status] = {
    RemovalsHeld: Status.HELD, WalkUnverified: Status.INCOMPLETE, Deferred: Status.DEFERRED, Interrupted: Status.INTERRUPTED,
    LeaseBusy: Status.SKIPPED, DatabaseConflict: Status.SKIPPED,
}  # fmt: skip
"""The first two are errors of runs that apply everything except removals, the others of runs that apply nothing."""


def finish(run: Run, error: SyncError | None, statistics: Requests, now: datetime) -> Run:
    """Return the row of a run that ended, with the status that follows from its error; None is a success."""
    failed = next((status for kind, status in _STATUS_OF.items() if isinstance(error, kind)), Status.FAILED)
    return replace(
        run, status=failed if error else Status.SUCCEEDED, finished_at=now,
        error_code=error.code if error else None, error=str(error) if error else None,
        requests=statistics.requests, retries=statistics.retries, bytes=statistics.bytes, version=__version__,
    )  # fmt: skip


def unverified_error(reason: str) -> SyncError:
    """Return the error of a run whose walk is not verified."""
    return WalkUnverified(
        f"The walk could not be verified: {reason}. The served records are stored; nothing was removed.",
        hint="The next run walks again; if this persists, the server's responses are inconsistent.",
    )
