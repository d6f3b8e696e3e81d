"""Refresh one template for `Catalog.ensure_fresh`: the only part of the reading API that needs the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sync.client.api_client import HttpApiClient
from sync.config.addresses import LOOPBACK
from sync.config.settings import load, require_key
from sync.reader.sample_catalog import refuse_sample_catalog
from sync.store.apply import Store
from sync.synchronise import refresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine


def refresh_template(engine: Engine, template_id: str, clock: Callable[[], datetime]) -> bool:
    """Fetch one template and record its changes, as `template-sync refresh` does. Return whether the catalog has the template.

    Settings come from the environment and `.env`, as for the commands.

    Raises:
        ConfigurationError: the key is missing, or a setting is invalid.
        SyncError: the template could not be fetched or recorded.
    """
    settings = load({}, os.environ, Path(".env"), needs_key=True).settings
    if urlsplit(settings.base_url).hostname not in LOOPBACK:
        refuse_sample_catalog(engine)
    with HttpApiClient(settings, require_key(settings)) as api:
        outcome = refresh(Store(engine), api, template_id, ttl=settings.lease_ttl, clock=clock)
    if outcome.error is not None:
        raise outcome.error
    return outcome.plan is not None and template_id in outcome.plan.snapshot.ids
