"""A run is applied in one transaction, under its fencing token, and tried again where nobody knows whether it arrived."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.errors import DatabaseError, LeaseLost
from sync.run_record import Run, Status
from sync.store import lease as leases
from sync.store.engine import reading, writing
from sync.store.load import load_content_hash, load_documents, load_previous
from sync.store.tables import sync_runs
from sync.store.write import write_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.catalog.diff import Previous
    from sync.catalog.sync_state import SyncState
    from sync.catalog.template import Document
    from sync.store.write_set import WriteSet


APPLY_ATTEMPTS = 3


class Store:
    """The database, as a run sees it."""

    def __init__(self, engine: sa.Engine, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.engine = engine
        self._sleep = sleep

    def load(self) -> tuple[Previous, SyncState]:
        """Read what is present, by the hash of its bytes, and what runs remember."""
        with reading(self.engine) as connection:
            return load_previous(connection)

    def load_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Read some of the templates that `load` named whole.

        Raises:
            LeaseLost: one of them is gone, so another run has been applied since: what this one found is out of date.
        """
        with reading(self.engine) as connection:
            found = load_documents(connection, ids)
        if len(found) < len(set(ids)):
            raise LeaseLost(
                "Another run changed the catalog while this one was at work; nothing of this one was applied.",
                hint="The next run goes on from there.",
            )
        return found

    def content_hash(self, template_id: str) -> str:
        """Read the hash of what one present template means."""
        with reading(self.engine) as connection:
            return load_content_hash(connection, template_id)

    def apply(self, lease: leases.Lease, write_set: WriteSet, check_deadline: Callable[[], None] = lambda: None) -> None:
        """Write everything that a run found, and its outcome, in one transaction; then the lease is given back.

        A connection may break while COMMIT is on its way, and nobody knows whether it arrived. The run's own row tells:
        if it is closed, everything was applied. If not, all of it is tried again.

        Args:
            lease: the run's.
            write_set: all that it writes.
            check_deadline: raises where there is no time left for another try.

        Raises:
            LeaseLost: another run took over.
            DatabaseError: it cannot be done, or not be known; the next run finds the database as before or as after.
        """
        for attempt in range(1, APPLY_ATTEMPTS + 1):
            try:
                with writing(self.engine) as connection:
                    leases.prove(connection, lease)
                    write_run(connection, lease.run_id, write_set)
                    leases.release(connection, lease)
            except (DatabaseError, LeaseLost) as error:
                in_doubt = isinstance(error, DatabaseError) or attempt > 1  # a run that landed has given its lease back
                if in_doubt and self._landed(lease, write_set.run, attempt):
                    return
                if attempt == APPLY_ATTEMPTS or isinstance(error, LeaseLost):
                    raise
                check_deadline()
            else:
                return

    def _landed(self, lease: leases.Lease, run: Run, attempt: int) -> bool:
        """Tell whether a run's transaction was committed after all. A restarting server gets a few seconds to come back.

        A row with any other end than the run's own was closed by somebody else: another run that took over.
        """
        for pause in (0.1, 1.0, 3.0) if attempt == 1 else (1.0,):
            self._sleep(pause)
            try:
                with reading(self.engine) as connection:
                    found = connection.scalar(sa.select(sync_runs.c.status).where(sync_runs.c.run_id == lease.run_id))
            except DatabaseError:
                continue
            return bool(found == str(run.status))
        return False

    def close(self, lease: leases.Lease, run: Run) -> None:
        """Record how a run ended that applied nothing, and give the lease back. A row that is closed already stays as it is.

        The lease's row comes first, as everywhere: in another order two processes could each wait for the other's row.
        """
        with writing(self.engine) as connection:
            leases.release(connection, lease)
            connection.execute(
                sa.update(sync_runs)
                .where(sync_runs.c.run_id == lease.run_id, sync_runs.c.status == str(Status.RUNNING))
                .values(run.row())
            )
