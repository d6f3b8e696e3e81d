"""All errors of this program.

SyncError                       1   unexpected error
├── UsageError                  2   invalid command line
│   └── CatalogError            2   the database cannot answer this query
│       ├── UnknownTemplate     2   unknown template ID
│       ├── UnknownRun          2   unknown run ID
│       ├── NoSuchPast          2   a time before the first run, or in the future
│       │   └── Pruned          2   a time whose history was deleted
│       └── CursorLost         65   a cursor of another feed, or of deleted history
├── SiteError                   1   the gallery's folder could not be written
├── RemovalsHeld                4   too many removals; an operator decides
├── DatabaseError              69   the database is unavailable, or a statement failed
│   ├── DatabaseAway           69   it cannot be reached, or is read-only now
│   ├── DatabaseConflict       75   a conflicting transaction won, at every attempt
│   └── SchemaError            69   its schema is not the one that this version needs
├── TryLater                   75   a retry may succeed
│   ├── Unreachable            75   network error, timeout or 5xx
│   ├── Deferred               75   429, or a Retry-After
│   │   └── Maintenance        75   455: the catalog is under maintenance
│   ├── DeadlineExceeded       75   SYNC_DEADLINE was exceeded
│   ├── LeaseBusy              75   another run is active
│   ├── ResourcesExhausted     75   a limit of threads, memory or open files was reached
│   ├── SiteBusy               75   another process writes the gallery
│   ├── LeaseLost              75   the lease expired during the run
│   └── Interrupted            75   stopped before anything was applied
├── InvalidResponse            76   invalid response
│   ├── NotFound               76   404
│   ├── NoSuchPage             76   422: a parameter failed validation
│   └── WalkUnverified         76   the walk could not be verified; removals are not applied
├── AccessDenied               77   the key, the credits or the feature: an operator must act
└── ConfigurationError         78   invalid settings
    └── MissingExtra           78   an optional library is not installed

Exit codes are those of sysexits.h where it has one. The message says what happened, `hint` what to do. Errors are raised where
the fact is known and printed once, in `commands/base.py`.
"""

from __future__ import annotations

from typing import ClassVar


class SyncError(Exception):
    """The base class of all errors. An error of exactly this class, not of a subclass, is unexpected: a bug.

    Attributes:
        hint: one sentence with the next action; empty if none is needed.
        code: the value of `sync_runs.error_code`: the code of the API, or a word.
    """

    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False
    default_code: ClassVar[str] = "unexpected"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code or self.default_code


class UsageError(SyncError):
    """The command line is invalid."""

    exit_code = 2
    default_code = "usage"


class CatalogError(UsageError):
    """The catalog cannot answer this call. The base of the errors that `sync.Catalog` raises for its arguments."""

    default_code = "catalog"


class UnknownTemplate(CatalogError, LookupError):
    """No template with this id is known: it was never stored, or not by the requested time; or `ensure_fresh` did not find it.

    Attributes:
        template_id: the requested id.
    """

    default_code = "unknown-template"

    def __init__(self, message: str, *, template_id: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.template_id = template_id


class UnknownRun(CatalogError, LookupError):
    """There is no run with this number."""

    default_code = "unknown-run"


class NoSuchPast(CatalogError):
    """There is no catalog of that time: it is before the first run, or in the future."""

    default_code = "no-such-past"


class Pruned(NoSuchPast):
    """The history of that time was deleted."""

    default_code = "pruned"


class CursorLost(CatalogError):
    """A cursor is not part of the current feed, so continuing from it would make a copy wrong.

    Attributes:
        reason: `other-feed`, `pruned`, `ahead` or `diverged`.
        oldest_seq: oldest retained change.
        last_seq: newest change.
        cursor: end of the feed when the error was raised; None: unknown. Read the current catalog, then continue from this
            cursor; changes that were recorded in between are returned again.
    """

    exit_code = 65
    default_code = "cursor-lost"

    def __init__(self, message: str, *, reason: str, oldest_seq: int, last_seq: int, cursor: str | None) -> None:
        start = f"Read the current catalog again (`template-sync export --with-cursor`), then continue from cursor {cursor}."
        super().__init__(message, hint=start, code=self.default_code)
        self.reason = reason
        self.oldest_seq = oldest_seq
        self.last_seq = last_seq
        self.cursor = cursor


class SiteError(SyncError):
    """The gallery's folder could not be written; its previous content is unchanged."""

    default_code = "site"


class RemovalsHeld(SyncError):
    """Too many removals at once: they are held, everything else is applied."""

    exit_code = 4
    default_code = "held"


class DatabaseError(SyncError):
    """The database cannot be reached, or an operation failed."""

    exit_code = 69
    retry = True
    default_code = "database"


class DatabaseAway(DatabaseError):
    """The database cannot be reached or written now: it restarts, fails over, has no quorum or is a standby."""


class DatabaseConflict(DatabaseError):
    """A conflicting transaction won, on another node or over a lock, and this one was rolled back."""

    exit_code = 75
    default_code = "conflict"


class SchemaError(DatabaseError):
    """The tables are not those that this version needs."""

    retry = False
    default_code = "schema"


class SchemaAhead(SchemaError):
    """The schema is that of a newer version; this program must be upgraded."""


class TryLater(SyncError):
    """A temporary failure: retry the same call later."""

    exit_code = 75
    retry = True
    default_code = "try-later"


class Unreachable(TryLater):
    """The network or the server failed (408, 5xx, body codes 500 and 501)."""

    default_code = "unreachable"


class Deferred(TryLater):
    """The server requests a later retry: 429, 455, or a server error with Retry-After.

    Attributes:
        after: seconds of its Retry-After; None if there was none.
        exhausted: whether a server error (5xx) persisted after every Retry-After was obeyed.
    """

    default_code = "deferred"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.after = after
        self.exhausted = False


class Maintenance(Deferred):
    """The catalog is under maintenance (455); it is not retried within the run."""


class DeadlineExceeded(TryLater):
    """The run exceeded SYNC_DEADLINE; nothing was applied."""

    default_code = "deadline"


class LeaseBusy(TryLater):
    """Another run holds the lease.

    Attributes:
        run_id: ID of the row that records the attempt as skipped; None if nothing was recorded.
    """

    default_code = "lease-busy"

    def __init__(self, message: str, *, hint: str = "", run_id: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class ResourcesExhausted(TryLater):
    """The operating system gives this process no further thread, memory or file descriptor."""

    default_code = "resources"


class SiteBusy(TryLater):
    """Another process writes the gallery into the same folder."""

    default_code = "site-busy"


class LeaseLost(TryLater):
    """The lease expired during the run; another run may have acquired it, so nothing was applied."""

    default_code = "lease-lost"


class Interrupted(TryLater):
    """The run was stopped before anything was applied."""

    default_code = "interrupted"


class InvalidResponse(SyncError):
    """The response is invalid: not JSON, not the documented envelope, over a limit, or a 404 or 422 for the list."""

    exit_code = 76
    default_code = "bad-answer"


class NotFound(InvalidResponse):
    """404: for the list an error, for a look-up by ID possibly evidence that the template is gone.

    Attributes:
        envelope: the API's envelope; None if the response came from something else, such as a web server.
    """

    default_code = "404"

    def __init__(self, message: str, *, hint: str = "", envelope: object = None) -> None:
        super().__init__(message, hint=hint)
        self.envelope = envelope


class NoSuchPage(InvalidResponse):
    """422: within the list an error, after the last page possibly the end of the list."""

    default_code = "422"


class WalkUnverified(InvalidResponse):
    """The walk could not be verified: the served records are applied, nothing is removed."""

    default_code = "unverified"


class AccessDenied(SyncError):
    """The key (401, 403), the credits (402) or the feature (505) is refused: an operator must act."""

    exit_code = 77
    default_code = "refused"


class ConfigurationError(SyncError):
    """Invalid settings; raised before any I/O.

    Attributes:
        problems: one line per error, with the name of the variable.
    """

    exit_code = 78
    default_code = "configuration"

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        usual = "The README lists every setting; `template-sync config` shows the values once they are valid."
        super().__init__("\n".join(problems), hint=hint or usual)
        self.problems = problems


class OtherOrigin(ConfigurationError):
    """The database is a copy of another catalog than the one that CRUN_BASE_URL names."""

    default_code = "other-origin"

    def __init__(self, recorded: str, configured: str) -> None:
        super().__init__(
            [f"The database is a copy of the catalog at {recorded}, but CRUN_BASE_URL is {configured}."],
            hint="Correct CRUN_BASE_URL or DATABASE_URL; only to replace the copy, run `template-sync db origin --accept` first.",
        )


class MissingExtra(ConfigurationError):
    """A library of an extra is needed and not installed."""

    default_code = "missing-extra"

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__([f"{what} needs {library}, which is not installed."])
        self.hint = f"Install this program with its extra {extra}: in a checkout, pip install '.[{extra}]'."
