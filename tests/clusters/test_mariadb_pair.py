"""A MariaDB primary with a `read_only` replica: nothing is written into it, and what a promotion lost is noticed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sync.catalog.run_record import Run, Status
from sync.errors import CursorLost, DatabaseAway, LeaseLost
from sync.reader import cursor as cursors
from sync.reader import feed, status
from sync.retry_policy import RetryPolicy
from sync.store import apply, connecting, schema
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.connecting import Standby
from sync.store.engine import open_engine, reading, writing
from tests.builders import record
from tests.clusters.servers import MOMENTS, ask, both, cut_off, mariadb_pair, promote, when_a_run_is_applied
from tests.faults import AFTER, BEFORE, age_lease, anomalies, hear_statements, real_clock, sync, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

pytestmark = pytest.mark.long


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary that holds a catalog, and its replica, which has all of it."""
    with mariadb_pair() as (primary, replica):
        engine = open_engine(primary.url)
        schema.upgrade(engine)
        assert sync(BEFORE, engine).error is None
        engine.dispose()
        _wait_until_equal(primary, replica)
        yield primary, replica


def _wait_until_equal(primary: Server, replica: Server) -> None:
    wanted = ask(primary, "SELECT @@gtid_binlog_pos")
    wait_for(lambda: ask(replica, "SELECT @@gtid_slave_pos") == wanted)


def test_a_user_who_may_do_everything_writes_nothing_into_a_replica(pair: tuple[Server, Server]) -> None:
    """ALL carries READ ONLY ADMIN: the server itself would let the run write, and stop its replication."""
    primary, replica = pair
    engine = open_engine(replica.url)
    before = ask(replica, "SELECT @@gtid_binlog_pos")
    error = sync(AFTER, engine).error
    assert isinstance(error, DatabaseAway)
    assert (error.exit_code, "set DATABASE_URL to its primary" in error.hint) == (69, True)
    with pytest.raises(DatabaseAway):
        leases.break_lease(engine)
    assert ask(replica, "SELECT @@gtid_binlog_pos") == before
    found = status.overview(engine)
    assert (found.present, anomalies(engine), found.standby) == (5, [], Standby(None))
    engine.dispose()
    direct = open_engine(primary.url)
    assert sync(AFTER, direct).error is None
    direct.dispose()
    _wait_until_equal(primary, replica)
    engine = open_engine(replica.url)
    assert anomalies(engine) == [], "it still follows"
    engine.dispose()


@pytest.mark.ci_slice
def test_of_a_fence_and_a_run_that_a_promotion_gave_twice_only_the_newer_holder_may_write(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    cut_off(replica)
    engine = open_engine(both(primary, replica))
    a = leases.acquire(engine, trigger="run", ttl=60.0, now=real_clock())
    primary.kill()
    promote(replica)
    b = leases.acquire(engine, trigger="run", ttl=60.0, now=real_clock())
    assert (a.fence, a.run_id) == (b.fence, b.run_id), "MariaDB counts on from the rows that are left"
    with pytest.raises(LeaseLost) as lost, writing(engine) as connection:
        leases.check_fence(connection, a)
    assert lost.value.code == "went-back"
    store = Store(engine, sleep=lambda _: None)
    succeeded = Run(b.run_id, "run", Status.SUCCEEDED, real_clock(), real_clock(), fence=b.fence, holder=b.holder)
    store.close(b, succeeded)
    assert store.was_committed(b, succeeded, iter([0.0])) is True
    assert store.was_committed(a, succeeded, iter([0.0])) is False
    engine.dispose()


def test_after_a_promotion_that_lost_commits_a_cursor_is_refused_although_its_seq_was_reused(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    cut_off(replica)
    engine = open_engine(both(primary, replica))
    assert sync(AFTER, engine).error is None, "it is committed and told, and never reaches the replica"
    seen = feed.changes(engine)[-1]
    primary.kill()
    promote(replica)
    assert sync([*BEFORE, *(record(number) for number in "789")], engine).error is None
    assert feed.changes(engine)[-1]["seq"] == seen["seq"]
    with pytest.raises(CursorLost) as lost, reading(engine) as connection:
        cursors.validate_cursor(connection, seen["cursor"])
    assert (lost.value.reason, anomalies(engine)) == ("diverged", [])
    engine.dispose()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_whose_primary_dies_while_it_is_applied_is_applied_on_the_promoted_replica(
    moment: str, pair: tuple[Server, Server]
) -> None:
    primary, replica = pair
    engine = open_engine(both(primary, replica))
    promoting = threading.Timer(1.0, promote, [replica])

    def fail_over() -> None:
        _wait_until_equal(primary, replica)
        primary.kill()
        promoting.start()

    when_a_run_is_applied(engine, moment, fail_over)
    outcome = sync(AFTER, engine, sleep=time.sleep)
    promoting.join()
    assert (outcome.error, outcome.run.status) == (None, Status.SUCCEEDED)
    assert (status.overview(engine).present, len(feed.changes(engine)), anomalies(engine)) == (5, 5 + 3, [])
    engine.dispose()


def test_a_primary_that_freezes_in_mid_transaction_is_given_up_within_the_clients_own_limit_and_a_bounded_number_of_looks(
    pair: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at a mute server takes as long as the limit: together they must end with the time, not with the pauses."""
    primary, _replica = pair
    monkeypatch.setattr(connecting, "IDLE_SECONDS", 1)
    monkeypatch.setattr(connecting, "ANSWER_MARGIN_SECONDS", 0)
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(apply, "RECONNECT", RetryPolicy(waits=(0.5,), attempts=9))
    engine = open_engine(primary.url)
    hear_statements(engine, lambda statement: primary.freeze() if "template_changes (" in statement else None)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds)

    assert isinstance(sync(AFTER, engine, sleep=sleep).error, DatabaseAway)
    assert 0 < len(pauses) < 8, "not a limit for each of the pauses"
    primary.thaw()
    age_lease(engine)
    engine.dispose()
    calm = open_engine(primary.url)
    assert sync(AFTER, calm).error is None
    assert anomalies(calm) == []
    calm.dispose()
