"""A PostgreSQL primary with a hot standby: fail-over with and without loss, a demoted primary, a frozen one, a silent standby."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sync.api import Catalog as Reader
from sync.catalog.run_record import Status
from sync.commands.status import status_lines
from sync.errors import CursorLost, DatabaseAway, DeadlineExceeded, LeaseLost
from sync.reader import cursor as cursors
from sync.reader import feed, status
from sync.store import connecting, schema
from sync.store import lease as leases
from sync.store.doctor import server_state
from sync.store.engine import open_engine, reading, writing
from tests.builders import make_settings
from tests.clusters.servers import MOMENTS, ask, both, caught_up, cut_off, postgresql_pair, promote, when_a_run_is_applied
from tests.faults import AFTER, BEFORE, Catalog, age_lease, anomalies, hear_statements, real_clock, sync, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from tests.servers import Server

pytestmark = pytest.mark.long


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary that holds a catalog, and its standby, which has all of it."""
    with postgresql_pair() as (primary, standby):
        engine = open_engine(primary.url)
        schema.upgrade(engine)
        assert sync(BEFORE, engine).error is None
        engine.dispose()
        wait_for(lambda: caught_up(primary, standby))
        yield primary, standby


@pytest.fixture
def engine(pair: tuple[Server, Server]) -> Iterator[sa.Engine]:
    """Both of them, by one URL."""
    made = open_engine(both(*pair))
    yield made
    made.dispose()


@pytest.mark.ci_slice
def test_after_a_fail_over_that_lost_commits_no_old_holder_commits_and_no_consumer_misses_a_change(
    pair: tuple[Server, Server], engine: sa.Engine
) -> None:
    primary, standby = pair
    cut_off(standby)
    assert sync(AFTER, engine).error is None, "it is committed and told, and never reaches the standby"
    seen = feed.changes(engine)[-1]["cursor"]
    a = leases.acquire(engine, trigger="run", ttl=60.0, now=real_clock())
    primary.kill()
    promote(standby)
    assert sync(BEFORE, engine).error is None
    b = leases.acquire(engine, trigger="run", ttl=60.0, now=real_clock())
    assert (a.fence, b.fence) == (3, 3), "the number comes again"
    with pytest.raises(LeaseLost) as lost, writing(engine) as connection:
        leases.check_fence(connection, a)
    assert lost.value.code == "went-back"
    leases.break_lease(engine)
    outcome = sync(BEFORE[:4], engine)
    assert outcome.error is None
    with pytest.raises(CursorLost), reading(engine) as connection:
        cursors.validate_cursor(connection, seen)
    assert anomalies(engine) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_whose_primary_dies_while_it_is_applied_is_applied_on_the_promoted_one(
    moment: str, pair: tuple[Server, Server], engine: sa.Engine
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
    assert (status.overview(engine).present, len(feed.changes(engine))) == (5, 5 + 3)
    assert anomalies(engine) == []


def test_a_run_that_meets_only_a_standby_is_refused_in_one_line_and_every_reader_works_there(pair: tuple[Server, Server]) -> None:
    _primary, standby = pair
    engine = open_engine(standby.url)
    error = sync(AFTER, engine).error
    assert isinstance(error, DatabaseAway)
    assert (error.exit_code, "set DATABASE_URL to its primary" in error.hint) == (69, True)
    assert "\n" not in str(error)
    found = status.overview(engine)
    assert (found.present, anomalies(engine)) == (5, [])
    assert found.standby is not None
    assert found.standby.seconds is not None
    with Reader(standby.url) as catalog:
        assert {each.template_id for each in catalog.templates()} == {each["TemplateId"] for each in BEFORE}
        assert catalog.changes()[-1].cursor == catalog.status().cursor
    assert any("may lag: its newest transaction is" in line for line in status_lines(found, make_settings(), real_clock()))
    engine.dispose()


def test_a_reader_is_served_by_the_standby_while_no_primary_answers(pair: tuple[Server, Server], engine: sa.Engine) -> None:
    pair[0].kill()
    assert status.overview(engine).present == 5
    error = sync(AFTER, engine).error
    assert isinstance(error, DatabaseAway)
    promote(pair[1])
    assert sync(AFTER, engine).error is None, "the connection to the standby that it was is not kept"


def test_doctor_reports_primary_standby_and_concerns(pair: tuple[Server, Server]) -> None:
    seen = []
    for server in pair:
        engine = open_engine(server.url)
        state = server_state(engine)
        assert state is not None
        seen.append(state)
        engine.dispose()
    primary, standby = seen
    assert "a primary with 1 standbys" in primary.summary
    assert any("asynchronous" in each for each in primary.warnings)
    assert "a standby, its newest transaction" in standby.summary
    assert any("runs need its primary" in each for each in standby.warnings)


def test_a_pooled_connection_to_a_demoted_primary_is_not_kept(pair: tuple[Server, Server], engine: sa.Engine) -> None:
    primary, standby = pair
    assert sync(BEFORE, engine).error is None
    wait_for(lambda: caught_up(primary, standby))
    promote(standby)
    ask(primary, "ALTER SYSTEM SET default_transaction_read_only = on")
    ask(primary, "SELECT pg_reload_conf()")
    wait_for(lambda: ask(primary, "SHOW default_transaction_read_only") == "on")
    assert isinstance(sync(AFTER, engine).error, DatabaseAway), "its ping is answered, and nothing can be written"
    assert sync(AFTER, engine).error is None
    promoted = open_engine(standby.url)
    assert status.overview(promoted).present == 5
    promoted.dispose()


def test_a_primary_that_freezes_in_mid_transaction_is_given_up_within_the_clients_own_limit(
    pair: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, _standby = pair
    monkeypatch.setattr(connecting, "IDLE_SECONDS", 1)
    monkeypatch.setattr(connecting, "ANSWER_MARGIN_SECONDS", 0)
    engine = open_engine(primary.url)
    waited = iter([None] * 2)

    def freeze(statement: str) -> None:
        if "template_changes (" in statement:
            primary.freeze()

    class Short(Catalog):
        def check_deadline(self) -> None:
            if next(waited, "over") == "over":
                raise DeadlineExceeded("It took too long.")

    hear_statements(engine, freeze)
    assert isinstance(sync(Short(AFTER), engine).error, DeadlineExceeded | DatabaseAway)
    primary.thaw()
    age_lease(engine)
    engine.dispose()
    calm = open_engine(primary.url)
    assert sync(AFTER, calm).error is None
    assert anomalies(calm) == []
    calm.dispose()


def test_a_commit_that_waits_for_a_synchronous_standby_for_ever_is_given_up_and_known_later(
    pair: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time-out of the server's ends that wait; the rows are there, and show when the wait ends."""
    primary, _standby = pair
    monkeypatch.setattr(connecting, "IDLE_SECONDS", 1)
    monkeypatch.setattr(connecting, "ANSWER_MARGIN_SECONDS", 0)
    engine = open_engine(primary.url, lock_timeout=0.5)

    def wait_for_a_ghost() -> None:
        source.on_ask = None
        ask(primary, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
        ask(primary, "SELECT pg_reload_conf()")

    source = Catalog(AFTER, wait_for_a_ghost)
    error = sync(source, engine).error
    assert error is not None
    assert error.exit_code in {69, 75}
    ask(primary, "ALTER SYSTEM RESET synchronous_standby_names")
    ask(primary, "SELECT pg_reload_conf()")
    wait_for(lambda: ask(primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 0)
    age_lease(engine)
    engine.dispose()
    calm = open_engine(primary.url)
    assert sync(AFTER, calm).error is None
    assert anomalies(calm) == []
    assert len([each for each in feed.changes(calm) if each["kind"] == "removed"]) == 1, "applied once"
    calm.dispose()
