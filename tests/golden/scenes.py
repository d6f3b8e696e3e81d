"""Databases in the states that `status` and `doctor` report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.store import lease as leases
from sync.store.tables import planned_runs, sync_lease, sync_runs
from tests.builders import Database, record, records, run_against, run_with, ticking
from tests.daemons import Upstream
from tests.faults import take_lease
from tests.hostile import Hostile, Reply, Request, catalog, failure
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def well(database: Database) -> None:
    run_with(records(3), database.engine, clock=ticking(START))


def refused(code: int) -> Callable[[Database], None]:
    def prepare(database: Database) -> None:
        with Upstream(records(3)) as upstream:
            run_against(upstream.url, database.engine, clock=ticking(START))
            upstream.refuse(code)
            run_against(upstream.url, database.engine, clock=ticking(START + MINUTE))

    return prepare


def unreachable(database: Database) -> None:
    run_against(f"http://127.0.0.1:{free_port()}", database.engine, clock=ticking(START))


def held(database: Database) -> None:
    run_with(records(40), database.engine, clock=ticking(START))
    run_with(records(20), database.engine, clock=ticking(START + MINUTE), max_removed=Decimal("0.1"))


def rejected(database: Database) -> None:
    run_with([record("1"), record("2", ConsumeItems="free")], database.engine, clock=ticking(START))


def unconfirmed(database: Database) -> None:
    """Run over a catalog without 39 and 40, whose look-ups return an error."""
    run_with(records(40), database.engine)
    correct = catalog(records(38))

    def script(request: Request) -> Reply:
        return failure(500) if request.query.get("template_id") in {"39", "40"} else correct(request)

    with Hostile(script) as server:
        outcome = run_against(server.url, database.engine, concurrency=1, clock=ticking(START))
    assert outcome.error is None


def at_work(database: Database) -> None:
    take_lease(database.engine, now=START)


def killed(database: Database) -> None:
    at_work(database)
    end_holder(database)


def end_holder(database: Database) -> None:
    """Make the holder of the lease a process that has ended."""
    mark = leases.process_mark()
    assert mark is not None
    with database.engine.begin() as connection:
        connection.execute(sa.update(sync_lease).values(process=mark.rpartition(":")[0] + ":1"))


def planned(minutes: int) -> Callable[[Database], None]:
    def prepare(database: Database) -> None:
        with database.engine.begin() as connection:
            connection.execute(sa.insert(planned_runs).values(host="h", next_run_at=START + minutes * MINUTE))

    return prepare


def hostile_error(database: Database) -> None:
    at_work(database)
    hostile = {"status": "failed", "error_code": "500", "error": "it said: \x1b[2J\x07gone", "finished_at": START}
    with database.engine.begin() as connection:
        connection.execute(sa.update(sync_runs).values(hostile))
