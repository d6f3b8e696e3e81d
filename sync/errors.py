"""Every error of this program, in one tree.

SyncError                       1   something that this program did not foresee
├── UsageError                  2   the command line makes no sense
├── RemovalsHeld                4   more removals than plausible; they wait for a person
├── DatabaseError              69   the database did not do what was asked
│   └── SchemaError            69   its tables are not the ones that this version needs
├── TryLater                   75   worth another try, unchanged
│   ├── Unreachable            75   the network, a time-out, a 5xx
│   ├── Deferred               75   429, or a Retry-After: the server asked us to come back
│   │   └── Maintenance        75   455: the catalog is under maintenance
│   ├── DeadlineExceeded       75   the run's whole time is over
│   ├── LeaseBusy              75   another run is at work
│   ├── LeaseLost              75   another run took over while this one was slow
│   └── Interrupted            75   asked to stop before anything was applied
├── BadAnswer                  76   the answer made no sense
│   ├── NotThere               76   404: there is no such resource
│   ├── NoSuchPage             76   422: a parameter failed validation
│   └── WalkUnverified         76   the counts never agreed; removals are not believed
├── Refused                    77   the key, the credits or the feature: a person must act
└── ConfigurationError         78   settings that cannot be used

Exit codes are those of sysexits.h where it has one. The first line of an error says what happened, `hint` what to
do next. Errors are raised where the fact is known and turned into a sentence once, in `commands/edge.py`.
"""

from __future__ import annotations

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


class RemovalsHeld(SyncError):
    """More removals than plausible: everything else is applied, they wait."""

    exit_code = 4
    default_code = "held"


class DatabaseError(SyncError):
    """The database could not be reached, or did not do what was asked."""

    exit_code = 69
    retry = True
    default_code = "database"


class SchemaError(DatabaseError):
    """The database's tables are not the ones that this version needs."""

    retry = False
    default_code = "schema"


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
    """

    default_code = "deferred"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.after = after


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


class LeaseLost(TryLater):
    """This run was slower than its lease; another one may have taken over, so nothing was applied."""

    default_code = "lease-lost"


class Interrupted(TryLater):
    """Asked to stop before anything was applied."""

    default_code = "interrupted"


class BadAnswer(SyncError):
    """The answer made no sense: not JSON, not the documented envelope, past a limit, or a 404 or 422 for the list."""

    exit_code = 76
    default_code = "bad-answer"


class NotThere(BadAnswer):
    """The endpoint says 404: for the list an error, for a look-up by id perhaps that the template is gone.

    Attributes:
        envelope: what the API itself said; None where the answer was not the API's own, as a web server's 404 is not.
    """

    default_code = "404"

    def __init__(self, message: str, *, hint: str = "", envelope: object = None) -> None:
        super().__init__(message, hint=hint)
        self.envelope = envelope


class NoSuchPage(BadAnswer):
    """The endpoint says 422: for the list an error, past the last page perhaps the end."""

    default_code = "422"


class WalkUnverified(BadAnswer):
    """The pages and the catalog's own count never agreed: what was served is applied, nothing is removed."""

    default_code = "unverified"


class Refused(SyncError):
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

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            "\n".join(problems), hint="The README lists every setting; `template-sync config` shows them once they are valid."
        )
        self.problems = problems
