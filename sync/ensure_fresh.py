"""Fetch one template for an app that is about to rely on it. The only part of reading that writes and needs the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sync.client.api_client import HttpApiClient
from sync.config.settings import load, require_key
from sync.errors import UnknownTemplate
from sync.reader.catalog import find_template
from sync.reader.stored_templates import verified_at
from sync.store.apply import Store
from sync.store.state import require_origin
from sync.synchronise import refresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from sqlalchemy import Engine


def ensure_fresh(
    engine: Engine, template_id: str, max_age: timedelta, clock: Callable[[], datetime], fetched: dict[str, datetime]
) -> None:
    """Fetch a template and record what changed in it, unless it was verified within `max_age`.

    Key, endpoint and limits come from the environment and `.env`, as for the commands.

    Args:
        engine: the database.
        template_id: its id.
        max_age: the maximum age; 0 fetches in any case.
        clock: gives the time, aware.
        fetched: the times at which this caller fetched templates; updated.

    Raises:
        UnknownTemplate: the catalog does not have it any more, or never had it.
        ConfigurationError: there is no key, or a setting is invalid.
        SyncError: the request or the recording failed.
    """
    times = [time for time in (verified_at(engine, template_id), fetched.get(template_id)) if time is not None]
    now = clock()
    if times and now - max(times) < max_age:
        return
    if _fetch(engine, template_id, clock):
        fetched[template_id] = now
    elif find_template(engine, template_id).removed_at is None:
        raise UnknownTemplate(
            f"The catalog no longer has template {template_id!r}.",
            template_id=template_id,
            hint="The next run, which walks the whole catalog, decides whether it is removed.",
        )


def _fetch(engine: Engine, template_id: str, clock: Callable[[], datetime]) -> bool:
    """Fetch one template as `template-sync refresh` does; return whether the catalog has it."""
    settings = load({}, os.environ, Path(".env"), needs_key=True).settings
    require_origin(engine, settings.base_url)
    with HttpApiClient(settings, require_key(settings)) as api:
        outcome = refresh(Store(engine), api, template_id, ttl=settings.lease_ttl, clock=clock)
    if outcome.error is not None:
        raise outcome.error
    return outcome.plan is not None and template_id in outcome.plan.snapshot.ids
