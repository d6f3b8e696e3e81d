"""Fetch one template for an app that is about to rely on it. The only part of reading that writes and needs the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sync.client.api_client import HttpApiClient
from sync.config.settings import load, require_key
from sync.errors import UnknownTemplate
from sync.reader.catalog import find_template
from sync.reader.stored_templates import last_refresh, verified_at
from sync.refresh import refresh
from sync.store.apply import Store
from sync.store.state import require_origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from sqlalchemy import Engine

    from sync.store.engine import Source


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
        LeaseBusy: another run held the lease during the whole wait.
        SyncError: the request or the recording failed.
    """
    began = clock()

    def is_fresh(source: Source) -> bool:
        verified = verified_at(source, template_id)
        return verified is not None and clock() - verified < max_age

    def stop_if_fetched(source: Source) -> None:
        last = last_refresh(source, template_id)
        if (last is not None and last.at > began) or is_fresh(source):
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
    with HttpApiClient(settings, require_key(settings)) as api:
        outcome = refresh(Store(engine), api, template_id, ttl=settings.lease_ttl, clock=clock, wait=wait, check=check)
    if outcome.error is not None:
        raise outcome.error
    return outcome.plan is not None and template_id in outcome.plan.snapshot.ids
