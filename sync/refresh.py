"""Fetch one template and record what changed in it, by the same path as a run; or only if the stored one is too old."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sync.catalog.diff import compare
from sync.catalog.plan import Plan
from sync.catalog.removals import FOUND
from sync.catalog.served_records import LOOK_UP, RecordParser
from sync.catalog.snapshot import build_snapshot
from sync.client.api_client import ApiClient
from sync.config.addresses import require_same_origin
from sync.config.load_settings import load, require_key
from sync.errors import InvalidResponse, NotFound, UnknownTemplate, WalkUnverified
from sync.reader.catalog import find_template
from sync.reader.status import last_refresh, verified_at
from sync.store.acquire import WAIT_SECONDS, LeaseWait
from sync.store.apply import Store
from sync.store.lease import REFRESH
from sync.store.state import require_origin
from sync.synchronise import Outcome, run_with_lease
from sync.text import MAX_CLOCK_SKEW

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.store.engine import Source


def refresh(
    store: Store,
    api: ApiClient,
    template_id: str,
    *,
    ttl: float,
    clock: Callable[[], datetime],
    wait: float = WAIT_SECONDS,
    check: Callable[[Source], None] = lambda _source: None,
) -> Outcome:
    """Fetch one template now and record its changes. Never remove it: a removal also requires a walk.

    Args:
        store: the database.
        api: the client of the catalog's API.
        template_id: the template.
        ttl: seconds after which the lease expires unless it is renewed.
        clock: returns the time, aware.
        wait: maximum wait for the lease, in seconds; a refresh that does not get it leaves no row.
        check: called before the lease is acquired; an error that it raises ends the refresh, which leaves no row.
    """
    return run_with_lease(
        store, api, lambda _: plan_one(store, api, template_id), trigger=REFRESH, ttl=ttl, clock=clock,
        template_id=template_id, wait=LeaseWait(wait, api.check_deadline, check),
    )  # fmt: skip


def plan_one(store: Store, api: ApiClient, template_id: str) -> Plan:
    """Compute what changed in one template; write nothing.

    The plan has a problem if the record is rejected, because the stored values are then those of an earlier record.

    Raises:
        InvalidResponse: the API returned other templates.
    """
    stored, state = store.load()
    require_same_origin(state.origin, api.origin)
    # Without stored hashes the record is parsed in any case.
    parser = RecordParser({}, load_documents=store.load_documents, redact=api.redact)
    try:
        envelope = api.get({"template_id": template_id})
    except NotFound:
        records = []
    else:
        served = parser.parse_page(LOOK_UP, envelope.records or (), exact=envelope.exact)
        records = [record for record in served if record.template_id == template_id]
        if served and not records:
            raise InvalidResponse("The catalog returned other templates than the one requested.", code="other-template")
    snapshot = build_snapshot(records, frozenset(), parser)
    problem = None
    if snapshot.rejected:
        problem = WalkUnverified(
            f"The record of template {template_id!r} is rejected: {snapshot.commonest_reason}. Its stored values stay.",
            hint="`template-sync runs --rejected RUN` shows the record. If this persists, check for a newer version.",
            code="rejected",
        )
    # Only a walk that serves the template ends the report that it is missing.
    found = {key: FOUND for key in (*state.held, *state.unconfirmed) if key in snapshot.ids}
    after = state.without_served(snapshot.ids)
    after = replace(after, unconfirmed={**after.unconfirmed, **found})
    changes = compare(stored, snapshot, parser)
    return Plan(snapshot, changes, after, api.origin, parser, problem=problem)


class _FetchedByOtherError(Exception):
    """Another caller, in this process or in another one, fetched the template while this one waited for the lease."""


def ensure_fresh(engine: Engine, template_id: str, max_age: timedelta, *, wait: float, clock: Callable[[], datetime]) -> None:
    """Fetch a template and record what changed in it, unless it was verified within `max_age`.

    Concurrent callers share one request: each waits for the lease, and looks whether another caller fetched the template
    meanwhile. Key, endpoint and limits come from the environment and `.env`, as for the commands.

    Args:
        engine: the database.
        template_id: its id.
        max_age: the maximum age; 0 fetches in any case.
        wait: maximum wait for the lease, in seconds.
        clock: gives the time, aware.

    Raises:
        UnknownTemplate: the catalog does not have it any more, or never had it.
        ConfigurationError: there is no key, or a setting is invalid.
        LeaseBusy: the lease was held during the whole wait.
        SyncError: the request or the recording failed.
    """
    began, skew = clock(), timedelta(seconds=MAX_CLOCK_SKEW)

    def is_fresh(source: Source) -> bool:
        verified = verified_at(source, template_id)
        # A later time was written by a clock that was ahead, so its age is unknown.
        return verified is not None and -min(skew, max_age) < clock() - verified < max_age

    def stop_if_fetched(source: Source) -> None:
        last = last_refresh(source, template_id)
        if (last is not None and began < last.at <= clock() + skew) or is_fresh(source):
            raise _FetchedByOtherError

    if is_fresh(engine):
        return
    try:
        found = _fetch(engine, template_id, wait, clock, stop_if_fetched)
    except _FetchedByOtherError:
        last = last_refresh(engine, template_id)
        found = last is None or last.found or last.at <= began
    if not found and find_template(engine, template_id).removed_at is None:
        raise UnknownTemplate(
            f"The catalog no longer has template {template_id!r}.",
            template_id=template_id,
            hint="The next run, which walks the whole catalog, decides whether it is removed.",
        )


def _fetch(engine: Engine, template_id: str, wait: float, clock: Callable[[], datetime], check: Callable[[Source], None]) -> bool:
    """Fetch one template as `template-sync refresh` does; return whether the catalog has it."""
    settings = load({}, os.environ, Path(".env"), needs_key=True).settings
    require_origin(engine, settings.base_url)
    with ApiClient(settings, require_key(settings)) as api:
        outcome = refresh(Store(engine), api, template_id, ttl=settings.lease_ttl, clock=clock, wait=wait, check=check)
    if outcome.error is not None:
        raise outcome.error
    return outcome.plan is not None and template_id in outcome.plan.snapshot.ids
