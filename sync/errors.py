"""Every error of this program, in one tree.

SyncError                       1   something that this program did not foresee
├── UsageError                  2   the command line makes no sense
│   └── CatalogError            2   the database cannot answer this question
│       ├── UnknownTemplate     2   no such template was ever seen
│       ├── UnknownRun          2   no such run is on record
│       ├── NoSuchPast          2   the catalog of a moment that is before the first run, or still to come
│       │   └── Pruned          2   or whose history was deleted
│       └── CursorLost          2   a cursor that this feed did not give, or whose past it no longer has
├── SiteError                   1   the gallery's folder could not be written
├── RemovalsHeld                4   more removals than plausible; they wait for a person
├── DatabaseError              69   the database did not do what was asked
│   ├── DatabaseAway           69   it cannot be reached, or not be written now
│   ├── DatabaseConflict       75   another transaction won, every time
│   └── SchemaError            69   its tables are not the ones that this version needs
├── TryLater                   75   worth another try, unchanged
│   ├── Unreachable            75   the network, a time-out, a 5xx
│   ├── Deferred               75   429, or a Retry-After: the server asked us to come back
│   │   └── Maintenance        75   455: the catalog is under maintenance
│   ├── DeadlineExceeded       75   the run's whole time is over
│   ├── LeaseBusy              75   another run is at work
│   ├── ResourcesExhausted     75   no further thread, or no memory
│   ├── SiteBusy               75   another process is writing the gallery
│   ├── LeaseLost              75   another run took over while this one was slow
│   └── Interrupted            75   asked to stop before anything was applied
├── InvalidResponse                  76   the answer made no sense
│   ├── NotFound               76   404: there is no such resource
│   ├── NoSuchPage             76   422: a parameter failed validation
│   └── WalkUnverified         76   the counts never agreed; removals are not believed
├── AccessDenied               77   the key, the credits or the feature: a person must act
└── ConfigurationError         78   settings that cannot be used
    └── MissingExtra           78   a library that only some need is not installed

Exit codes are those of sysexits.h where it has one. The first line of an error says what happened, `hint` what to
do next. Errors are raised where the fact is known and turned into a sentence once, in `commands/base.py`.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class SyncError(Exception):
    """Something that this program did not foresee.

    Attributes:
        hint: what the reader can do next, one sentence; empty when there is nothing to do.
        code: what `sync_runs.error_code` says: the upstream's code where it gave one, else a word.
    """

    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False
    default_code: ClassVar[str] = "unexpected"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code or self.default_code


class UsageError(SyncError):
    """The command line makes no sense."""

    exit_code = 2
    default_code = "usage"


class CatalogError(UsageError):
    """The database cannot answer this question; another one it can. What `sync.Catalog` raises for what is asked of it."""

    default_code = "catalog"


class UnknownTemplate(CatalogError, LookupError):
    """No template of this id was ever seen, or not by then.

    Attributes:
        template_id: the id that was asked for.
    """

    default_code = "unknown-template"

    def __init__(self, message: str, *, template_id: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.template_id = template_id


class UnknownRun(CatalogError, LookupError):
    """No run of this number is on record."""

    default_code = "unknown-run"


class NoSuchPast(CatalogError):
    """There is no catalog of that moment: it is before the first run, or still to come."""

    default_code = "no-such-past"


class Pruned(NoSuchPast):
    """What the catalog was then is no longer known: that history was deleted."""

    default_code = "pruned"


class CursorLost(CatalogError):
    """A reader's cursor does not belong to the feed as it is now: going on from there would leave its copy wrong.

    Attributes:
        reason: `other-feed`, `pruned`, `ahead` or `diverged`.
        oldest_seq: the oldest change that is kept.
        last_seq: the newest change.
        cursor: where the feed ends now; who reads the present catalog in the same moment goes on from there. None: not known.
    """

    default_code = "cursor-lost"

    def __init__(self, message: str, *, reason: str, oldest_seq: int, last_seq: int, cursor: str | None) -> None:
        start = f"Read the current catalog again (`template-sync export --with-cursor`), then continue from cursor {cursor}."
        super().__init__(message, hint=start, code=self.default_code)
        self.reason = reason
        self.oldest_seq = oldest_seq
        self.last_seq = last_seq
        self.cursor = cursor


class SiteError(SyncError):
    """The gallery's folder could not be written; what was there is still there."""

    default_code = "site"


class RemovalsHeld(SyncError):
    """More removals than plausible: everything else is applied, they wait."""

    exit_code = 4
    default_code = "held"


class DatabaseError(SyncError):
    """The database could not be reached, or did not do what was asked."""

    exit_code = 69
    retry = True
    default_code = "database"


class DatabaseAway(DatabaseError):
    """It cannot be reached, or cannot be written for now: it restarts, fails over, has no quorum, is a standby."""


class DatabaseConflict(DatabaseError):
    """Another transaction won, on another node or over a lock, and this one was rolled back as a whole."""

    exit_code = 75
    default_code = "conflict"


class SchemaError(DatabaseError):
    """The database's tables are not the ones that this version needs."""

    retry = False
    default_code = "schema"


class SchemaAhead(SchemaError):
    """The tables are those of a newer version: this program has nothing more to do here until it is upgraded."""


class TryLater(SyncError):
    """Worth another try, unchanged."""

    exit_code = 75
    retry = True
    default_code = "try-later"


class Unreachable(TryLater):
    """The network failed, or the server did (408, 5xx, body codes 500 and 501)."""

    default_code = "unreachable"


class Deferred(TryLater):
    """The server asked us to come back: 429, or 455 while under maintenance.

    Attributes:
        after: seconds that it asked us to wait, None when it did not say.
        exhausted: whether a server error (5xx) stayed although each wait that it asked for was waited out.
    """

    default_code = "deferred"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.after = after
        self.exhausted = False


class Maintenance(Deferred):
    """The catalog is under maintenance (455): asking again at once would not help."""


class DeadlineExceeded(TryLater):
    """The run's whole time (SYNC_DEADLINE) is over; nothing was applied."""

    default_code = "deadline"


class LeaseBusy(TryLater):
    """Another run holds the lease.

    Attributes:
        run_id: of the row that records the attempt as skipped.
    """

    default_code = "lease-busy"

    def __init__(self, message: str, *, hint: str = "", run_id: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class ResourcesExhausted(TryLater):
    """The operating system gives this process no further thread, or no memory."""

    default_code = "resources"


def resource_error(error: BaseException) -> ResourcesExhausted | None:
    """Return the error to report if the cause is a limit of threads or memory; None for any other cause."""
    text = str(error)
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return ResourcesExhausted(
            "The operating system gave this process no further thread.",
            hint="Raise its limit of threads (systemd TasksMax, a container's pids limit, ulimit -u) or of memory, or lower "
            "SYNC_CONCURRENCY.",
        )
    unmapped = isinstance(error, ImportError) and ("failed to map" in text or "allocate memory" in text)
    unraised = isinstance(error, SystemError) and "without exception set" in text  # CPython had no memory for the MemoryError
    if isinstance(error, MemoryError) or unmapped or unraised or getattr(error, "errno", None) == errno.ENOMEM:
        return ResourcesExhausted(
            "The operating system gave this process no further memory.",
            hint="Raise its limit of memory (systemd MemoryMax, a container's memory limit, ulimit -v); 512 MB are enough.",
        )
    return None


class SiteBusy(TryLater):
    """Another process is writing the gallery into the same folder."""

    default_code = "site-busy"


class LeaseLost(TryLater):
    """This run was slower than its lease; another one may have taken over, so nothing was applied."""

    default_code = "lease-lost"


class Interrupted(TryLater):
    """Asked to stop before anything was applied."""

    default_code = "interrupted"


class InvalidResponse(SyncError):
    """The answer made no sense: not JSON, not the documented envelope, past a limit, or a 404 or 422 for the list."""

    exit_code = 76
    default_code = "bad-answer"


class NotFound(InvalidResponse):
    """The endpoint says 404: for the list an error, for a look-up by id perhaps that the template is gone.

    Attributes:
        envelope: what the API itself said; None where the answer was not the API's own, as a web server's 404 is not.
    """

    default_code = "404"

    def __init__(self, message: str, *, hint: str = "", envelope: object = None) -> None:
        super().__init__(message, hint=hint)
        self.envelope = envelope


class NoSuchPage(InvalidResponse):
    """The endpoint says 422: for the list an error, past the last page perhaps the end."""

    default_code = "422"


class WalkUnverified(InvalidResponse):
    """The pages and the catalog's own count never agreed: what was served is applied, nothing is removed."""

    default_code = "unverified"


class AccessDenied(SyncError):
    """The key (401, 403), the credits (402) or the feature (505): waiting does not mend it, a person must act."""

    exit_code = 77
    default_code = "refused"


class ConfigurationError(SyncError):
    """Settings that cannot be used. Raised before any I/O.

    Attributes:
        problems: one line each, naming the variable.
    """

    exit_code = 78
    default_code = "configuration"

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        usual = "The README lists every setting; `template-sync config` shows the values once they are valid."
        super().__init__("\n".join(problems), hint=hint or usual)
        self.problems = problems


class MissingExtra(ConfigurationError):
    """What was asked for needs a library that comes with an extra, and is not installed."""

    default_code = "missing-extra"

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__([f"{what} needs {library}, which is not installed."])
        self.hint = f"pip install 'crun-template-sync[{extra}]'"
