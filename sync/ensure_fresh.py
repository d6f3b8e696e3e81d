"""Ask the catalog for one template, for an app that is about to rely on it. The only part of reading that needs the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sync.client.api_client import HttpApiClient
from sync.config.settings import load, require_key
from sync.store.apply import Store
from sync.store.origin import require_origin
from sync.synchronise import refresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine


def ask(engine: Engine, template_id: str, clock: Callable[[], datetime]) -> bool:
    """Fetch one template now and record what changed in it, as `template-sync refresh` does; tell whether the catalog has it.

    Key, endpoint and limits come from the environment and `.env`, as the commands have them.

    Raises:
        ConfigurationError: there is no key, or a setting cannot be used.
        SyncError: whatever kept the catalog from being asked, or the answer from being recorded.
    """
    settings = load({}, os.environ, Path(".env"), needs_key=True).settings
    require_origin(engine, settings.base_url)
    with HttpApiClient(settings, require_key(settings)) as api:
        outcome = refresh(Store(engine), api, template_id, ttl=settings.lease_ttl, clock=clock)
    if outcome.error is not None:
        raise outcome.error
    return outcome.plan is not None and template_id in outcome.plan.snapshot.ids
