"""Renew the lease of a run from a thread while the run fetches."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sync.errors import DatabaseError, Interrupted
from sync.store.engine import writing
from sync.store.lease import lease_lost, renew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from sync.store.lease import Lease


@contextmanager
def renew_in_background(engine: sa.Engine, lease: Lease, on_loss: Callable[[], None]) -> Iterator[None]:
    """Renew the lease from a thread, three times per TTL, without an open transaction in between.

    Args:
        engine: the database.
        lease: the lease to renew.
        on_loss: called once if another run acquired the lease; it must make the block raise Interrupted.

    Raises:
        LeaseLost: instead of that Interrupted.
    """
    done, lost = threading.Event(), threading.Event()

    def renew_repeatedly() -> None:
        while not done.wait(lease.ttl / 3):
            try:
                with writing(engine) as connection:
                    renewed = renew(connection, lease)
            except DatabaseError:
                continue  # retried; `check_fence` detects a lease that expired
            if not renewed:
                lost.set()
                on_loss()
                return

    thread = threading.Thread(target=renew_repeatedly, name="lease", daemon=True)
    thread.start()
    try:
        yield
    except Interrupted:
        if lost.is_set():
            raise lease_lost() from None
        raise
    finally:
        done.set()
        thread.join(lease.ttl)  # a daemon thread, which may wait for an unreachable database
