"""What the commands with `--as-of` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.commands.synchronising import now

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine


def run_asked_for(engine: Engine, as_of: int | datetime | None) -> int | None:
    """Find the run after which the catalog was as `--as-of` asks; None for the present."""
    if as_of is None:
        return None
    from sync.reader.moments import run_of

    return run_of(engine, as_of, now())
