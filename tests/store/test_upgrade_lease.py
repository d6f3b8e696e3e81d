"""An upgrade waits for the active run; a run during an upgrade is skipped; a run that lost its lease to one commits nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.errors import LeaseBusy, LeaseLost
from sync.store import lease as leases
from sync.store import schema
from sync.store.engine import writing
from sync.store.tables import sync_lease
from sync.store.upgrade_lease import hold_lease_for_upgrade
from tests.faults import BEFORE, age_lease, anomalies, sync, take_lease, wait_for

if TYPE_CHECKING:
    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers


@pytest.fixture
def behind(empty_database: Database) -> Database:
    """A database that holds a catalog, one revision behind."""
    schema.upgrade(empty_database.engine)
    assert sync(BEFORE, empty_database.engine).error is None
    schema.upgrade(empty_database.engine, "-1")
    return empty_database


def held_elsewhere(database: Database, expires: float) -> None:
    """Make a process on another host the holder of the lease."""
    with database.engine.begin() as connection:
        connection.execute(sa.update(sync_lease).values(holder="another host", process=None, expires=expires))


def test_an_upgrade_waits_for_the_active_run_and_releases_the_lease(behind: Database) -> None:
    held_elsewhere(behind, 9e9)
    reported: list[str] = []
    upgrade = threading.Thread(target=lambda: schema.upgrade(behind.engine, waiting=reported.append))
    upgrade.start()
    wait_for(lambda: reported == ["another host"])
    assert schema.current(behind.engine)[1] is schema.State.BEHIND
    held_elsewhere(behind, 0)
    upgrade.join(60)
    assert schema.current(behind.engine)[1] is schema.State.CURRENT
    with behind.engine.connect() as connection:
        assert not leases.current_holder(connection).active
    assert sync(BEFORE, behind.engine).error is None
    assert anomalies(behind.engine) == []


def test_an_upgrade_whose_wait_expires_changes_nothing(database: Database) -> None:
    held_elsewhere(database, 9e9)
    with (
        pytest.raises(LeaseBusy, match="Nothing was upgraded: another host has held the lease for 0 s"),
        hold_lease_for_upgrade(database.engine, needed=lambda: True, within=0),
    ):
        pytest.fail("it must not begin")


@pytest.mark.parametrize("version", ["0001", "0006"])
def test_the_lease_of_an_upgrade_that_was_killed_can_be_released(empty_database: Database, version: str) -> None:
    schema.upgrade(empty_database.engine, version)
    held_elsewhere(empty_database, 9e9)
    former = leases.break_lease(empty_database.engine)
    assert (former.name, former.active) == ("another host", True)
    schema.upgrade(empty_database.engine)
    assert sync(BEFORE, empty_database.engine).error is None


def test_a_run_during_an_upgrade_is_skipped(database: Database) -> None:
    assert sync(BEFORE, database.engine, ttl=0.1).error is None
    with hold_lease_for_upgrade(database.engine, needed=lambda: True):
        outcome = sync(BEFORE, database.engine)
        with database.engine.connect() as connection:
            left = leases.current_holder(connection).seconds_left
    assert outcome.run.status is Status.SKIPPED
    assert "An upgrade holds the lease: db upgrade on " in str(outcome.run.error)
    assert left > 3000, "an upgrade holds the lease longer than the TTL of the last run"
    assert sync(BEFORE, database.engine).error is None


def test_a_run_that_was_suspended_during_an_upgrade_commits_nothing(database: Database) -> None:
    lease = take_lease(database.engine)
    age_lease(database.engine)
    with hold_lease_for_upgrade(database.engine, needed=lambda: True):
        pass
    with pytest.raises(LeaseLost), writing(database.engine) as connection:
        leases.check_fence(connection, lease)


def test_an_upgrade_that_another_process_completed_takes_no_lease(database: Database) -> None:
    before = database.scalar("SELECT fence FROM sync_lease")
    schema.upgrade(database.engine)
    assert database.scalar("SELECT fence FROM sync_lease") == before


def test_a_database_without_the_row_of_the_lease_is_upgraded(behind: Database) -> None:
    with behind.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM sync_lease"))
    schema.upgrade(behind.engine)
    assert schema.current(behind.engine)[1] is schema.State.CURRENT
