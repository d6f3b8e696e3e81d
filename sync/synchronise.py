"""One synchronisation, in the order in which it happens.

    take the lease -> walk every page -> look again for what is missing -> decide about removals -> compare with what is stored
    -> write everything in one transaction

`plan` finds out what a run changes, and writes nothing; `_attempt` holds the lease around it and applies it. Every edge
(endpoint, database, clock, randomness, progress) is an argument: command line, daemon and tests differ only there.
"""

from __future__ import annotations

import random as randomness
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync.advice import BY_CODE
from sync.catalog.diff import ChangeSet, Previous, compare
from sync.catalog.intake import Intake
from sync.catalog.raw_record import LOOK_UP
from sync.catalog.removals import RemovalRules, Removals, decide_removals, removal_limit
from sync.catalog.set_aside import set_aside_reformatted
from sync.catalog.snapshot import Snapshot, read_snapshot
from sync.catalog.suspects import AMBIGUOUS, drop_ambiguous_removals
from sync.catalog.sync_state import SyncState
from sync.endpoint.confirm_removals import confirm_removals
from sync.endpoint.walk import walk
from sync.errors import BadAnswer, DatabaseError, LeaseBusy, NotThere, RemovalsHeld, SyncError, WalkUnverified
from sync.run_ending import concluded, ended
from sync.run_record import Run, Status
from sync.spool import Spool
from sync.store import lease as leases
from sync.store.write_set import WriteSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sync.catalog.diff import LoadDocuments
    from sync.catalog.intake import Sighting
    from sync.catalog.set_aside import Rejected
    from sync.endpoint.questions import Answers
    from sync.endpoint.walk import Progress, Walk
    from sync.store.apply import Store


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one run is asked to do, and its limits."""

    page_size: int = 50
    workers: int = 4
    max_removed: Decimal = Decimal("0.1")
    accept_removals: bool = False
    hold: float = 3600.0

    @property
    def removal_rules(self) -> RemovalRules:
        """The limits of removals."""
        return RemovalRules(self.max_removed, self.hold, self.accept_removals)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run found out and would change, before anything is written.

    Attributes:
        snapshot: what was served.
        changes: what differs from what is stored.
        state: what the next run must remember.
        intake: holds what was read of each record, in its spool.
        total: the catalog's own count.
        pages: how many it has.
        load_documents: reads stored documents.
        problem: what keeps the run from being a plain success, if anything does.
    """

    snapshot: Snapshot
    changes: ChangeSet
    state: SyncState
    intake: Intake
    load_documents: LoadDocuments
    total: int | None = None
    pages: int = 0
    problem: SyncError | None = None

    def rejected(self) -> list[Rejected]:
        """Describe what was set aside."""
        return self.snapshot.rejected(self.intake, self.load_documents)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `error` says why if it was no plain success; it decides the exit code.

    Attributes:
        codes: answers by their code.
        unrecorded: why the outcome could not be written down, if so; the next run closes the row.
        moved: what the database's place says, if it is not where the run before was written; else empty.
    """

    run: Run
    plan: Plan | None = None
    error: SyncError | None = None
    codes: Mapping[int, int] = field(default_factory=dict)
    unrecorded: DatabaseError | None = None
    moved: str = ""


def synchronise(
    store: Store,
    endpoint: Answers,
    options: RunOptions,
    *,
    trigger: str,
    ttl: float,
    clock: Callable[[], datetime],
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Outcome:
    """Make the database what the catalog serves, and record what changed.

    Args:
        store: the database.
        endpoint: the catalog.
        options: what is asked, and the limits.
        trigger: who asked: `run`, `daemon`, `demo`.
        ttl: seconds after which a run that fell silent loses the lease.
        clock: gives the time, aware.
        random: a source of numbers from 0 to 1; with it the controls of look-ups are chosen.
        progress: called with (pages so far, pages expected or None).
    """
    work = lambda now: plan(store, endpoint, options, now=now, random=random, progress=progress)  # noqa: E731 - it is one argument
    return _attempt(store, endpoint, work, trigger=trigger, ttl=ttl, clock=clock)


def refresh(store: Store, endpoint: Answers, template_id: str, *, ttl: float, clock: Callable[[], datetime]) -> Outcome:
    """Fetch one template now and record what changed in it, by the same path. Never removes: that takes a walk, too."""
    return _attempt(store, endpoint, lambda _: plan_one(store, endpoint, template_id), trigger="refresh", ttl=ttl, clock=clock)


def preview(
    store: Store | None,
    endpoint: Answers,
    options: RunOptions,
    *,
    clock: Callable[[], datetime],
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Outcome:
    """Find out what a run would do, and write nothing to the database, not even a row. No `store`: nothing is stored yet."""
    run = Run(None, "dry-run", Status.RUNNING, clock())
    try:
        planned = plan(store, endpoint, options, now=run.started_at, random=random, progress=progress)
    except SyncError as error:
        return Outcome(ended(run, error, endpoint.statistics, clock()), error=error, codes=endpoint.statistics.by_code)
    problem = planned.problem
    if isinstance(problem, RemovalsHeld):  # nobody holds them yet: there is nothing to be seen
        problem = RemovalsHeld(str(problem), hint="Nothing was written. A run holds them; one with --accept-removals removes.")
    return Outcome(_finished(run, planned, endpoint, clock()), planned, problem, endpoint.statistics.by_code)


def _attempt(
    store: Store, endpoint: Answers, work: Callable[[datetime], Plan], *, trigger: str, ttl: float, clock: Callable[[], datetime]
) -> Outcome:
    """Do the work under the lease and apply it; whatever happens, the run's row says how it ended."""
    run = Run(None, trigger, Status.RUNNING, clock())
    statistics = endpoint.statistics
    try:
        lease = leases.acquire(store.engine, trigger=trigger, ttl=ttl, now=run.started_at, retry=store.retry)
    except LeaseBusy as busy:
        return Outcome(ended(replace(run, run_id=busy.run_id), busy, statistics, clock()), error=busy)
    except DatabaseError as error:  # not even begun: it has no row
        return Outcome(ended(run, error, statistics, clock()), error=error, unrecorded=error)
    run = replace(run, run_id=lease.run_id, fence=lease.fence, holder=lease.holder)
    try:
        with leases.kept_alive(store.engine, lease, on_loss=endpoint.interrupt):
            planned = work(run.started_at)
            endpoint.check_deadline()  # from here on a stop is too late: what was found is applied
        finished = _finished(run, planned, endpoint, clock())
        write_set = WriteSet(finished, planned.changes, planned.rejected(), planned.state, planned.intake.load)
        store.apply(lease, write_set, endpoint.check_deadline)
    except SyncError as error:
        run = ended(run, error, statistics, clock())
        unrecorded = _close(store, lease, run)
        return Outcome(run, error=error, codes=statistics.by_code, unrecorded=unrecorded, moved=lease.moved)
    except BaseException as surprise:
        unforeseen = SyncError(f"Unforeseen: {type(surprise).__name__}.")
        _close(store, lease, ended(run, unforeseen, statistics, clock()))
        raise
    return Outcome(finished, planned, planned.problem, statistics.by_code, moved=lease.moved)


def plan(
    store: Store | None,
    endpoint: Answers,
    options: RunOptions,
    *,
    now: datetime,
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Plan:
    """Find out what a run changes; writes nothing. `store` is None where there is no database yet, `now` when the run began."""
    source = store or _Nothing()
    previous, state = source.load()
    intake = Intake(
        previous.known,
        previous.sent_fields,
        Spool(),
        stored_hash=source.content_hash,
        redact=endpoint.redact,
        may_spell=endpoint.may_spell,
    )
    walked = walk(endpoint, intake, page_size=options.page_size, workers=options.workers, progress=progress)

    def judged(sightings: Sequence[Sighting], fields: frozenset[str]) -> Snapshot:
        read = read_snapshot(sightings, intake, fields)
        set_aside_reformatted(read, previous.known, most=removal_limit(len(previous.known), options.max_removed))
        return read

    snapshot = judged(walked.sightings, walked.fields)
    served = snapshot.ids
    if not walked.failed_pages:  # a walk with an unread page counts neither for nor against a wrong `total`
        state = state.reconciled(walked.verified, served, now)
    state = state.without_served(served)
    reason = _reason_to_doubt(walked, state, snapshot, options, now)
    missing = sorted(previous.known.keys() - served)
    # A run that is not verified neither adds to what is held or unconfirmed, nor forgets it.
    removals = Removals(held=state.held, unconfirmed=state.unconfirmed)
    problem: SyncError | None = _unverified(reason)
    if not reason:
        confirmation = confirm_removals(
            endpoint, intake, missing, walked, page_size=options.page_size, workers=options.workers, random=random,
            accept=options.accept_removals,
        )  # fmt: skip
        if confirmation.found:
            snapshot = judged([*walked.sightings, *confirmation.found], walked.fields | confirmation.fields)
            missing = sorted(previous.known.keys() - snapshot.ids)
        evidence = drop_ambiguous_removals(confirmation.evidence, snapshot, intake, source.load_documents)
        unconfirmed = {key: confirmation.unconfirmed.get(key, AMBIGUOUS) for key in missing if key not in evidence}
        reason = "" if options.accept_removals else confirmation.problem
        if reason:
            not_held = {key: each for key, each in unconfirmed.items() if key not in state.held}
            held = {key: each for key, each in state.held.items() if key in unconfirmed}
            removals, problem = Removals(held=held, unconfirmed=not_held), _unverified(reason)
        else:
            empty = not walked.sightings
            removals = decide_removals(
                evidence,
                unconfirmed,
                present=len(previous.known),
                rules=options.removal_rules,
                held_before=state.held,
                now=now,
                catalog_is_empty=empty,
            )
            problem = _problem_of(removals, len(missing), len(previous.known), hold=options.hold, now=now, empty=empty)
    changes = compare(previous, snapshot, intake, source.load_documents, complete=not reason)
    changes = changes.removing(removals.now, intake, source.load_documents)
    state = replace(state, held=removals.held, unconfirmed=removals.unconfirmed)
    return Plan(snapshot, changes, state, intake, source.load_documents, walked.total, walked.pages, problem)


def plan_one(store: Store, endpoint: Answers, template_id: str) -> Plan:
    """Find out what changed in one template."""
    previous, state = store.load()
    # Nothing is known: whoever asks for one template wants it read, whatever its bytes.
    intake = Intake({}, previous.sent_fields, Spool(), redact=endpoint.redact, may_spell=endpoint.may_spell)
    try:
        records = endpoint.ask({"template_id": template_id}).records or []
    except NotThere:
        records = []
    sightings = [each for each in intake.take(LOOK_UP, records) if each.template_id == template_id]
    if records and not sightings:
        raise BadAnswer("The catalog answered with other templates than the one asked for.", code="other-template")
    snapshot = read_snapshot(sightings, intake)
    changes = compare(previous, snapshot, intake, store.load_documents, complete=False)
    return Plan(snapshot, changes, state.without_served(snapshot.ids), intake, store.load_documents)


class _Nothing:
    """Stands for a database that is not there yet."""

    def load(self) -> tuple[Previous, SyncState]:
        return Previous(), SyncState()

    def load_documents(self, ids: Any) -> Mapping[str, Any]:  # noqa: ARG002 - nothing is stored
        return {}

    def content_hash(self, template_id: str) -> str:  # noqa: ARG002 - nothing is stored
        return ""


def _reason_to_doubt(walked: Walk, state: SyncState, snapshot: Snapshot, options: RunOptions, now: datetime) -> str:
    """Say why absence from this walk proves nothing; an empty string if it does."""
    count_is_wrong = state.count_is_wrong(now, options.hold) and snapshot.ids and not walked.failed_pages
    if not walked.verified and not count_is_wrong:
        return walked.reason
    bad, served = len(snapshot.set_aside), len(walked.sightings)
    if bad > removal_limit(served, options.max_removed) or (bad and not snapshot.good):
        return f"{bad} of {served} records were set aside, most of them because {snapshot.commonest_reason}"
    return ""


def _unverified(reason: str) -> WalkUnverified | None:
    if not reason:
        return None
    return WalkUnverified(
        f"The walk could not be verified: {reason}. What was served is stored; nothing was removed.",
        hint="The next run walks again; if this stays, the catalog's answers are wrong on the server's side.",
    )


def _problem_of(removals: Removals, missing: int, present: int, **why_held: Any) -> SyncError | None:
    """Say what a person must know of missing templates that are kept. Held removals come first: they wait for a decision."""
    if removals.held:
        why = removals.why_held(missing, present, **why_held)
        return RemovalsHeld(f"{len(removals.held)} removals are held: {why}.", hint=BY_CODE["held"].to_do)
    if removals.too_many_unconfirmed:
        return WalkUnverified(removals.why_unconfirmed(present), hint=BY_CODE["unconfirmed"].to_do, code="unconfirmed")
    return None


def _finished(run: Run, planned: Plan, endpoint: Answers, now: datetime) -> Run:
    """Say how a run ends that has something to write."""
    changes, problem = planned.changes, planned.problem
    return replace(
        concluded(run, problem, endpoint.statistics, now),
        catalog_total=planned.total,
        pages=planned.pages,
        seen=len(planned.snapshot.ids),
        added=changes.count("added"),
        removed=changes.count("removed"),
        changed=changes.count("changed"),
        unchanged=changes.unchanged,
        rejected=len(planned.snapshot.set_aside),
        held=len(planned.state.held),
        unconfirmed=len(planned.state.unconfirmed),
        fields_appeared=changes.appeared,
        fields_vanished=changes.vanished,
    )


def _close(store: Store, lease: leases.Lease, run: Run) -> DatabaseError | None:
    """Record the end of a run that applied nothing; the next run does it if the database cannot be reached now."""
    try:
        store.close(lease, run)
    except DatabaseError as error:
        return error
    return None
