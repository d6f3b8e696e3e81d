"""Fetch one template and record what changed in it, by the same path as a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.catalog.diff import compare
from sync.catalog.served_records import LOOK_UP, RecordParser
from sync.catalog.snapshot import build_snapshot
from sync.client.spool import Spool
from sync.config.addresses import require_same_origin
from sync.errors import InvalidResponse, NotFound
from sync.store.lease import REFRESH
from sync.store.lease_wait import WAIT_SECONDS, LeaseWait
from sync.synchronise import Outcome, Plan, run_with_lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sync.client.api_client import ApiClient
    from sync.store.apply import Store
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

    Raises:
        InvalidResponse: the API returned other templates.
    """
    stored, state = store.load()
    require_same_origin(state.origin, api.origin)
    # Without stored hashes the record is parsed in any case.
    parser = RecordParser({}, Spool(), load_documents=store.load_documents, redact=api.redact)
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
    return Plan(snapshot, compare(stored, snapshot, parser), state.without_served(snapshot.ids), parser)
