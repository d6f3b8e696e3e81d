"""A primary with a PostgreSQL standby or a MariaDB replica: failover with and without loss, frozen and demoted primaries."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sync.api import Catalog as Reader
from sync.catalog.run_record import Run, Status
from sync.commands.status import status_lines
from sync.errors import CursorLost, DatabaseAway, LeaseLost
from sync.reader import feed, status
from sync.reader.feed import validate_cursor
from sync.retry_policy import RetryPolicy
from sync.store import database_errors, schema, server_hosts
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.doctor import server_state
from sync.store.engine import open_engine, reading, writing
from tests.builders import make_settings, record
from tests.clusters.servers import (
    MOMENTS,
    before_statements,
    both,
    caught_up,
    cut_off,
    mariadb_pair,
    postgresql_pair,
    promote,
    query,
    when_a_run_is_applied,
)
from tests.faults import AFTER, BEFORE, Catalog, age_lease, anomalies, real_clock, sync, take_lease, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from tests.servers import Server

    Pair = tuple[Server, Server]

pytestmark = pytest.mark.long

PAIRS = {"postgresql": postgresql_pair, "mariadb": mariadb_pair}
on_postgresql = pytest.mark.parametrize("pair", ["postgresql"], indirect=True)


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A primary that holds BEFORE, and its standby, which has replayed it."""
    with PAIRS[request.param]() as (primary, standby):
        engine = open_engine(primary.url)
        schema.upgrade(engine)
        assert sync(BEFORE, engine).error is None
        engine.dispose()
        wait_for(lambda: caught_up(primary, standby))
        yield primary, standby


@pytest.fixture
def engine(pair: Pair) -> Iterator[sa.Engine]:
    """An engine with both hosts in its URL."""
    made = open_engine(both(*pair))
    yield made
    made.dispose()


@pytest.mark.ci_slice
def test_of_two_holders_with_one_fencing_token_only_the_newer_commits(pair: Pair, engine: sa.Engine) -> None:
    primary, standby = pair
    cut_off(standby)
    a = take_lease(engine)
    primary.kill()
    promote(standby)
    b = take_lease(engine)
    assert a.fence == b.fence
    assert a.run_id == b.run_id or standby.url.startswith("postgresql"), "MariaDB continues from the remaining rows"
    with pytest.raises(LeaseLost) as lost, writing(engine) as connection:
        leases.check_fence(connection, a)
    assert lost.value.code == "went-back"
    store = Store(engine, sleep=lambda _: None)
    succeeded = Run(b.run_id, "run", Status.SUCCEEDED, real_clock(), real_clock(), fence=b.fence)
    store.close(b, succeeded)
    assert store.was_committed(b, succeeded, iter([0.0])) is True
    assert store.was_committed(a, succeeded, iter([0.0])) is False


@pytest.mark.ci_slice
def test_a_cursor_of_lost_commits_is_refused_although_its_seq_was_reused(pair: Pair, engine: sa.Engine) -> None:
    primary, standby = pair
    cut_off(standby)
    assert sync(AFTER, engine).error is None, "committed on the primary, and never replicated"
    seen = feed.changes(engine)[-1]
    primary.kill()
    promote(standby)
    assert sync([*BEFORE, *(record(number) for number in "789")], engine).error is None
    assert feed.changes(engine)[-1]["seq"] == seen["seq"]
    with pytest.raises(CursorLost) as lost, reading(engine) as connection:
        validate_cursor(connection, seen["cursor"])
    assert (lost.value.reason, anomalies(engine)) == ("diverged", [])


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_whose_primary_is_killed_during_the_apply_is_applied_on_the_promoted_server(
    moment: str, pair: Pair, engine: sa.Engine
) -> None:
    primary, standby = pair
    promoting = threading.Timer(1.0, promote, [standby])

    def fail_over() -> None:
        wait_for(lambda: caught_up(primary, standby))
        primary.kill()
        promoting.start()

    when_a_run_is_applied(engine, moment, fail_over)
    outcome = sync(AFTER, engine, sleep=time.sleep)
    promoting.join()
    assert (outcome.error, outcome.run.status) == (None, Status.SUCCEEDED)
    assert (status.overview(engine).present, len(feed.changes(engine)), anomalies(engine)) == (5, 5 + 3, [])


def test_a_standby_refuses_writes_in_one_line_and_serves_readers(pair: Pair) -> None:
    """A MariaDB user with ALL privileges may write to a replica; that would stop its replication."""
    primary, standby = pair
    engine, direct = open_engine(standby.url), open_engine(primary.url)
    error = sync(AFTER, engine).error
    assert isinstance(error, DatabaseAway)
    assert (error.exit_code, "set DATABASE_URL to its primary" in error.hint, "\n" in str(error)) == (69, True, False)
    with pytest.raises(DatabaseAway):
        leases.break_lease(engine)
    assert caught_up(primary, standby), "nothing was written"
    found = status.overview(engine)
    assert (found.present, anomalies(engine)) == (5, [])
    assert found.standby is not None
    assert (found.standby.seconds is None) == standby.url.startswith("mariadb")
    lag = "may lag: its newest transaction is" if found.standby.seconds is not None else "may lag"
    assert any(lag in line for line in status_lines(found, make_settings(), real_clock()))
    with Reader(standby.url) as catalog:
        assert {each.template_id for each in catalog.templates()} == {each["TemplateId"] for each in BEFORE}
        assert catalog.changes()[-1].cursor == catalog.status().cursor
    assert sync(AFTER, direct).error is None
    wait_for(lambda: caught_up(primary, standby))
    assert (status.overview(engine).last_seq, anomalies(engine)) == (8, []), "replication continues"
    engine.dispose()
    direct.dispose()


@on_postgresql
def test_readers_use_the_standby_while_no_primary_responds(pair: Pair, engine: sa.Engine) -> None:
    pair[0].kill()
    assert status.overview(engine).present == 5
    assert isinstance(sync(AFTER, engine).error, DatabaseAway)
    promote(pair[1])
    assert sync(AFTER, engine).error is None, "the connection to the former standby is not kept"


@on_postgresql
def test_doctor_reports_primary_standby_and_concerns(pair: Pair) -> None:
    engines = [open_engine(server.url) for server in pair]
    primary, standby = (server_state(engine) for engine in engines)
    assert primary is not None
    assert standby is not None
    assert "a primary with 1 standbys" in primary.summary
    assert any("asynchronous" in each for each in primary.warnings)
    assert "a standby, its newest transaction" in standby.summary
    assert any("runs need its primary" in each for each in standby.warnings)
    for engine in engines:
        engine.dispose()


@on_postgresql
def test_a_pooled_connection_to_a_demoted_primary_is_not_kept(pair: Pair, engine: sa.Engine) -> None:
    primary, standby = pair
    assert sync(BEFORE, engine).error is None
    wait_for(lambda: caught_up(primary, standby))
    promote(standby)
    query(primary, "ALTER SYSTEM SET default_transaction_read_only = on")
    query(primary, "SELECT pg_reload_conf()")
    wait_for(lambda: query(primary, "SHOW default_transaction_read_only") == "on")
    assert isinstance(sync(AFTER, engine).error, DatabaseAway), "its ping succeeds, and it accepts no write"
    assert sync(AFTER, engine).error is None
    assert query(standby, "SELECT last_seq FROM sync_state") == 8


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"IDLE_SECONDS": 1, "ANSWER_MARGIN_SECONDS": 0, "CONNECT_SECONDS": 1}.items():
        monkeypatch.setattr(server_hosts, name, seconds)


def completed_later(primary: Server) -> None:
    """Check that the next run with ordinary limits completes the work."""
    with pytest.MonkeyPatch.context() as patient:
        patient.setattr(server_hosts, "IDLE_SECONDS", 60)
        engine = open_engine(primary.url)
        age_lease(engine)
        assert sync(AFTER, engine).error is None
    assert anomalies(engine) == []
    assert [each["kind"] for each in feed.changes(engine)].count("removed") == 1, "applied once"
    engine.dispose()


def test_a_run_on_a_frozen_primary_ends_with_the_limits_of_the_client(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt takes as long as the limit: the retries must end after a time, not after a number of pauses."""
    primary = pair[0]
    impatient(monkeypatch)
    monkeypatch.setattr(database_errors, "RECONNECT", RetryPolicy(waits=(0.5,), attempts=9))
    engine, pauses = open_engine(primary.url), list[float]()
    before_statements(engine, "template_changes (", primary.freeze, times=99)

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds)

    assert isinstance(sync(AFTER, engine, sleep=sleep).error, DatabaseAway)
    assert 0 < len(pauses) < 8
    primary.thaw()
    engine.dispose()
    completed_later(primary)


@on_postgresql
def test_a_commit_that_waits_for_a_synchronous_standby_is_abandoned(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timeout of the server ends that wait; the rows exist, and become visible when the wait ends."""
    primary = pair[0]
    impatient(monkeypatch)
    engine = open_engine(primary.url, lock_timeout=0.5)

    def wait_for_an_absent_standby() -> None:
        source.on_request = None
        query(primary, "ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        query(primary, "SELECT pg_reload_conf()")

    source = Catalog(AFTER, wait_for_an_absent_standby)
    error = sync(source, engine).error
    assert error is not None
    assert error.exit_code in {69, 75}
    query(primary, "ALTER SYSTEM RESET synchronous_standby_names")
    query(primary, "SELECT pg_reload_conf()")
    wait_for(lambda: query(primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 0)
    engine.dispose()
    completed_later(primary)
