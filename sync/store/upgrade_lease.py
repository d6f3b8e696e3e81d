"""An upgrade and a run are never at work together: the upgrade waits for the run under way, and later runs wait for the upgrade.

It takes the runs' own lease, in words that every revision of the tables understands. Its fence is a new one, so a run that was
taken over in between, an older program's too, commits nothing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.errors import DatabaseError, LeaseBusy
from sync.store import process
from sync.store.engine import writing
from sync.store.lease import database_clock
from sync.store.transaction_retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_WAIT = 20 * 60.0
"""Seconds to wait for a run: twice what SYNC_DEADLINE lets one take, if it was not set."""

_UPGRADE_TTL = 3600.0
"""Seconds for which an upgrade that was killed on another host keeps runs out; on this one it is seen to be dead."""

_POLL_SECONDS = 0.25

_RETRY = Retry()
"""On a Galera cluster two upgrades that want the lease at once end each other's transactions."""

_ROW = sa.table("sync_lease", *(sa.column(name) for name in ("holder", "process", "fence", "expires", "ttl")))


@contextmanager
def hold_lease_for_upgrade(
    engine: sa.Engine,
    *,
    needed: Callable[[], bool],
    within: float = MAX_WAIT,
    waiting: Callable[[str], None] = lambda _holder: None,
) -> Iterator[None]:
    """Hold the lease while the block runs; nothing where it turns out not to be needed.

    Args:
        engine: the database; the lease is taken and given back by connections of its own.
        needed: whether there is something to upgrade: another process may have done it meanwhile.
        within: seconds to wait for whoever holds the lease.
        waiting: told the holder's name, once, if there is one.

    Raises:
        LeaseBusy: it was held all the time.
    """
    ends, reported, fence = time.monotonic() + within, False, None
    while needed():
        holder, fence = _RETRY(lambda: _try_acquire(engine))
        if holder is None:
            break
        if time.monotonic() > ends:
            raise LeaseBusy(
                f"Nothing was upgraded: {holder} has held the lease for {within:g} s.",
                hint="Wait until it ends, or release the lease: template-sync lease release --force.",
            )
        if not reported:
            waiting(holder)
            reported = True
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if fence is not None:
            with suppress(DatabaseError), writing(engine) as connection:  # it ends by itself, if need be
                connection.execute(sa.update(_ROW).where(_ROW.c.fence == fence).values(expires=0, holder=None, process=None))


def _try_acquire(engine: sa.Engine) -> tuple[str | None, int | None]:
    """Try once: whoever holds it; or None, and the fence under which it is ours now. None twice where there is no lease."""
    with writing(engine) as connection:
        inspector = sa.inspect(connection)
        if not inspector.has_table(_ROW.name):
            return None, None
        left = (_ROW.c.expires - database_clock(connection)).label("left")
        found = connection.execute(sa.select(_ROW.c.holder, _ROW.c.process, _ROW.c.fence, left)).one_or_none()
        if found is None:
            return None, None
        if found.left > 0 and not process.is_dead(found.process):
            return found.holder or "somebody", None
        mine = {"holder": f"db upgrade on {process.name()}", "process": process.mark(), "fence": found.fence + 1}
        if "ttl" in {column["name"] for column in inspector.get_columns(_ROW.name)}:  # not in the first revision
            mine["ttl"] = _UPGRADE_TTL
        taken = (
            sa.update(_ROW).where(_ROW.c.fence == found.fence).values(**mine, expires=database_clock(connection) + _UPGRADE_TTL)
        )
        return (None, found.fence + 1) if connection.execute(taken).rowcount == 1 else ("another process", None)
