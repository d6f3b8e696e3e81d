"""One synchronisation, in the order in which it happens. Start reading here.

    acquire the lease -> fetch and parse every page -> confirm absences -> decide about removals -> compare with the database
    -> apply everything in one transaction

`plan` computes what a run changes and writes nothing; `run_with_lease` holds the lease around it and applies it. Everything
outside the process (API, database, clock, random numbers) is an argument: command line, daemon and tests differ only there.
"""

from __future__ import annotations

import random as randomness
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from sync.catalog.diff import compare
from sync.catalog.plan import Plan
from sync.catalog.removals import (
    AMBIGUOUS,
    FOUND,
    MOST_REJECTED,
    Confirmation,
    Removals,
    RunOptions,
    SyncState,
    decide_removals,
    drop_ambiguous_removals,
    removal_limit,
    removal_problem,
)
from sync.catalog.run_record import Run, Status, finish, unverified_error
from sync.catalog.served_records import LOOK_UP, RecordParser
from sync.catalog.snapshot import Snapshot, build_snapshot, reject_reformatted
from sync.client.walk import walk
from sync.config.addresses import require_same_origin
from sync.config.resource_limits import resource_error
from sync.errors import DatabaseError, DeadlineExceeded, Interrupted, LeaseBusy, RemovalsHeld, SyncError
from sync.store.acquire import LeaseWait, acquire
from sync.store.lease import REFRESH, renew_in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sync.client.api_client import ApiClient
    from sync.client.walk import Progress, Walk
    from sync.config.settings import Settings
    from sync.store.apply import Store

_SPOOL = partial(SpooledTemporaryFile, max_size=4 * 2**20)
"""Some thousand parsed records stay in memory."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run.

    Attributes:
        plan: None if the run failed before it had one.
        error: why the run was not a success; it decides the exit code.
        codes: number of responses by code.
        unrecorded: why the result could not be stored; the next run closes the row.
    """

    run: Run
    plan: Plan | None = None
    error: SyncError | None = None
    codes: Mapping[int, int] = field(default_factory=dict)
    unrecorded: DatabaseError | None = None


def options_of(settings: Settings, *, accept_removals: bool = False) -> RunOptions:
    """Take the options of a run from the settings."""
    return RunOptions(settings.page_size, settings.max_removed, accept_removals, settings.hold)


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
    """Update the database to what the catalog serves, and record the changes.

    Args:
        store: the database.
        api: the client of the catalog's API.
        options: the options of the run.
        trigger: what started the run: `run`, `daemon` or `demo`.
        ttl: seconds after which the lease of a run that stopped renewing it expires.
        clock: returns the time, aware.
        random: returns numbers from 0 to 1, to choose the controls of look-ups.
        progress: called with (pages so far, pages expected or None).
    """
    work = partial(plan, store, api, options, random=random, progress=progress)
    return run_with_lease(store, api, work, trigger=trigger, ttl=ttl, clock=clock)


def run_with_lease(
    store: Store,
    api: ApiClient,
    work: Callable[[datetime], Plan],
    *,
    trigger: str,
    ttl: float,
    clock: Callable[[], datetime],
    template_id: str | None = None,
    wait: LeaseWait | None = None,
) -> Outcome:
    """Make a plan under the lease, apply it, and record the result, however the run ends."""
    run = Run(None, trigger, Status.RUNNING, clock(), template_id=template_id)
    statistics = api.statistics
    try:
        wait = wait or LeaseWait(stop=api.check_deadline)
        lease, run = acquire(store.engine, run, ttl=ttl, clock=clock, retry=store.retry, wait=wait)
    except (LeaseBusy, Interrupted, DeadlineExceeded, DatabaseError) as error:
        run = finish(replace(run, run_id=getattr(error, "run_id", None)), error, statistics, clock())
        unrecorded = error if isinstance(error, DatabaseError) else None
        if isinstance(error, Interrupted | DeadlineExceeded) and trigger != REFRESH:  # a refresh leaves no row
            try:
                run = store.record_failed(run)
            except DatabaseError as not_stored:
                unrecorded = not_stored
        return Outcome(run, error=error, unrecorded=unrecorded)
    try:
        with renew_in_background(store.engine, lease, on_loss=api.interrupt):
            planned = work(run.started_at)
            api.check_deadline()  # the last point at which an interrupt or the deadline stops the run
        finished = planned.finished(run, statistics, clock())
        store.apply(lease, finished, planned, api.check_deadline)
    except BaseException as surprise:
        failure = surprise if isinstance(surprise, SyncError) else resource_error(surprise)
        run = finish(run, failure or SyncError(f"Unexpected error: {type(surprise).__name__}."), statistics, clock())
        unrecorded = None
        try:
            store.close(lease, run)
        except DatabaseError as error:
            unrecorded = error
        if failure is None:
            raise
        return Outcome(run, error=failure, codes=statistics.by_code, unrecorded=unrecorded)
    return Outcome(store.correct_end(lease, finished, clock()), planned, planned.problem, statistics.by_code)


def plan(
    store: Store | None,
    api: ApiClient,
    options: RunOptions,
    now: datetime,
    *,
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Plan:
    """Compute what a run changes; write nothing. `store` is None if no database exists yet, `now` the start time of the run."""
    stored, before = store.load() if store else ({}, SyncState())
    require_same_origin(before.origin, api.origin)
    load_documents = store.load_documents if store else lambda _ids: {}
    parser = RecordParser(stored, load_documents=load_documents, redact=api.redact, new_file=_SPOOL)

    # Fetch and parse.
    walked = walk(api, parser, options, progress)
    limit = removal_limit(len(stored), options.max_removed)
    listed = reject_reformatted(build_snapshot(walked.records, walked.missing, parser), stored, limit)
    counted = before if walked.failed_pages else before.with_count_result(walked.verified, listed.ids, now)
    state = replace(counted.without_served(listed.ids), origin=api.origin if walked.verified else before.origin)

    # Confirm absences.
    doubt = _reason_to_doubt(walked, state, listed, options, now)
    confirmation = Confirmation()
    if not doubt and (unlisted := sorted(stored.keys() - listed.ids)):
        from sync.client.confirm_removals import confirm_removals  # most runs do not need it

        confirmation = confirm_removals(api, parser, unlisted, walked, options, random)
    records, missing = (*walked.records, *confirmation.found), walked.missing | confirmation.missing
    snapshot = reject_reformatted(build_snapshot(records, missing, parser), stored, limit) if confirmation.found else listed

    # Decide about removals.
    absent = sorted(stored.keys() - snapshot.ids)
    confirmation = drop_ambiguous_removals(confirmation, snapshot, parser)
    evidence = confirmation.evidence
    unconfirmed = {key: confirmation.unconfirmed.get(key, AMBIGUOUS) for key in absent if key not in evidence}
    found = {str(each.template_id): FOUND for each in confirmation.found if each.page == LOOK_UP}
    problem: SyncError | None
    if doubt:
        # An unverified walk neither adds held or unconfirmed removals nor drops them.
        removals, problem = Removals(held=state.held, unconfirmed=state.unconfirmed), unverified_error(doubt)
    elif confirmation.problem and not options.accept_removals:
        held = {key: each for key, each in state.held.items() if key in unconfirmed}
        not_held = {key: each for key, each in unconfirmed.items() if key not in held}
        removals, problem = Removals(held=held, unconfirmed=not_held | found), unverified_error(confirmation.problem)
    else:
        removals = decide_removals(
            evidence, unconfirmed, present=len(stored), options=options, held_before=state.held, now=now,
            catalog_is_empty=not walked.records,
        )  # fmt: skip
        removals = replace(removals, unconfirmed={**removals.unconfirmed, **found})
        problem = removal_problem(removals, len(absent), len(stored), hold=options.hold, now=now, empty=not walked.records)

    # Compare.
    changes = compare(stored, snapshot, parser).removing(removals.due, parser)
    after = replace(state, held=removals.held, unconfirmed=removals.unconfirmed)
    return Plan(snapshot, changes, after, api.origin, parser, walked.total, walked.pages, problem)


def _reason_to_doubt(walked: Walk, state: SyncState, snapshot: Snapshot, options: RunOptions, now: datetime) -> str:
    """Return why absence from this walk is no evidence, one phrase; empty if it is evidence."""
    count_is_wrong = state.count_is_wrong(now, options.hold) and snapshot.ids and not walked.failed_pages
    if not walked.verified and not count_is_wrong:
        return walked.reason
    bad, served = len(snapshot.rejected), len(walked.records)
    if bad > removal_limit(served, MOST_REJECTED) or (bad and not snapshot.good):
        return f"{bad} of {served} records were rejected, most of them because {snapshot.commonest_reason}"
    return ""


def preview(
    store: Store | None,
    api: ApiClient,
    options: RunOptions,
    *,
    clock: Callable[[], datetime],
    random: Callable[[], float] = randomness.random,
    progress: Progress | None = None,
) -> Outcome:
    """Compute what a run would do, and write nothing, not even a row of the run. `store` is None if no database exists yet."""
    run = Run(None, "dry-run", Status.RUNNING, clock())
    try:
        planned = plan(store, api, options, run.started_at, random=random, progress=progress)
    except SyncError as error:
        return Outcome(finish(run, error, api.statistics, clock()), error=error, codes=api.statistics.by_code)
    problem = planned.problem
    if isinstance(problem, RemovalsHeld):  # its usual hint lists held removals, which a dry run does not store
        problem = RemovalsHeld(
            str(problem), hint="Nothing was written. A run holds the removals; `run --accept-removals` applies them."
        )
    return Outcome(planned.finished(run, api.statistics, clock()), planned, problem, api.statistics.by_code)
