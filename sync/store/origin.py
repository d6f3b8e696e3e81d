"""The origin of the stored catalog: the first verified run records it, `db origin --accept` replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.config.addresses import origin_of, require_same_origin
from sync.store.engine import reading, writing
from sync.store.lease import block_commits
from sync.store.schema import require_current
from sync.store.tables import sync_state
from sync.store.transaction_retry import Retry

if TYPE_CHECKING:
    from sqlalchemy import Engine


def recorded_origin(engine: Engine) -> str | None:
    """Return the recorded origin; None before the first verified run."""
    with reading(engine) as connection:
        require_current(connection)
        origin: str | None = connection.scalar(sa.select(sync_state.c.origin))
    return origin


def require_origin(engine: Engine, base_url: str) -> None:
    """Refuse a database whose catalog has another origin than a base URL.

    Raises:
        OtherOrigin: with both origins.
    """
    require_same_origin(recorded_origin(engine), origin_of(base_url))


def accept_origin(engine: Engine, base_url: str, *, retry: Retry = Retry()) -> str | None:  # noqa: B008 - Retry is frozen
    """Replace the recorded origin by that of a base URL, and return the old one; a run in progress applies nothing."""

    def write() -> str | None:
        with writing(engine) as connection:
            require_current(connection)
            block_commits(connection)
            before: str | None = connection.scalar(sa.select(sync_state.c.origin))
            connection.execute(sa.update(sync_state).values(origin=origin_of(base_url)))
        return before

    return retry(write)
