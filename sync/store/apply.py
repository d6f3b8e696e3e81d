"""Load what a run compares with, and apply the run in one transaction that begins with a check of its fencing token."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.catalog.parsing import complete_document
from sync.catalog.removals import HeldRemoval, SyncState, Unconfirmed
from sync.catalog.run_record import Run, Status
from sync.errors import DatabaseAway, DatabaseConflict, DatabaseError, LeaseLost, SchemaError
from sync.store import lease as leases
from sync.store.bulk import batches
from sync.store.database_errors import Retry
from sync.store.engine import reading, writing
from sync.store.tables import held_removals, sync_runs, sync_state, template_versions, templates, unconfirmed_removals
from sync.store.write import write_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sync.catalog.document import Document
    from sync.catalog.plan import Plan

_SLOW_APPLY = 1.0
"""Seconds of a run's last transaction that its recorded duration may leave out; a second write for each run would cost more."""

_APPLY_ATTEMPTS = 3
"""Maximum number of attempts after an error that is not known to be temporary."""


class Store:
    """The database operations of a run."""

    def __init__(self, engine: sa.Engine, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.engine = engine
        self.retry = Retry(sleep)

    def load(self) -> tuple[dict[str, str | None], SyncState]:
        """Return the wire hash of each present template by its id, and the state that runs keep."""
        present = sa.select(templates.c.template_id, templates.c.wire_hash).where(templates.c.removed_at.is_(None))
        with reading(self.engine) as connection:
            stored: dict[str, str | None] = dict(map(tuple, connection.execute(present)))
            state = connection.execute(sa.select(sync_state)).one()
            held = connection.execute(sa.select(held_removals)).all()
            unconfirmed = connection.execute(sa.select(unconfirmed_removals)).all()
        return stored, SyncState(
            {row.template_id: HeldRemoval(row.runs, row.since_at) for row in held},
            {row.template_id: Unconfirmed(row.reason, row.answered) for row in unconfirmed},
            state.unreconciled_ids,
            state.unreconciled_runs,
            state.unreconciled_since,
            state.origin,
        )

    def load_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Return the documents of some of the templates that `load` returned, by id; retry while the server is unreachable.

        Raises:
            LeaseLost: a template is missing, so another run was applied since `load`.
        """
        found = self.retry.while_away(lambda: self._read_documents(ids))
        if len(found) < len(set(ids)):
            raise LeaseLost(
                "Another run changed the catalog during this run; nothing of this run was applied.",
                hint="The next run continues from the new state.",
            )
        return found

    def _read_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        versions = template_versions.c
        query = sa.select(versions.template_id, versions.document).where(versions.until_run_id.is_(None))
        with reading(self.engine) as connection:
            for batch in batches(ids):
                for template_id, written in connection.execute(query.where(versions.template_id.in_(batch))):
                    document = complete_document(written)
                    if document is None:  # modified by hand; a comparison with it would report false changes
                        raise DatabaseError(
                            f"template_versions holds an incomplete document of template {template_id}.",
                            hint="Restore a backup; nothing was applied.",
                        )
                    found[template_id] = document
        return found

    def apply(self, lease: leases.Lease, run: Run, plan: Plan, check_deadline: Callable[[], None] = lambda: None) -> None:
        """Write everything that a run found, and its result, in one transaction that also releases the lease.

        If the connection breaks during COMMIT, read the row of the run: if it has the status of this run, everything was applied.
        Otherwise retry the whole transaction, for up to two minutes while the server is unreachable, unless `check_deadline`
        raises an error.

        Raises:
            LeaseLost: another run acquired the lease, or the database lost the row of this run.
            DatabaseError: the run was not applied, or its result is unknown; the next run finds the state before or after it.
        """

        def write() -> None:
            with writing(self.engine) as connection:
                leases.check_fence(connection, lease)
                write_run(connection, lease.run_id, run, plan)
                leases.release(connection, lease)

        pauses = self.retry.reconnect_waits()
        for attempt in itertools.count(1):
            try:
                self.retry(write)
            except (DatabaseConflict, SchemaError):
                raise  # every attempt was rolled back, or the SQLite file or a required row is missing
            except (DatabaseError, LeaseLost) as error:
                in_doubt = isinstance(error, DatabaseError) or attempt > 1  # a run that was committed has released its lease
                if in_doubt and self.was_committed(lease, run, pauses):
                    return
                passing = isinstance(error, DatabaseAway) or (isinstance(error, DatabaseError) and attempt < _APPLY_ATTEMPTS)
                if not passing or next(pauses, None) is None:
                    raise
            else:
                return
            check_deadline()

    def correct_end(self, lease: leases.Lease, run: Run, now: datetime) -> Run:
        """Return an applied run with the end of its transaction, and record that if the transaction took long.

        The row was written in the transaction, with the time before COMMIT.
        """
        if run.finished_at is None or (now - run.finished_at).total_seconds() <= _SLOW_APPLY:
            return run
        try:
            with writing(self.engine) as connection:
                connection.execute(sa.update(sync_runs).where(leases.row_of(lease)).values(finished_at=now))
        except DatabaseError:
            pass  # the result is recorded; only its time is early
        return replace(run, finished_at=now)

    def was_committed(self, lease: leases.Lease, run: Run, pauses: Iterator[float]) -> bool:
        """Return whether the transaction of a run was committed, as soon as the database answers; `pauses` precede the attempts.

        A row with another status was closed by a run that took over.
        """
        for pause in pauses:
            self.retry.sleep(pause)
            try:
                with reading(self.engine) as connection:
                    found = connection.scalar(sa.select(sync_runs.c.status).where(leases.row_of(lease)))
            except DatabaseError:
                continue
            return bool(found == str(run.status))
        return False

    def close(self, lease: leases.Lease, run: Run) -> None:
        """Record the result of a run that applied nothing, and release the lease; a row that is already closed stays as it is.

        Every transaction locks the row of the lease first, so that two processes cannot deadlock.
        """
        still = sa.and_(leases.row_of(lease), sync_runs.c.status == str(Status.RUNNING))

        def write() -> None:
            with writing(self.engine) as connection:
                leases.release(connection, lease)
                connection.execute(sa.update(sync_runs).where(still).values(run.row()))

        self.retry(write)

    def record_failed(self, run: Run) -> Run:
        """Record a run that failed before it acquired the lease; return it with its number.

        Raises:
            DatabaseError: it is not recorded.
        """
        row = {**run.row(), "holder": leases.process_name()}

        def write() -> int:
            with writing(self.engine) as connection:
                leases.current_holder(connection, lock=True)  # so that the order of numbers is the order of commits
                return leases.insert_run(connection, row)

        return replace(run, run_id=self.retry(write), holder=leases.process_name())
