"""One synchronisation, in the order in which it happens. Start reading here.

    take the lease -> fetch and parse every page -> confirm what is absent -> decide about removals -> compare with what is stored
    -> apply everything in one transaction

`plan` finds out what a run changes, and writes nothing; `_attempt` holds the lease around it and applies it. Every edge
(endpoint, database, clock, randomness, progress) is an argument: command line, daemon and tests differ only there.
"""

from __future__ import annotations

import random as randomness
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sync.catalog.diff import ChangeSet, compare, document_of
from sync.catalog.removals import AMBIGUOUS, RemovalRules, Removals, decide_removals, drop_ambiguous_removals, removal_limit
from sync.catalog.run_record import Run, Status, finish_applied, finish_failed, removal_problem, unverified_error
from sync.catalog.served_records import LOOK_UP, RecordParser
from sync.catalog.snapshot import Snapshot, build_snapshot, reject_reformatted
from sync.catalog.sync_state import SyncState
from sync.client.confirm_removals import Confirmation, confirm_removals
from sync.client.spool import Spool
from sync.client.walk import walk
from sync.errors import DatabaseError, InvalidResponse, LeaseBusy, NotFound, RemovalsHeld, SyncError, resource_error
from sync.store import lease as leases
from sync.store.write import WriteSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sync.catalog.diff import Change
    from sync.catalog.document import Document
    from sync.catalog.rejection import RejectedRecord
    from sync.catalog.served_records import ServedRecord
    from sync.client.params import ApiClient
    from sync.client.walk import Progress, Walk
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
        state: what the next run needs to know.
        parser: holds the bytes of what was parsed.
        total: the catalog's own count.
        pages: how many it has.
        problem: what keeps the run from being a plain success, if anything does.
    """

    snapshot: Snapshot
    changes: ChangeSet
    state: SyncState
    parser: RecordParser
    total: int | None = None
    pages: int = 0
    problem: SyncError | None = None

    def rejected(self) -> list[RejectedRecord]:
        """Give the rejected records, as they are stored."""
        return self.snapshot.rejected_records(self.parser)

    def document_of(self, change: Change) -> Document:
        """Give the document that a change leads to; of a removal, the last one before it."""
        return document_of(change, self.parser)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `error` says why if it was no plain success; it decides the exit code.

    Attributes:
        codes: answers by their code.
        unrecorded: why the outcome could not be written down, if so; the next run closes the row.
    """

    run: Run
    plan: Plan | None = None
    error: SyncError | None = None
    codes: Mapping[int, int] = field(default_factory=dict)
    unrecorded: DatabaseError | None = None


def synchronise(
    store: Store,
    api: ApiClient,
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
        api: the client of the catalog's API.
        options: what is asked, and the limits.
        trigger: who asked: `run`, `daemon`, `demo`.
        ttl: seconds after which a run that fell silent loses the lease.
        clock: gives the time, aware.
        random: a source of numbers from 0 to 1; with it the controls of look-ups are chosen.
        progress: called with (pages so far, pages expected or None).
    """
    work = lambda now: plan(store, api, options, now=now, random=random, progress=progress)  # noqa: E731 - it is one argument
    return _attempt(store, api, work, trigger=trigger, ttl=ttl, clock=clock)


def refresh(store: Store, api: ApiClient, template_id: str, *, ttl: float, clock: Callable[[], datetime]) -> Outcome:
    """Fetch one template now and record what changed in it, by the same path. Never removes: that takes a walk, too."""
    return _attempt(store, api, lambda _: plan_one(store, api, template_id), trigger="refresh", ttl=ttl, clock=clock)


def preview(
    store: Store | None,
    api: ApiClient,
    options: RunOptions,
    *,
    clock: Callable[[], datetime],
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Outcome:
    """Find out what a run would do, and write nothing to the database, not even a row. No `store`: nothing is stored yet."""
    run = Run(None, "dry-run", Status.RUNNING, clock())
    try:
        planned = plan(store, api, options, now=run.started_at, random=random, progress=progress)
    except SyncError as error:
        return Outcome(finish_failed(run, error, api.statistics, clock()), error=error, codes=api.statistics.by_code)
    problem = planned.problem
    if isinstance(problem, RemovalsHeld):  # nobody holds them yet: there is nothing to be seen
        problem = RemovalsHeld(
            str(problem), hint="Nothing was written. A run holds the removals; `run --accept-removals` applies them."
        )
    return Outcome(_finished(run, planned, api, clock()), planned, problem, api.statistics.by_code)


def _attempt(
    store: Store, api: ApiClient, work: Callable[[datetime], Plan], *, trigger: str, ttl: float, clock: Callable[[], datetime]
) -> Outcome:
    """Do the work under the lease and apply it; whatever happens, the run's row says how it ended."""
    run = Run(None, trigger, Status.RUNNING, clock())
    statistics = api.statistics
    try:
        lease = leases.acquire(store.engine, trigger=trigger, ttl=ttl, now=run.started_at, retry=store.retry)
    except LeaseBusy as busy:
        return Outcome(finish_failed(replace(run, run_id=busy.run_id), busy, statistics, clock()), error=busy)
    except DatabaseError as error:  # not even begun: it has no row
        return Outcome(finish_failed(run, error, statistics, clock()), error=error, unrecorded=error)
    run = replace(run, run_id=lease.run_id, fence=lease.fence, holder=lease.holder)
    try:
        with leases.kept_alive(store.engine, lease, on_loss=api.interrupt):
            planned = work(run.started_at)
            api.check_deadline()  # from here on a stop is too late: what was found is applied
        finished = _finished(run, planned, api, clock())
        write_set = WriteSet(finished, planned.changes, planned.rejected(), planned.state, planned.document_of)
        store.apply(lease, write_set, api.check_deadline)
    except SyncError as error:
        run = finish_failed(run, error, statistics, clock())
        unrecorded = _close(store, lease, run)
        return Outcome(run, error=error, codes=statistics.by_code, unrecorded=unrecorded)
    except BaseException as surprise:
        if lack := resource_error(surprise):
            run = finish_failed(run, lack, statistics, clock())
            return Outcome(run, error=lack, codes=statistics.by_code, unrecorded=_close(store, lease, run))
        unforeseen = SyncError(f"Unexpected error: {type(surprise).__name__}.")
        _close(store, lease, finish_failed(run, unforeseen, statistics, clock()))
        raise
    return Outcome(finished, planned, planned.problem, statistics.by_code)


def plan(
    store: Store | None,
    api: ApiClient,
    options: RunOptions,
    *,
    now: datetime,
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Plan:
    """Find out what a run changes; write nothing.

    Args:
        store: the database; None where there is none yet.
        api: the client of the catalog's API.
        options: what is asked, and the limits.
        now: when the run began.
        random: a source of numbers from 0 to 1.
        progress: called with (pages so far, pages expected or None).
    """
    source = store or _EmptyStore()
    stored, before = source.load()
    parser = RecordParser(stored, Spool(), load_documents=source.load_documents, redact=api.redact)

    # Fetch and parse.
    walked = walk(api, parser, page_size=options.page_size, workers=options.workers, progress=progress)
    listed = _snapshot(walked.records, walked.missing, parser, stored, options)
    counted = before if walked.failed_pages else before.with_count_result(walked.verified, listed.ids, now)
    state = counted.without_served(listed.ids)

    # Confirm what is absent.
    doubt = _reason_to_doubt(walked, state, listed, options, now)
    confirmation = Confirmation()
    if not doubt:
        unlisted = sorted(stored.keys() - listed.ids)
        confirmation = confirm_removals(
            api, parser, unlisted, walked, page_size=options.page_size, workers=options.workers, random=random,
            accept=options.accept_removals,
        )  # fmt: skip
    records, missing = (*walked.records, *confirmation.found), walked.missing | confirmation.missing
    snapshot = _snapshot(records, missing, parser, stored, options) if confirmation.found else listed

    # Decide about removals.
    absent = sorted(stored.keys() - snapshot.ids)
    evidence = drop_ambiguous_removals(confirmation.evidence, snapshot, parser)
    unconfirmed = {key: confirmation.unconfirmed.get(key, AMBIGUOUS) for key in absent if key not in evidence}
    problem: SyncError | None
    if doubt:
        # A walk that is not verified neither adds to what is held or unconfirmed, nor forgets it.
        removals, problem = Removals(held=state.held, unconfirmed=state.unconfirmed), unverified_error(doubt)
    elif confirmation.problem and not options.accept_removals:
        held = {key: each for key, each in state.held.items() if key in unconfirmed}
        not_held = {key: each for key, each in unconfirmed.items() if key not in held}
        removals, problem = Removals(held=held, unconfirmed=not_held), unverified_error(confirmation.problem)
    else:
        removals = decide_removals(
            evidence, unconfirmed, present=len(stored), rules=options.removal_rules, held_before=state.held, now=now,
            catalog_is_empty=not walked.records,
        )  # fmt: skip
        problem = removal_problem(removals, len(absent), len(stored), hold=options.hold, now=now, empty=not walked.records)

    # Compare.
    changes = compare(stored, snapshot, parser).removing(removals.due, parser)
    after = replace(state, held=removals.held, unconfirmed=removals.unconfirmed)
    return Plan(snapshot, changes, after, parser, walked.total, walked.pages, problem)


def plan_one(store: Store, api: ApiClient, template_id: str) -> Plan:
    """Find out what changed in one template; write nothing.

    Raises:
        InvalidResponse: the catalog answered with other templates.
    """
    stored, state = store.load()
    parser = RecordParser({}, Spool(), load_documents=store.load_documents, redact=api.redact)  # it is read in any case
    try:
        answer = api.get({"template_id": template_id})
    except NotFound:
        records = []
    else:
        served = parser.parse_page(LOOK_UP, answer.records or (), exact=answer.exact)
        records = [record for record in served if record.template_id == template_id]
        if served and not records:
            raise InvalidResponse("The catalog returned other templates than the one requested.", code="other-template")
    snapshot = build_snapshot(records, (), parser)
    return Plan(snapshot, compare(stored, snapshot, parser), state.without_served(snapshot.ids), parser)


class _EmptyStore:
    """A database that does not exist yet."""

    def load(self) -> tuple[Mapping[str, str | None], SyncState]:
        return {}, SyncState()

    def load_documents(self, ids: Sequence[str]) -> Mapping[str, Document]:  # noqa: ARG002 - nothing is stored
        return {}


def _snapshot(
    records: Sequence[ServedRecord],
    missing: frozenset[str],
    parser: RecordParser,
    stored: Mapping[str, str | None],
    options: RunOptions,
) -> Snapshot:
    snapshot = build_snapshot(records, missing, parser)
    reject_reformatted(snapshot, stored, most=removal_limit(len(stored), options.max_removed))
    return snapshot


def _reason_to_doubt(walked: Walk, state: SyncState, snapshot: Snapshot, options: RunOptions, now: datetime) -> str:
    """Say why absence from this walk proves nothing; an empty string if it does."""
    count_is_wrong = state.count_is_wrong(now, options.hold) and snapshot.ids and not walked.failed_pages
    if not walked.verified and not count_is_wrong:
        return walked.reason
    bad, served = len(snapshot.rejected), len(walked.records)
    if bad > removal_limit(served, options.max_removed) or (bad and not snapshot.good):
        return f"{bad} of {served} records were rejected, most of them because {snapshot.commonest_reason}"
    return ""


def _finished(run: Run, planned: Plan, api: ApiClient, now: datetime) -> Run:
    """Say how a run ends that has something to write."""
    changes, problem = planned.changes, planned.problem
    return replace(
        finish_applied(run, problem, api.statistics, now),
        catalog_total=planned.total,
        pages=planned.pages,
        seen=len(planned.snapshot.ids),
        added=changes.count("added"),
        removed=changes.count("removed"),
        changed=changes.count("changed"),
        unchanged=changes.unchanged,
        rejected=len(planned.snapshot.rejected),
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
