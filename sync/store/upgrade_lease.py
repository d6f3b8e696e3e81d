"""The lease of an upgrade: it waits for the active run, and runs wait for it, whatever revision the tables have."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.errors import DatabaseError, LeaseBusy
from sync.store.database_errors import Retry
from sync.store.engine import writing
from sync.store.lease import FREE, UPGRADE, database_clock, is_dead, process_mark, process_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UPGRADE_TTL = 3600.0
"""Seconds until the lease of an upgrade that was killed on another host expires; on this host its death is detected."""

_ROW = sa.table("sync_lease", *(sa.column(name) for name in ("holder", "process", "fence", "expires", "ttl")))


@contextmanager
def hold_lease_for_upgrade(
    engine: sa.Engine,
    *,
    needed: Callable[[], bool],
    within: float = 20 * 60.0,  # twice the default of SYNC_DEADLINE
    waiting: Callable[[str], None] = lambda _holder: None,
) -> Iterator[None]:
    """Hold the lease during the block, if an upgrade is needed: it waits for the active run, and runs wait for it.

    It uses only columns that every revision has. The raised fencing token prevents the commit of a run that lost the lease.
    `waiting` is called once with the name of the holder, if there is one.

    Raises:
        LeaseBusy: the lease was held for the whole time, `within` seconds.
    """
    ends, reported, fence = time.monotonic() + within, False, None
    while needed():  # another process may have finished the upgrade meanwhile
        holder, fence = Retry()(lambda: _try_acquire(engine))  # on a Galera cluster two upgrades conflict
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
        time.sleep(0.25)
    try:
        yield
    finally:
        if fence is not None:
            with suppress(DatabaseError), writing(engine) as connection:  # otherwise it expires
                connection.execute(sa.update(_ROW).where(_ROW.c.fence == fence).values(FREE))


def _try_acquire(engine: sa.Engine) -> tuple[str | None, int | None]:
    """Try once; return the holder, or None and the acquired fencing token; None twice if there is no lease."""
    with writing(engine) as connection:
        inspector = sa.inspect(connection)
        if not inspector.has_table(_ROW.name):
            return None, None
        left = (_ROW.c.expires - database_clock(connection)).label("left")
        found = connection.execute(sa.select(_ROW.c.holder, _ROW.c.process, _ROW.c.fence, left)).one_or_none()
        if found is None:
            return None, None
        if found.left > 0 and not is_dead(found.process):
            return found.holder or "an unnamed process", None
        mine: dict[str, Any] = {"holder": f"{UPGRADE}{process_name()}", "process": process_mark(), "fence": found.fence + 1}
        if "ttl" in {column["name"] for column in inspector.get_columns(_ROW.name)}:  # revision 0001 does not have it
            mine["ttl"] = _UPGRADE_TTL
        mine["expires"] = database_clock(connection) + _UPGRADE_TTL
        taken = connection.execute(sa.update(_ROW).where(_ROW.c.fence == found.fence).values(mine))
        return (None, found.fence + 1) if taken.rowcount == 1 else ("another process", None)
