"""A run is applied in one transaction, under its fence, and tried again where nobody knows whether it arrived.

What a run found took minutes to fetch: it is kept for as long as a fail-over takes. A transaction that another one's won over is
tried again at once, as a whole.
"""

from __future__ import annotations

import itertools
import random as randomness
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from sync.catalog.run_record import Run, Status
from sync.errors import DatabaseAway, DatabaseConflict, DatabaseError, LeaseLost
from sync.store import lease as leases
from sync.store import process
from sync.store.engine import reading, writing
from sync.store.load import load_documents, load_previous
from sync.store.tables import sync_runs
from sync.store.transaction_retry import RECONNECT, Retry
from sync.store.write import write_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sync.catalog.document import Document
    from sync.catalog.sync_state import SyncState
    from sync.store.write import WriteSet


T = TypeVar("T")


APPLY_ATTEMPTS = 3
"""For an error that does not look as if it passed."""


class Store:
    """The database, as a run sees it."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self.engine = engine
        self.retry = Retry(sleep, random)
        self._sleep = sleep

    def load(self) -> tuple[dict[str, str | None], SyncState]:
        """Read the present templates (id -> hash of the bytes that were stored last), and what runs remember."""
        with reading(self.engine) as connection:
            return load_previous(connection)

    def load_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Read some of the templates that `load` named whole.

        Raises:
            LeaseLost: one of them is gone, so another run has been applied since: what this one found is out of date.
        """
        found = self._retry_read(lambda connection: load_documents(connection, ids))
        if len(found) < len(set(ids)):
            raise LeaseLost(
                "Another run changed the catalog during this run; nothing of this run was applied.",
                hint="The next run continues from the new state.",
            )
        return found

    def _retry_read(self, read: Callable[[sa.Connection], T]) -> T:
        """Read in the middle of a run: a server that is away gets as long to come back as for the run's end."""
        for pause in self._reconnect_waits():
            try:
                with reading(self.engine) as connection:
                    return read(connection)
            except (DatabaseAway, DatabaseConflict):
                self._sleep(pause)
        with reading(self.engine) as connection:
            return read(connection)

    def _reconnect_waits(self) -> Iterator[float]:
        """Give the waits of `RECONNECT`, and no more once their time is over: each look at a mute server takes its time-out."""
        waits = RECONNECT.all_waits(self.retry.random)
        ends = self.retry.monotonic() + sum(waits)
        for wait in waits:
            if self.retry.monotonic() > ends:
                return
            yield wait

    def apply(self, lease: leases.Lease, write_set: WriteSet, check_deadline: Callable[[], None] = lambda: None) -> None:
        """Write everything that a run found, and its outcome, in one transaction; then the lease is given back.

        A connection may break while COMMIT is on its way, and nobody knows whether it arrived. The run's own row tells:
        if it is closed, everything was applied. If not, all of it is tried again, until the server has been away for two minutes.

        Args:
            lease: the run's.
            write_set: all that it writes.
            check_deadline: raises where there is no time left for another try.

        Raises:
            LeaseLost: another run took over, or the database went back behind this one.
            DatabaseError: it cannot be done, or not be known; the next run finds the database as before or as after.
        """

        def write() -> None:
            with writing(self.engine) as connection:
                leases.check_fence(connection, lease)
                write_run(connection, lease.run_id, write_set)
                leases.release(connection, lease)

        pauses = self._reconnect_waits()
        for attempt in itertools.count(1):
            try:
                self.retry(write)
            except DatabaseConflict:
                raise  # it did nothing, every time
            except (DatabaseError, LeaseLost) as error:
                in_doubt = isinstance(error, DatabaseError) or attempt > 1  # a run that landed has given its lease back
                if in_doubt and self.was_committed(lease, write_set.run, pauses):
                    return
                passing = isinstance(error, DatabaseAway) or (isinstance(error, DatabaseError) and attempt < APPLY_ATTEMPTS)
                if not passing or next(pauses, None) is None:
                    raise
            else:
                return
            check_deadline()

    def was_committed(self, lease: leases.Lease, run: Run, pauses: Iterator[float]) -> bool:
        """Tell whether a run's transaction was committed after all, as soon as the database answers again.

        A row with any other end than the run's own was closed by somebody else: another run that took over. One with another
        token is another run's: the database went back, and gave the number again.

        Args:
            lease: the run's.
            run: as it was to be written.
            pauses: how long to wait before each look.
        """
        ours = sa.and_(sync_runs.c.run_id == lease.run_id, sync_runs.c.token == lease.token)
        for pause in pauses:
            self._sleep(pause)
            try:
                with reading(self.engine) as connection:
                    found = connection.scalar(sa.select(sync_runs.c.status).where(ours))
            except DatabaseError:
                continue
            return bool(found == str(run.status))
        return False

    def close(self, lease: leases.Lease, run: Run) -> None:
        """Record how a run ended that applied nothing, and give the lease back. A row that is closed already stays as it is.

        The lease's row comes first, as everywhere: in another order two processes could each wait for the other's row.
        """
        ours = sa.and_(sync_runs.c.run_id == lease.run_id, sync_runs.c.token == lease.token)

        def write() -> None:
            with writing(self.engine) as connection:
                leases.release(connection, lease)
                still = sa.and_(ours, sync_runs.c.status == str(Status.RUNNING))
                connection.execute(sa.update(sync_runs).where(still).values(run.row()))

        self.retry(write)

    def record_failed(self, run: Run) -> Run:
        """Record a run that failed before it could ask for the lease; return it with its number.

        Raises:
            DatabaseError: it is not recorded.
        """
        row = {**run.row(), "holder": process.name()}

        def write() -> int:
            with writing(self.engine) as connection:
                leases.current_holder(connection, lock=True)  # so that the order of numbers is the order of commits
                return leases.insert_run(connection, row)

        return replace(run, run_id=self.retry(write), holder=process.name())
