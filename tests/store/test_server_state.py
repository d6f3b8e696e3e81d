"""What a server says of itself. On clusters: tests/clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.store.engine import open_engine
from sync.store.server_state import server_state
from tests.conftest import fresh
from tests.faults import BEFORE, sync
from tests.servers import pgbouncer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def test_a_server_says_what_it_is_and_a_file_nothing(database: Database) -> None:
    state = server_state(database.engine)
    if database.kind == "sqlite":
        assert state is None
        return
    assert state is not None
    assert state.seen.startswith({"postgresql": "PostgreSQL ", "mariadb": "MariaDB "}[database.kind])
    assert "pooler" not in state.seen
    assert "proxy" not in state.seen


def test_that_the_newest_run_was_written_to_another_server_is_a_concern_until_the_next_run(database: Database) -> None:
    sync(BEFORE, database.engine)
    if database.kind == "sqlite":
        return
    database.execute("UPDATE sync_runs SET place = 'elsewhere:00000001@5'")
    concerned = server_state(database.engine)
    assert concerned is not None
    assert any("another server answers" in each for each in concerned.concerns)
    sync(BEFORE, database.engine)
    calm = server_state(database.engine)
    assert calm is not None
    assert not any("another server answers" in each for each in calm.concerns)


def test_a_pooler_in_between_is_noticed(migrated: dict[str, str], tmp_path: Path) -> None:
    for direct in fresh("postgresql", migrated, tmp_path):
        with pgbouncer(direct.url) as url:
            engine = open_engine(url)
            state = server_state(engine)
            assert state is not None
            assert state.seen.endswith("through a pooler")
            engine.dispose()
