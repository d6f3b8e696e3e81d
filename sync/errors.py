"""All errors of this program.

Exit codes are those of sysexits.h where it has one. The message says what happened, `hint` what to do. Errors are raised where
the fact is known and printed once, in `commands/base.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SyncError(Exception):
    """The base class of all errors. An error of this class itself, not of a subclass, is a bug.

    Attributes:
        hint: what to do, in one sentence; empty if nothing needs to be done.
        code: the code of the API, or a word; as in the column `error_code` of `sync_runs`.
    """

    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False
    default_code: ClassVar[str] = "unexpected"

    def __init_subclass__(cls, *, code: str = "", exit_code: int | None = None, retry: bool | None = None) -> None:
        """Set what a class does not inherit from its base."""
        cls.default_code = code or cls.default_code
        cls.exit_code = cls.exit_code if exit_code is None else exit_code
        cls.retry = cls.retry if retry is None else retry

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code or self.default_code

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is unpickled by a call with its `args`, which lack the keyword arguments: a process pool breaks.
        return _without_init, (type(self), self.args), vars(self)


def _without_init(kind: type[SyncError], args: tuple[Any, ...]) -> SyncError:
    return kind.__new__(kind, *args)


class UsageError(SyncError, code="usage", exit_code=2):
    """The command line is invalid."""


class CatalogError(UsageError, code="catalog"):
    """The base class of errors of valid calls that the catalog cannot answer."""


class UnknownTemplate(CatalogError, LookupError, code="unknown-template"):
    """The database has no template with this id, or had none at the requested time; or `ensure_fresh` did not find it in the API.

    Attributes:
        template_id: the requested id.
    """

    def __init__(self, message: str, *, template_id: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.template_id = template_id


class UnknownRun(CatalogError, LookupError, code="unknown-run"):
    """There is no run with this number."""


class NoSuchPast(CatalogError, code="no-such-past"):
    """There is no catalog of that time: it is in the future or before the first applied run ended, or the run has not ended."""


class Pruned(NoSuchPast, code="pruned"):
    """`template-sync prune` deleted the history of that time."""


class CursorLost(CatalogError, code="cursor-lost", exit_code=65):
    """The cursor is not part of this feed, so a copy that continued from it would be wrong.

    Attributes:
        reason: `other-feed`, `pruned`, `ahead` or `diverged`.
        oldest_seq: `seq` of the oldest change in the feed.
        last_seq: `seq` of the newest change in the feed.
        cursor: end of the feed; None if unknown. Read the current catalog, then continue from this cursor. Changes that were
            recorded between this error and your reading are returned again.
    """

    def __init__(self, message: str, *, reason: str, oldest_seq: int, last_seq: int, cursor: str | None) -> None:
        start = f"Read the current catalog again (`template-sync export --with-cursor`), then continue from cursor {cursor}."
        super().__init__(message, hint=start, code=self.default_code)
        self.reason = reason
        self.oldest_seq = oldest_seq
        self.last_seq = last_seq
        self.cursor = cursor


class SiteError(SyncError, code="site"):
    """The gallery's folder could not be written; its previous content is unchanged."""


class RemovalsHeld(SyncError, code="held", exit_code=4):
    """Too many removals at once: they are held, everything else is applied."""


class DatabaseError(SyncError, code="database", exit_code=69, retry=True):
    """The database cannot be reached, or an operation failed."""


class DatabaseAway(DatabaseError):
    """The database cannot be reached or written now: it restarts, fails over, has no quorum or is a standby."""


class DatabaseConflict(DatabaseError, code="conflict", exit_code=75):
    """A conflicting transaction won, on another node or over a lock, and this one was rolled back."""


class SchemaError(DatabaseError, code="schema", retry=False):
    """The tables are not those that this version needs; `template-sync db upgrade` upgrades older ones."""


class SchemaAhead(SchemaError):
    """The schema is that of a newer version; this program must be upgraded."""


class TryLater(SyncError, code="try-later", exit_code=75, retry=True):
    """A temporary failure: retry later."""


class Unreachable(TryLater, code="unreachable"):
    """The network or the server failed (408, 5xx, body codes 500 and 501)."""


class Deferred(TryLater, code="deferred"):
    """The server requests a later retry: 429, 455, or a server error with Retry-After.

    Attributes:
        after: seconds of its Retry-After; None if there was none.
        exhausted: whether a server error (5xx) persisted after every Retry-After was obeyed.
    """

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.after = after
        self.exhausted = False


class Maintenance(Deferred):
    """The catalog is under maintenance (455); it is not retried within the run."""


class DeadlineExceeded(TryLater, code="deadline"):
    """The run exceeded SYNC_DEADLINE; nothing was applied."""


class LeaseBusy(TryLater, code="lease-busy"):
    """A run, a refresh or an upgrade holds the lease, a lock that expires.

    Attributes:
        run_id: the skipped run's row in `sync_runs`; None for a refused refresh or upgrade, which has no row.
    """

    def __init__(self, message: str, *, hint: str = "", run_id: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class ResourcesExhausted(TryLater, code="resources"):
    """The operating system gives this process no further thread, memory or file descriptor."""


class SiteBusy(TryLater, code="site-busy"):
    """Another process writes the gallery into the same folder."""


class LeaseLost(TryLater, code="lease-lost"):
    """The lease expired during the run; another run may have acquired it, so nothing was applied."""


class Interrupted(TryLater, code="interrupted"):
    """The run was stopped before anything was applied."""


class InvalidResponse(SyncError, code="bad-answer", exit_code=76):
    """The response is invalid: not JSON, not the documented envelope, over a limit, or a 404 or 422 for the list."""


class NotFound(InvalidResponse, code="404"):
    """404: for the list an error, for a look-up by ID possibly evidence that the template is gone.

    Attributes:
        envelope: the API's envelope; None if the response came from something else, such as a web server.
    """

    def __init__(self, message: str, *, hint: str = "", envelope: object = None) -> None:
        super().__init__(message, hint=hint)
        self.envelope = envelope


class NoSuchPage(InvalidResponse, code="422"):
    """422: within the list an error, after the last page possibly the end of the list."""


class WalkUnverified(InvalidResponse, code="unverified"):
    """The walk could not be verified: the served records are applied, nothing is removed."""


class AccessDenied(SyncError, code="refused", exit_code=77):
    """The key (401, 403), the credits (402) or the feature (505) is refused: an operator must act."""


class ConfigurationError(SyncError, code="configuration", exit_code=78):
    """Invalid settings.

    Attributes:
        problems: one line per error, with the name of the variable.
    """

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        usual = "The README lists every setting; `template-sync config` shows the values once they are valid."
        super().__init__("\n".join(problems), hint=hint or usual)
        self.problems = problems


class OtherOrigin(ConfigurationError, code="other-origin"):
    """The database is a copy of another catalog than the one that CRUN_BASE_URL names."""

    def __init__(self, recorded: str, configured: str) -> None:
        super().__init__(
            [f"The database is a copy of the catalog at {recorded}, but CRUN_BASE_URL is {configured}."],
            hint="Correct CRUN_BASE_URL or DATABASE_URL. To replace the copy, first run `template-sync db origin --accept`.",
        )


class MissingExtra(ConfigurationError, code="missing-extra"):
    """A library that this call needs is not installed; the message names the extra to install."""

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__([f"{what} needs {library}, which is not installed."])
        self.hint = f"Install this program with its extra {extra}: in a checkout, pip install '.[{extra}]'."
