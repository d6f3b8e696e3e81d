"""What the database holds before a run, and making it what the catalog serves, in one transaction."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.apply import Applied, Memory, batches, write
from sync.db import lease as leases
from sync.db.engine import reading, writing
from sync.db.tables import held_removals, sync_runs, sync_state, template_versions, templates
from sync.diff import Previous
from sync.errors import DatabaseError, LeaseLost
from sync.runs import Run, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

APPLY_ATTEMPTS = 3


class Store:
    """The database, as a run sees it."""

    def __init__(self, engine: sa.Engine, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.engine = engine
        self._sleep = sleep

    def load(self) -> tuple[Previous, Memory]:
        """Read what is present, by fingerprint, and what runs remember."""
        with reading(self.engine) as connection:
            present = sa.select(templates.c.template_id, templates.c.fingerprint).where(templates.c.removed_at.is_(None))
            fingerprints = {row.template_id: row.fingerprint for row in connection.execute(present)}
            state = connection.execute(sa.select(sync_state)).one()
            held = connection.execute(sa.select(held_removals.c.template_id, held_removals.c.runs)).all()
        fields = None if state.wire_fields is None else frozenset(state.wire_fields)
        previous = Previous(fingerprints, wire_fields=fields, absent_fields=frozenset(state.absent_fields or ()))
        return previous, Memory({row.template_id: row.runs for row in held}, state.unreconciled_ids, state.unreconciled_runs)

    def with_documents(self, previous: Previous, ids: Sequence[str]) -> Previous:
        """Read some of the present templates whole."""
        if not ids:
            return previous
        documents: dict[str, Any] = {}
        with reading(self.engine) as connection:
            for batch in batches(ids):
                found = sa.select(template_versions.c.template_id, template_versions.c.document).where(
                    template_versions.c.until_run_id.is_(None), template_versions.c.template_id.in_(batch)
                )
                documents.update((row.template_id, row.document) for row in connection.execute(found))
        return replace(previous, documents=documents)

    def apply(self, lease: leases.Lease, applied: Applied) -> None:
        """Write everything that a run found, and its outcome, in one transaction; then the lease is given back.

        A connection may break while COMMIT is on its way, and nobody knows whether it arrived. The run's own row tells:
        if it is closed, everything was applied. If not, all of it is tried again.

        Raises:
            LeaseLost: another run took over.
            DatabaseError: it cannot be done, or not be known; the next run finds the database as before or as after.
        """
        for attempt in range(1, APPLY_ATTEMPTS + 1):
            try:
                with writing(self.engine) as connection:
                    leases.prove(connection, lease)
                    write(connection, lease.run_id, applied)
                    leases.release(connection, lease)
            except (DatabaseError, LeaseLost) as error:
                in_doubt = isinstance(error, DatabaseError) or attempt > 1  # a run that landed has given its lease back
                if in_doubt and self._landed(lease, applied.run, attempt):
                    return
                if attempt == APPLY_ATTEMPTS or isinstance(error, LeaseLost):
                    raise
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
