"""A Galera cluster of three nodes: conflicts, hot rows, lag, lost quorum."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.errors import DatabaseAway, DatabaseConflict, LeaseBusy
from sync.reader import status
from sync.store import lease as leases
from sync.store import schema
from sync.store.acquire import LeaseWait
from sync.store.database_errors import Retry
from sync.store.doctor import server_state
from sync.store.engine import open_engine, writing
from sync.store.prune import prune
from sync.store.state import save_planned_run
from tests.builders import Database, record
from tests.clusters.servers import before_statements, galera, query
from tests.faults import AFTER, BEFORE, PROCESSES, age_lease, anomalies, real_clock, sync, take_lease, wait_for
from tests.store.test_upgrades import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Server]]:
    """Three nodes with our tables."""
    with galera(3) as started:
        engine = open_engine(started[0].url)
        schema.upgrade(engine)
        engine.dispose()
        yield started


@pytest.fixture
def engines(nodes: list[Server]) -> Iterator[list[sa.Engine]]:
    """An engine for each node; the lease is free."""
    made = [open_engine(node.url) for node in nodes]
    age_lease(made[0])
    assert sync(BEFORE, made[0], accept_removals=True).error is None, "rows of another test would hold removals"
    yield made
    for engine in made:
        engine.dispose()


@pytest.mark.ci_slice
def test_a_finished_run_is_visible_on_every_node(engines: list[sa.Engine]) -> None:
    for number in range(10):
        many = [record(str(key), Title_en=f"Number {number}") for key in range(200)]
        assert sync(many, engines[0], accept_removals=True).error is None
        ended = status.overview(engines[0])
        for other in engines[1:]:
            found = status.overview(other)
            assert (found.cursor, found.last_success) == (ended.cursor, ended.last_success)


def test_doctor_reports_the_node_and_its_cluster(engines: list[sa.Engine]) -> None:
    state = server_state(engines[1])
    assert state is not None
    assert "node node1 of a Galera cluster of 3 (Primary, Synced)" in state.summary
    assert state.warnings == []


def upgrade(url: str) -> None:
    """Upgrade a database to this version. The target of a process."""
    schema.upgrade(open_engine(url))


def test_concurrent_upgrades_on_three_nodes_succeed(nodes: list[Server]) -> None:
    """Version 0.1.0 created the tables; the lease is a row, which is valid on every node."""
    for round_ in range(2):
        query(nodes[0], f"CREATE DATABASE old{round_}")
        urls = [node.url.replace("/catalog", f"/old{round_}") for node in nodes]
        made = open_engine(urls[0])
        load(Database("mariadb", urls[0], made))
        workers = [PROCESSES.Process(target=upgrade, args=(url,), daemon=True) for url in urls]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        cursors = set()
        for url in urls:
            engine = open_engine(url)
            assert list(schema.differences(engine)) == []
            cursors.add(status.overview(engine).cursor)
            engine.dispose()
        assert len(cursors) == 1
        assert sync(BEFORE, made, accept_removals=True).error is None
        assert anomalies(made) == []
        made.dispose()


@pytest.mark.ci_slice
def test_of_two_concurrent_runs_on_two_nodes_one_is_skipped(engines: list[sa.Engine]) -> None:
    """The first COMMIT wins; the COMMIT of the other conflicts, and its retry finds the lease held."""
    before_statements(engines[0], "UPDATE sync_lease", lambda: take_lease(engines[1]))
    outcome = sync(AFTER, engines[0])
    assert (str(outcome.run.status), outcome.run.error_code, outcome.unrecorded) == ("skipped", "lease-busy", None)
    assert outcome.error is not None
    assert outcome.error.exit_code == 75


@pytest.mark.parametrize("before", ["UPDATE sync_lease", "UPDATE sync_runs", "INSERT INTO sync_runs"])
def test_a_takeover_during_any_statement_of_an_acquisition_leaves_one_holder(engines: list[sa.Engine], before: str) -> None:
    """The later statements of the loser run in another transaction, whose COMMIT must not count as a lease."""
    taken: list[leases.Lease] = []
    before_statements(engines[0], before, lambda: taken.append(take_lease(engines[1])))
    with pytest.raises(LeaseBusy):
        take_lease(engines[0])
    with writing(engines[2]) as connection:
        leases.check_fence(connection, taken[0])


def _in_turn(engine: sa.Engine, trigger: str, template_id: str | None = None, sleep: Any = time.sleep) -> leases.Lease:
    return take_lease(engine, trigger, template_id, retry=Retry(sleep), wait=LeaseWait())


def _release(engine: sa.Engine, lease: leases.Lease) -> None:
    def give_back() -> None:
        with writing(engine) as connection:
            leases.release(connection, lease)

    Retry()(give_back)


def test_refreshes_on_three_nodes_wait_for_each_other_and_leave_no_other_row(engines: list[sa.Engine]) -> None:
    held: list[int] = []
    overlaps: list[list[int]] = []

    def one(number: int) -> None:
        engine = engines[number % 3]
        lease = _in_turn(engine, "refresh", str(number))
        held.append(number)
        overlaps.append([*held])
        time.sleep(0.02)
        held.remove(number)
        _release(engine, lease)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(one, range(12)))
    assert [len(each) for each in overlaps] == [1] * 12
    newest = [run for run in status.runs(engines[0], 13) if run.trigger == "refresh"]
    assert sorted(str(run.template_id) for run in newest) == sorted(map(str, range(12)))


def test_a_run_that_waits_on_one_node_goes_before_a_refresh_that_comes_later_on_another(engines: list[sa.Engine]) -> None:
    refresh = _in_turn(engines[0], "refresh", "1")
    later: list[str] = []

    def meanwhile(_seconds: float) -> None:
        if not later:
            _release(engines[0], refresh)
            with pytest.raises(LeaseBusy) as busy:
                take_lease(engines[1], "refresh", "2")
            later.append(str(busy.value))

    run = _in_turn(engines[2], "daemon", sleep=meanwhile)
    assert later == ["A run waits for the lease, and goes before refreshes."]
    assert run.fence == refresh.fence + 1


def test_a_prune_on_another_node_blocks_a_concurrent_commit(engines: list[sa.Engine]) -> None:
    lease = take_lease(engines[0])
    with pytest.raises(DatabaseConflict) as conflict, writing(engines[0]) as connection:  # noqa: PT012 - the COMMIT fails
        leases.check_fence(connection, lease)
        prune(engines[1], before=None, keep_runs=10_000)
        connection.exec_driver_sql("SELECT 1")
    assert conflict.value.exit_code == 75


def test_planning_a_run_on_another_node_rolls_back_no_transaction(engines: list[sa.Engine]) -> None:
    rolled_back = list[object]()
    sync(BEFORE, engines[0], accept_removals=True)
    planned = before_statements(engines[0], "template_changes (", lambda: save_planned_run(engines[1], real_clock()), times=99)
    sa.event.listen(engines[0], "rollback", rolled_back.append)
    assert sync(AFTER, engines[0], accept_removals=True).error is None
    assert (len(planned) > 0, rolled_back, anomalies(engines[2])) == (True, [], [])


def test_an_apply_that_conflicts_with_another_node_is_retried_as_a_whole(engines: list[sa.Engine]) -> None:
    sync(BEFORE, engines[0], accept_removals=True)

    def write() -> None:
        with writing(engines[1]) as connection:
            connection.execute(sa.text("UPDATE sync_state SET unreconciled_runs = unreconciled_runs + 1"))
            connection.execute(sa.text("UPDATE sync_lease SET turn = coalesce(turn, 0) + 1"))

    met = before_statements(engines[0], "template_changes (", write, times=3)
    assert sync(AFTER, engines[0], accept_removals=True, sleep=time.sleep).error is None
    assert (len(met), anomalies(engines[2])) == (3, [])


def test_a_node_without_quorum_is_reported_in_one_line(nodes: list[Server], caplog: pytest.LogCaptureFixture) -> None:
    alone = nodes[2]
    assert alone._process is not None
    engine = open_engine(alone.url)
    assert status.overview(engine).present >= 0
    for other in nodes[:2]:
        other.freeze()
    try:
        wait_for(lambda: _without_quorum(engine))
        caplog.clear()
        error = sync(AFTER, engine).error
        assert isinstance(error, DatabaseAway)
        assert "lost quorum" in error.hint
        assert "\n" not in str(error)
        assert caplog.records == [], "SQLAlchemy would log a failed rollback with its traceback"
    finally:
        for other in nodes[:2]:
            other.thaw()
        wait_for(lambda: not _without_quorum(engine), within=60)
    engine.dispose()


def _without_quorum(engine: sa.Engine) -> bool:
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sync_lease")
    except sa.exc.OperationalError as error:
        return "1047" in str(error)
    return False
