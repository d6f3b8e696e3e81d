"""One synchronisation, in the order in which it happens.

    take the lease -> fetch every page -> validate -> look again for what is missing -> compare with what is stored
    -> decide about removals -> store everything in one transaction -> tell

Every edge (endpoint, database, clock, progress) is an argument: the command line, the daemon and the tests differ only there.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sync.apply import Applied, Memory
from sync.db import lease as leases
from sync.diff import ChangeSet, Previous, compare, differing
from sync.errors import (
    BadAnswer,
    DatabaseError,
    Deferred,
    Interrupted,
    LeaseBusy,
    RemovalsHeld,
    SyncError,
    WalkUnverified,
)
from sync.removals import LOOK_UPS, RUNS_THAT_AGREE, Removals, judge
from sync.runs import Run, Status
from sync.validate import Placed, Served, read_records, record_id
from sync.walk import Verdict, Walk, look_up, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sync.fetch import Endpoint, Tally
    from sync.store import Store

UNRECONCILED_RUNS = 3
"""After so many runs in a row that served the same ids, the catalog's own count is taken to be wrong."""


@dataclass(frozen=True, slots=True)
class Options:
    """What one run is asked to do, and its limits."""

    page_size: int = 50
    lanes: int = 4
    max_removed: Decimal = Decimal("0.1")
    accept_removals: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run found out, before anything is written.

    Attributes:
        total: the catalog's own count.
        problem: what keeps the run from being a plain success, if anything does.
    """

    served: Served
    changes: ChangeSet
    memory: Memory
    total: int | None = None
    pages: int = 0
    problem: SyncError | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `error` says why if it was no plain success; it decides the exit code.

    Attributes:
        unrecorded: why the outcome could not be written down, if so; the next run closes the row.
    """

    run: Run
    findings: Findings | None = None
    error: SyncError | None = None
    codes: Mapping[int, int] = field(default_factory=dict)
    unrecorded: DatabaseError | None = None


def synchronise(
    store: Store,
    endpoint: Endpoint,
    options: Options,
    *,
    trigger: str,
    ttl: float,
    clock: Callable[[], datetime],
    progress: Callable[[int, int | None], None] | None = None,
) -> Outcome:
    """Make the database what the catalog serves, and record what changed.

    Args:
        store: the database.
        endpoint: the catalog.
        options: what is asked, and the limits.
        trigger: who asked: `run`, `daemon`, `demo`.
        ttl: seconds after which a run that fell silent loses the lease.
        clock: gives the time, aware.
        progress: told (pages so far, pages expected or None).
    """
    return _attempt(store, endpoint, lambda: examine(store, endpoint, options, progress), trigger=trigger, ttl=ttl, clock=clock)


def refresh(store: Store, endpoint: Endpoint, template_id: str, *, ttl: float, clock: Callable[[], datetime]) -> Outcome:
    """Fetch one template now and record what changed in it, by the same path. Never removes: that takes a walk, too."""
    return _attempt(store, endpoint, lambda: examine_one(store, endpoint, template_id), trigger="refresh", ttl=ttl, clock=clock)


def preview(
    store: Store | None,
    endpoint: Endpoint,
    options: Options,
    *,
    clock: Callable[[], datetime],
    progress: Callable[[int, int | None], None] | None = None,
) -> Outcome:
    """Find out what a run would do, and write nothing at all: no row, no lease, no file. No `store`: nothing is stored yet."""
    run = Run(None, "dry-run", Status.RUNNING, clock())
    try:
        findings = examine(store, endpoint, options, progress)
    except SyncError as error:
        return Outcome(_ended(run, error, endpoint.tally, clock()), error=error, codes=endpoint.tally.by_code)
    return Outcome(_concluded(run, findings, endpoint.tally, clock()), findings, findings.problem, endpoint.tally.by_code)


def _attempt(
    store: Store, endpoint: Endpoint, look: Callable[[], Findings], *, trigger: str, ttl: float, clock: Callable[[], datetime]
) -> Outcome:
    run = Run(None, trigger, Status.RUNNING, clock())
    try:
        lease = leases.acquire(store.engine, trigger=trigger, ttl=ttl, now=run.started_at)
    except LeaseBusy as busy:
        return Outcome(_ended(replace(run, run_id=busy.run_id), busy, endpoint.tally, clock()), error=busy)
    except DatabaseError as error:  # not even begun: it has no row
        return Outcome(_ended(run, error, endpoint.tally, clock()), error=error, unrecorded=error)
    run = replace(run, run_id=lease.run_id, fence=lease.fence, holder=lease.holder)
    try:
        with leases.kept_alive(store.engine, lease, on_loss=endpoint.interrupt):
            findings = look()
            endpoint.run(asyncio.sleep(0))  # the last moment at which the deadline, or a stop, keeps all of it from being applied
        run = _concluded(run, findings, endpoint.tally, clock())
        store.apply(lease, Applied(run, findings.changes, findings.served.rejected, findings.memory))
    except SyncError as error:
        run = _ended(run, error, endpoint.tally, clock())
        return Outcome(run, error=error, codes=endpoint.tally.by_code, unrecorded=_close(store, lease, run))
    except BaseException as surprise:
        unforeseen = SyncError(f"Unforeseen: {type(surprise).__name__}.")
        _close(store, lease, _ended(run, unforeseen, endpoint.tally, clock()))
        raise
    return Outcome(run, findings, findings.problem, endpoint.tally.by_code)


def examine(
    store: Store | None, endpoint: Endpoint, options: Options, progress: Callable[[int, int | None], None] | None = None
) -> Findings:
    """Find out what a run would change; writes nothing. `store` is None where there is no database yet."""
    walked = endpoint.run(walk(endpoint.ask, page_size=options.page_size, lanes=options.lanes, progress=progress))
    served = read_records(walked.records)
    previous, memory = store.load() if store else (Previous(), Memory())
    memory = _reconcile(memory, walked, served)
    believed = walked.verified or (memory.unreconciled_runs > UNRECONCILED_RUNS and bool(served.ids))
    missing = sorted(previous.fingerprints.keys() - served.ids)
    removals = Removals(held=_still_held(memory, served))
    if believed:
        evidence, found = second_witness(endpoint, missing, options, walked=walked)
        served = read_records([*walked.records, *found]) if found else served
        if store:
            previous = store.with_documents(previous, list(evidence))
        evidence = _surely_gone(evidence, previous, [*walked.records, *found])
        removals = judge(
            evidence,
            missing=len(previous.fingerprints.keys() - served.ids),
            present=len(previous.fingerprints),
            max_removed=options.max_removed,
            held_before=memory.held,
            accept=options.accept_removals,
            catalog_is_empty=not walked.records,
        )
    if store:
        previous = store.with_documents(previous, [*differing(previous.fingerprints, served.templates), *removals.now])
    changes = compare(previous, served.templates, served.wire_fields, complete=believed)
    changes = changes.removing(removals.now, previous.documents)
    return Findings(
        served=served,
        changes=changes,
        memory=replace(memory, held=removals.held),
        total=walked.total,
        pages=walked.pages,
        problem=_problem(
            walked, removals, len(previous.fingerprints.keys() - served.ids), len(previous.fingerprints), believed=believed
        ),
    )


def second_witness(
    endpoint: Endpoint, missing: Sequence[str], options: Options, *, walked: Walk
) -> tuple[dict[str, str], list[Placed]]:
    """Ask again for templates that a walk did not bring: one by one, or, where that would take minutes, by another walk.

    Gives the evidence (id -> `lookup` or `walks`) for those that are gone, and the records of those that are not.
    """
    if not missing:
        return {}, []
    if len(missing) <= LOOK_UPS or not walked.verified:
        answers = endpoint.run(look_up(endpoint.ask, missing[:LOOK_UPS], lanes=options.lanes))
        gone = {template_id: "lookup" for template_id, answer in answers.items() if answer.verdict is Verdict.GONE}
        return gone, [record for answer in answers.values() for record in answer.records]
    again = endpoint.run(walk(endpoint.ask, page_size=options.page_size, lanes=options.lanes))
    lacking = set(missing)
    found = [placed for placed in again.records if record_id(placed.record) in {*lacking, None}]
    if not again.verified:
        return {}, found
    return dict.fromkeys(sorted(lacking - {record_id(placed.record) for placed in found}), "walks"), found


def _surely_gone(evidence: Mapping[str, str], previous: Previous, records: Sequence[Placed]) -> dict[str, str]:
    """Drop the evidence against templates that a record without a readable id may stand for: no look-up by id finds those.

    Its media id tells which ones; where that cannot be read either, it may be any of them.
    """
    nameless = [placed.record for placed in records if record_id(placed.record) is None]
    media = [record.get("MediaId") if isinstance(record, dict) else None for record in nameless]
    if not all(isinstance(each, str) and each for each in media):
        return {}
    suspects = {*media, None} if media else set()
    return {gone: how for gone, how in evidence.items() if previous.documents.get(gone, {}).get("media_id") not in suspects}


def examine_one(store: Store, endpoint: Endpoint, template_id: str) -> Findings:
    """Find out what changed in one template."""
    previous, memory = store.load()
    try:
        records = endpoint.run(endpoint.ask(template_id=template_id)).records or []
    except BadAnswer as error:
        if error.code != "404":
            raise
        records = []
    placed = [Placed(0, position, record) for position, record in enumerate(records) if record_id(record) == template_id]
    if records and not placed:
        raise BadAnswer("The catalog answered with other templates than the one asked for.", code="other-template")
    served = read_records(placed)
    previous = store.with_documents(previous, differing(previous.fingerprints, served.templates))
    changes = compare(previous, served.templates, served.wire_fields, complete=False)
    return Findings(served, changes, replace(memory, held=_still_held(memory, served)))


def _still_held(memory: Memory, served: Served) -> dict[str, int]:
    """Forget the held removals of what is served again, whether or not the rest of the walk can be believed."""
    return {template_id: runs for template_id, runs in memory.held.items() if template_id not in served.ids}


def _reconcile(memory: Memory, walked: Walk, served: Served) -> Memory:
    """Count for how many runs in a row the catalog's count and the same served ids have disagreed."""
    if walked.verified:
        return replace(memory, unreconciled_ids=None, unreconciled_runs=0)
    ids = hashlib.sha256("\n".join(sorted(served.ids)).encode()).hexdigest()
    runs = memory.unreconciled_runs + 1 if ids == memory.unreconciled_ids else 1
    return replace(memory, unreconciled_ids=ids, unreconciled_runs=min(runs, UNRECONCILED_RUNS + 1))


def _problem(walked: Walk, removals: Removals, missing: int, present: int, *, believed: bool) -> SyncError | None:
    if not believed:
        return WalkUnverified(
            f"The walk could not be verified: {walked.doubt}. What was served is stored; nothing was removed.",
            hint="The next run walks again; if this stays, the catalog's count is wrong on the server's side.",
        )
    if removals.held:
        agree = max(removals.held.values())
        why = f"{missing} of {present} templates are missing, and at most {removals.limit} may go at once"
        why += f"; {agree} of {RUNS_THAT_AGREE} runs agree so far"
        if not walked.records:
            why = "the catalog is empty, and that is accepted by a person only"
        return RemovalsHeld(
            f"{len(removals.held)} removals are held: {why}.",
            hint="See them with `template-sync changes --pending`; accept them with `template-sync run --accept-removals`.",
        )
    return None


def _concluded(run: Run, findings: Findings, tally: Tally, now: datetime) -> Run:
    """Say how a run ends that has something to store."""
    statuses = {RemovalsHeld: Status.HELD, WalkUnverified: Status.INCOMPLETE}
    problem, changes = findings.problem, findings.changes
    return replace(
        _tallied(run, tally),
        status=statuses[type(problem)] if problem else Status.SUCCEEDED,
        finished_at=now,
        catalog_total=findings.total,
        pages=findings.pages,
        seen=len(findings.served.ids),
        added=changes.count("added"),
        removed=changes.count("removed"),
        changed=changes.count("changed"),
        unchanged=changes.unchanged,
        rejected=len(findings.served.rejected),
        held=len(findings.memory.held),
        fields_appeared=changes.appeared,
        fields_vanished=changes.vanished,
        error_code=problem.code if problem else None,
        error=str(problem) if problem else None,
    )


def _ended(run: Run, error: SyncError, tally: Tally, now: datetime) -> Run:
    """Say how a run ends that applies nothing."""
    statuses: dict[type[SyncError], Status] = {
        Deferred: Status.DEFERRED,
        Interrupted: Status.INTERRUPTED,
        LeaseBusy: Status.SKIPPED,
    }
    status = statuses.get(type(error), Status.FAILED)
    return replace(_tallied(run, tally), status=status, finished_at=now, error_code=error.code, error=str(error))


def _tallied(run: Run, tally: Tally) -> Run:
    return replace(run, requests=tally.requests, retries=tally.retries, bytes=tally.bytes)


def _close(store: Store, lease: leases.Lease, run: Run) -> DatabaseError | None:
    """Record the end of a run that applied nothing; the next run does it if the database cannot be reached now."""
    try:
        store.close(lease, run)
    except DatabaseError as error:
        return error
    return None
